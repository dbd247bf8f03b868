"""Work that many ask for at once, done for all of them together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Merged(Generic[T]):
    """`work`, where at most one run is under way and at most one waits.

    Who asks while a run is under way gets the result of the next one, since the present one may have begun before
    what the caller wants to see. All who wait for the next run share it. A run goes on when its callers have left.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Return the result of a run that begins now or later, or raise what it raised."""
        return await asyncio.shield(self._joined())

    async def stop(self) -> None:
        """Cancel the run under way and the one that waits."""
        tasks = [task for task in (self._next, self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _joined(self) -> asyncio.Task[T]:
        if self._next is not None:  # it has not begun yet
            return self._next
        if self._running is None or self._running.done():
            self._running = self._begun(self._work())
            return self._running
        self._next = self._begun(self._after(self._running))
        return self._next

    async def _after(self, first: asyncio.Task[T]) -> T:
        await asyncio.wait([first])
        self._running, self._next = self._next, None
        return await self._work()

    def _begun(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_retrieve)
        return task


def _retrieve(task: asyncio.Task[T]) -> None:
    """Mark an error as seen: all who wanted to know it may have left."""
    if not task.cancelled():
        task.exception()
