"""Readings of a real engine's containers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Literal

from exporter.catalog.planning.plan import ContainersPlan
from exporter.containers.endpoint import resolve_endpoint
from exporter.containers.engine import Engine
from exporter.containers.inspect import container_of
from exporter.containers.mapping import ServiceMapping
from exporter.containers.readings import Readings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.containers.model import Container, Reading
    from tests.docker_engine import DockerEngine


class Watched:
    """Readings of a real engine's containers, which are inspected again for each refresh."""

    def __init__(self, engine: Engine, readings: Readings, *ids: str) -> None:
        self.readings = readings
        self._engine = engine
        self._ids = ids

    async def containers(self) -> list[Container]:
        info = await self._engine.hello()
        found = []
        for identifier in self._ids:
            inspected = await self._engine.get(f"/containers/{identifier}/json")
            container = container_of(inspected, info, ServiceMapping([]))
            assert container is not None
            found.append(container)
        return found

    async def refresh(self) -> dict[str, Reading]:
        await self.readings.refresh(await self.containers())
        return dict(self.readings.latest)

    async def until(self, done: Callable[[dict[str, Reading]], bool], what: str) -> dict[str, Reading]:
        deadline = time.monotonic() + 20
        while not done(latest := await self.refresh()):
            assert time.monotonic() < deadline, f"waited for {what}; last readings: {latest}"
            await asyncio.sleep(0.05)
        return latest

    async def until_all(self) -> dict[str, Reading]:
        return await self.until(lambda latest: latest.keys() == set(self._ids), "a reading of each container")


@contextlib.asynccontextmanager
async def watched(docker_engine: DockerEngine, plan: ContainersPlan, *ids: str) -> AsyncIterator[Watched]:
    engine = Engine(resolve_endpoint(docker_engine.host))
    readings = Readings(plan, engine)
    try:
        yield Watched(engine, readings, *ids)
    finally:
        await readings.close()
        await engine.close()


def read(
    docker_engine: DockerEngine, source: Literal["auto", "cgroup", "api"], *ids: str
) -> dict[str, Reading]:
    async def once() -> dict[str, Reading]:
        async with watched(docker_engine, ContainersPlan(source=source, interval=0.1), *ids) as watching:
            return await watching.until_all()

    return asyncio.run(once())
