"""A few workers for many containers: what waits twice is done once, and never two at a time for the same container."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

LANES = 4
"""So many inspects at once: more do not make an engine faster."""


class _Lane:
    __slots__ = ("at_work", "ready", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[str, None] = {}
        self.ready = asyncio.Event()
        self.at_work: str | None = None


class Lanes:
    """`work(container)` for each container that is asked for. All of it ends with the task group."""

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
        """Soon; once, if it waits already; once more, if it is at work."""
        lane = self._lane(container)
        lane.waiting[container] = None
        lane.ready.set()

    def ask_later(self, container: str, seconds: float) -> None:
        """After so many seconds, unless it is to be asked for later already."""
        if container in self._later:
            return
        self._later.add(container)
        self._tasks.create_task(self._wait_and_ask(container, seconds))

    def drop(self, container: str) -> None:
        """It is gone: what waits is not done, and what is at work is no longer wanted."""
        lane = self._lane(container)
        lane.waiting.pop(container, None)
        if lane.at_work == container:
            lane.at_work = None
        self._settle(container)

    def wanted(self, container: str) -> bool:
        """Whether it is at work, and has not been dropped meanwhile."""
        return self._lane(container).at_work == container

    async def all_of(self, containers: Iterable[str]) -> None:
        """Ask for these, and return when each was done or dropped."""
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
