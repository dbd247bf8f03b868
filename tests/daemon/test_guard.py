"""A failure of one part does not affect the others on the page, in the API and in the scrape."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NoReturn

import httpx
import pytest

from exporter.catalog.planning.plan import ContainersPlan, Endpoint, Plan
from exporter.daemon import state as state_module
from exporter.daemon.containers import ContainerWatch
from exporter.daemon.daemon import Daemon
from exporter.daemon.web.application import application
from exporter.metrics.container_families import container_labels
from exporter.metrics.items import Items
from tests.containers.scripted_engine import ScriptedEngine, container_number, inspect_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from exporter.containers.model import Identity

ONE = container_number(1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with ScriptedEngine(tmp_path / "e.sock") as engine:
        engine.add(1, 2)
        yield engine


def served(endpoint: Endpoint, act: Callable[[Daemon, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run `act` with a daemon in this process that knows both containers, and a client of its web server."""

    async def load() -> Plan:
        plan = ContainersPlan(source="api", interval=0.1, endpoint=endpoint)
        return Plan("shop", "test", "127.0.0.1", 0, (), (), containers=plan)

    async def run() -> None:
        daemon = Daemon(load)
        await daemon.start()
        try:
            deadline = time.monotonic() + 20
            while len(daemon.surroundings().containers) < 2:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
            web = httpx.ASGITransport(application(daemon), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=web, base_url="http://127.0.0.1") as client:
                await act(daemon, client)
        finally:
            await daemon.stop()

    asyncio.run(run())


def failing(*_: object, **__: object) -> NoReturn:
    raise ZeroDivisionError("a defect \x1b[2J")


@pytest.mark.parametrize(
    ("part", "place", "name"),
    [
        ("containers", ContainerWatch, "refresh"),
        ("containers", ContainerWatch, "views"),
        ("containers", ContainerWatch, "docker"),
        ("exposition", Items, "rows"),
        ("page", state_module, "container_state"),
    ],
)
def test_each_part_alone(
    engine: ScriptedEngine, part: str, place: Any, name: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def act(_: Daemon, client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(place, name, failing)
        for _scrape in range(3):
            for path in ("/api/v1/services", "/", "/metrics"):
                answer = await client.get(path)
                assert answer.status_code == 200, path
        assert "exporter_build_info{" in answer.text
        (line,) = [each for each in answer.text.splitlines() if f'errors_total{{part="{part}"}}' in each]
        assert float(line.split()[-1]) > 0

    served(engine.endpoint, act)
    said = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(said) == 1, "the traceback must be logged once, not with each scrape"


def test_one_containers_lines(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def labels(identity: Identity, *, old: bool = False) -> str:
        if identity.id == ONE:
            failing()
        return container_labels(identity, old=old)

    monkeypatch.setattr("exporter.daemon.containers.container_labels", labels)

    async def act(_: Daemon, client: httpx.AsyncClient) -> None:
        text = (await client.get("/metrics")).text
        assert 'name="c2"' in text
        assert 'name="c1"' not in text
        assert 'exporter_internal_errors_total{part="containers"}' in text

    served(engine.endpoint, act)


def test_names_that_no_format_can_hold(engine: ScriptedEngine) -> None:
    """Check lone surrogates from JSON, which neither UTF-8 nor the page can represent."""
    hostile = {"Config__Labels": {"com.docker.compose.service": "\ud800<b>\x0b"}, "Config__Image": "i\udfff"}
    engine.containers[ONE] = inspect_of(ONE, Name="/n\ud83d", **hostile)

    async def act(_: Daemon, client: httpx.AsyncClient) -> None:
        for path in ("/metrics", "/api/v1/services", "/"):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert "n\\ud83d" in answer.text.replace("\\\\", "\\"), path

    served(engine.endpoint, act)


def test_what_is_refused_and_unknown_is_exported(engine: ScriptedEngine) -> None:
    async def act(daemon: Daemon, client: httpx.AsyncClient) -> None:
        engine.refuse("/containers/{id}/stats")
        lines: list[str] = []
        async with asyncio.timeout(20):
            while not any(line.startswith("exporter_docker_refused") for line in lines):
                lines = (await client.get("/metrics")).text.splitlines()
                await asyncio.sleep(0.05)
        assert 'exporter_docker_refused{endpoint="/containers/{id}/stats"} 1' in lines
        assert "exporter_containers_unknown 0" in lines
        assert 'exporter_container_failures_total{reading="inspect"} 0' in lines
        assert any(line.startswith('exporter_container_failures_total{reading="api"} ') for line in lines)
        (said,) = (await client.get("/api/v1/services")).json()["docker"]["refused"]
        assert "GET /containers/{id}/stats must be allowed" in said
        assert "/containers/{id}/stats must be allowed" in (await client.get("/")).text
        assert daemon.ready

    served(engine.endpoint, act)
