"""A `Discovery` that runs in a thread, so that tests can act on the engine and wait for what it sees."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

from exporter.containers.discovery import Discovery
from exporter.containers.engine import Engine
from exporter.containers.mapping import ServiceMapping
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from exporter.catalog.planning.plan import Endpoint
    from exporter.containers.model import Container

T = TypeVar("T")


class Watching:
    """A running discovery, from `with` to its end. `changes`: every call of on_change, in order."""

    def __init__(self, endpoint: Endpoint, mapping: ServiceMapping | None = None) -> None:
        self._endpoint = endpoint
        self._mapping = mapping or ServiceMapping(())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._task: asyncio.Task[None] | None = None
        self.changes: list[tuple[str, Container | None]] = []
        self.discovery: Discovery

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.call(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20)
            self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a call in the thread of the discovery."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def until_up(self, seconds: float = 20.0) -> Self:
        until(lambda: self.discovery.up, "the discovery", seconds)
        return self

    def until_down(self, seconds: float = 20.0) -> Self:
        until(lambda: not self.discovery.up, "the discovery to notice", seconds)
        return self

    def seen(self, identifier: str) -> Container | None:
        return self.discovery.containers.get(identifier)

    def until_seen(
        self, identifier: str, how: Callable[[Container], object], what: str, seconds: float = 20.0
    ) -> Container:
        """Return the container once `how` is true for it."""

        def ask() -> Container | None:
            container = self.seen(identifier)
            return container if container is not None and how(container) else None

        found = until(ask, f"a container that is {what}", seconds)
        assert found is not None
        return found

    def until_gone(self, identifier: str) -> None:
        until(lambda: self.seen(identifier) is None, "the container to be gone")

    def tasks(self) -> int:
        """Return the number of tasks, without the one that counts."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return self.call(count())

    async def _start(self) -> None:
        self.engine = Engine(self._endpoint)
        self.discovery = Discovery(self.engine, self._mapping, self._changed)
        self._task = asyncio.create_task(self.discovery.run())

    async def _stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.engine.close()

    def _changed(self, identifier: str, container: Container | None) -> None:
        self.changes.append((identifier, container))
