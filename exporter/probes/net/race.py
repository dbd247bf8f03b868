"""Race of several attempts at the same answer, in which a dead one does not delay the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.probes.base import ProbeFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")


async def race(attempts: Sequence[Callable[[], Coroutine[Any, Any, T]]], delay: float) -> T:
    """Return the result of the first attempt that succeeds.

    The next attempt starts when all started ones have failed, or after `delay` seconds without a result; earlier ones
    can still win. All have ended on return.

    Raises:
        ProbeFailure: all attempts failed; with the reason of the first failure and the details of all.
    """
    if len(attempts) == 1:
        return await attempts[0]()
    waiting = list(attempts)
    running: set[asyncio.Task[T]] = set()
    failures: list[ProbeFailure] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(waiting.pop(0)()))
            ended, _ = await asyncio.wait(
                running, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            running -= ended
            for task in ended:
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, ProbeFailure):
                    raise error
                failures.append(error)
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
    each = "; ".join(dict.fromkeys(failure.detail for failure in failures))
    raise ProbeFailure(failures[0].reason, each) from ExceptionGroup("of each attempt", failures)
