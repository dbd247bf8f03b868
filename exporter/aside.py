"""Blocking calls in threads, with a deadline: a file on a dead disk or server may never answer.

Each call has its own thread, which does not keep the process from exiting. A stuck call blocks only its own key:
until it returns, no other call with this key is started.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

IDLE_SECONDS = 5.0
"""How long a thread waits for its next call. Starting a thread costs three times as much as waking one up."""

_under_way: set[Hashable] = set()


class AsideTimeoutError(Exception):
    """A call that did not return in time; it may still be running."""


class AsideBusyError(Exception):
    """A call that was not started, because an earlier one with the same key has not returned yet."""


def begin(function: Callable[[], T]) -> asyncio.Future[T]:
    """Call `function` in a thread. The future gets its result or exception; cancelling it ends only the wait.

    Raises:
        RuntimeError: this machine has no threads left.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type] # without an error it is what the function returned

    def work() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - the caller gets any exception
            error = raised
        with suppress(RuntimeError):  # the loop was closed while the call was stuck
            loop.call_soon_threadsafe(settle, result, error)

    _hand_over(work)
    return answer


async def aside(key: Hashable, function: Callable[[], T], seconds: float) -> T:
    """Return what `function` returns, or raise what it raises.

    Raises:
        AsideTimeoutError: it did not return within `seconds`.
        AsideBusyError: an earlier call with this key has not returned; raised at once.
    """
    if key in _under_way:
        raise AsideBusyError("an earlier call has not returned yet")

    def work() -> T:
        try:
            return function()
        finally:
            _under_way.discard(key)

    _under_way.add(key)
    try:
        answer = begin(work)
    except RuntimeError:
        _under_way.discard(key)
        raise
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        if answer.done() and not answer.cancelled():
            return answer.result()
        raise AsideTimeoutError(f"no answer within {seconds:g} s") from None


class _Worker(threading.Thread):
    """A thread that runs one call after another, and ends after a while without calls."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="aside", daemon=True)
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.calls.put(work)

    def run(self) -> None:
        while True:
            try:
                work = self.calls.get(timeout=IDLE_SECONDS)
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:
                    continue  # a caller has just taken this thread, and will hand over a call
                return
            work()
            del work  # it refers to the caller's loop
            _idle.append(self)


_idle: list[_Worker] = []
"""Threads without a call. Each operation on this list is atomic."""


def _hand_over(work: Callable[[], None]) -> None:
    try:
        worker = _idle.pop()
    except IndexError:
        _Worker(work).start()
    else:
        worker.calls.put(work)
