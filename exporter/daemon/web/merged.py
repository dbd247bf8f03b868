"""Merging of concurrent requests for the same work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Merged(Generic[T]):
    """Merged calls of `work`: at most one run is active and at most one waits.

    A call during a run gets the result of the next run, because the current one may have begun before the change that
    the caller wants to see. All waiting callers share the next run. A run continues even if its callers are gone.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Return the result of a run that begins now or later, or raise its exception."""
        return await asyncio.shield(self._joined())

    async def stop(self) -> None:
        """Cancel the active run and the waiting one."""
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
    """Mark an exception as seen: its callers may all be gone."""
    if not task.cancelled():
        task.exception()
