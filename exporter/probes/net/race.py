"""Several ways to the same answer, tried without one that is dead holding up the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.probes.base import ProbeFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")


async def race(attempts: Sequence[Callable[[], Coroutine[Any, Any, T]]], delay: float) -> T:
    """What the first attempt to succeed returns. The next one starts when all before it have failed, or when the
    last has been silent for `delay` seconds; those before it may still win. All have ended on return.

    Raises:
        ProbeFailure: of the first attempt to fail, with the details of all, when none succeeded.
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
