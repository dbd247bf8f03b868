"""Blocking calls beside the loop, with a deadline: a file of a dead disk or server may never answer.

Each call has a thread of its own, which does not keep the process from ending. What is stuck stays stuck alone: while
a call has not returned, no other with its key is begun.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

_under_way: set[Hashable] = set()


class AsideTimeoutError(Exception):
    """The call did not return in time; it may still be under way."""


class AsideBusyError(Exception):
    """An earlier call of the same key has not returned yet, so none was begun."""


async def aside(key: Hashable, function: Callable[[], T], seconds: float) -> T:
    """What `function` returns or raises. Raises AsideTimeoutError after `seconds`, AsideBusyError at once."""
    if key in _under_way:
        raise AsideBusyError("an earlier call has not returned yet")
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
        except BaseException as raised:  # noqa: BLE001 - whoever asked shall see whatever it was
            error = raised
        _under_way.discard(key)
        with suppress(RuntimeError):  # the loop was closed while the call was stuck: nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    _under_way.add(key)
    try:
        threading.Thread(target=work, name=f"aside {key}", daemon=True).start()
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
