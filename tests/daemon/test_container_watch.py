"""Container metrics of a scrape, with a scripted engine and scripted kernel counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.catalog.planning.plan import ContainersPlan, Plan, ServicePlan
from exporter.containers.model import Reading
from exporter.containers.readings import Readings
from exporter.daemon.containers import ContainerWatch
from exporter.metrics.exposition import blocks
from tests.containers.scripted_engine import ScriptedEngine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_kills_that_no_event_tells_are_counted_from_the_first_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that counting starts at the first reading of a container that existed before, also if it is 0."""
    kills = iter((0, 0, 2))

    async def refresh(self: Readings, containers: object) -> None:  # noqa: ARG001 - must match the call
        self.latest = {identifier: Reading(1.0, "cgroup", oom_kills=next(kills))}

    monkeypatch.setattr(Readings, "refresh", refresh)
    plan = Plan(
        "shop",
        "test",
        "127.0.0.1",
        1,
        (ServicePlan("web", "service", wanted=1),),
        (),
        containers=ContainersPlan(),
    )

    async def scrapes(engine: ScriptedEngine) -> list[float]:
        watch = ContainerWatch(plan, engine.endpoint)
        try:
            async with asyncio.timeout(10):
                while not watch.docker().up:  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.01)
            return [await scrape(watch) for _ in range(3)]
        finally:
            await watch.stop()

    async def scrape(watch: ContainerWatch) -> float:
        await watch.refresh()
        text = b"".join(blocks([], "text", watch.tables)).decode()
        (line,) = [
            each for each in text.splitlines() if each.startswith("service_container_oom_kills_total{")
        ]
        return float(line.split()[-1])

    with ScriptedEngine(tmp_path / "engine.sock") as engine:
        (identifier,) = engine.add(1, Config__Labels={"exporter.service": "web"})
        assert asyncio.run(scrapes(engine)) == [0, 0, 2]
