"""Blocking calls beside the loop, with a deadline: a file of a dead disk or server may never answer.

Each call has a thread to itself, which does not keep the process from ending. What is stuck stays stuck alone: while
a call has not returned, no other with its key is begun.
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
"""How long a thread waits for its next call: to start one costs three times as much as to wake one up."""

_under_way: set[Hashable] = set()


class AsideTimeoutError(Exception):
    """The call did not return in time; it may still be under way."""


class AsideBusyError(Exception):
    """An earlier call of the same key has not returned yet, so none was begun."""


def begin(function: Callable[[], T]) -> asyncio.Future[T]:
    """Call `function` in a thread. The future has what it returns or raises; to cancel it ends only the wait.

    Raises:
        RuntimeError: this machine has no thread left.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type] # without an error it is what the function gave

    def work() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - the caller gets any exception
            error = raised
        with suppress(RuntimeError):  # the loop was closed while the call was stuck: nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    _hand_over(work)
    return answer


async def aside(key: Hashable, function: Callable[[], T], seconds: float) -> T:
    """What `function` returns or raises. Raises AsideTimeoutError after `seconds`, AsideBusyError at once."""
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
    """A thread that takes one call after the other, and ends when none has come for a while."""

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
                    continue  # somebody has just taken it, and hands over a call
                return
            work()
            del work  # it holds the caller's loop
            _idle.append(self)


_idle: list[_Worker] = []
"""Threads without a call. Each operation on it is atomic."""


def _hand_over(work: Callable[[], None]) -> None:
    try:
        worker = _idle.pop()
    except IndexError:
        _Worker(work).start()
    else:
        worker.calls.put(work)
