"""A few workers for many containers: duplicate requests are merged, and each container has at most one worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

LANES = 4
"""Number of concurrent inspects: more do not make an engine faster."""


class _Lane:
    __slots__ = ("at_work", "ready", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[str, None] = {}
        self.ready = asyncio.Event()
        self.at_work: str | None = None


class Lanes:
    """Workers that call `work(container)` for each requested container. They end with the task group."""

    def __init__(self, work: Callable[[str, Lanes], Awaitable[None]], tasks: asyncio.TaskGroup) -> None:
        self._work = work
        self._tasks = tasks
        self._lanes = [_Lane() for _ in range(LANES)]
        self._unsettled: set[str] = set()
        self._settled = asyncio.Event()
        self._later: set[str] = set()
        for lane in self._lanes:
            tasks.create_task(self._serve(lane))

    def ask(self, container: str) -> None:
        """Request work soon. A waiting request is not repeated; during work one more follows."""
        lane = self._lane(container)
        lane.waiting[container] = None
        lane.ready.set()

    def ask_later(self, container: str, seconds: float) -> None:
        """Request work after `seconds`, unless such a delayed request is waiting already."""
        if container in self._later:
            return
        self._later.add(container)
        self._tasks.create_task(self._wait_and_ask(container, seconds))

    def drop(self, container: str) -> None:
        """Cancel a waiting request for a container that is gone, and mark running work as no longer wanted."""
        lane = self._lane(container)
        lane.waiting.pop(container, None)
        if lane.at_work == container:
            lane.at_work = None
        self._settle(container)

    def wanted(self, container: str) -> bool:
        """True while work for the container is running and has not been dropped."""
        return self._lane(container).at_work == container

    async def all_of(self, containers: Iterable[str]) -> None:
        """Request work for these, and return when each is done or dropped."""
        self._unsettled = set(containers)
        self._settled.clear()
        for container in tuple(self._unsettled):
            self.ask(container)
        if self._unsettled:
            await self._settled.wait()

    def _lane(self, container: str) -> _Lane:
        return self._lanes[hash(container) % LANES]

    def _settle(self, container: str) -> None:
        if container in self._unsettled:
            self._unsettled.discard(container)
            if not self._unsettled:
                self._settled.set()

    async def _serve(self, lane: _Lane) -> None:
        while True:
            await lane.ready.wait()
            while lane.waiting:
                container = next(iter(lane.waiting))
                del lane.waiting[container]
                lane.at_work = container
                await self._work(container, self)
                lane.at_work = None
                self._settle(container)
            lane.ready.clear()

    async def _wait_and_ask(self, container: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._later.discard(container)
        self.ask(container)
