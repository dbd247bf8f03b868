"""Void runs: they say nothing about their target, because this process or its machine could not do its part.

A run is void if the event loop stalled during it (the process was stopped, the machine suspended or too busy), or
if descriptors, memory, local ports or threads ran out. A void run is counted and otherwise ignored: it is never an
outage of the target.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from typing import TYPE_CHECKING

from exporter.probes.base import Reason, Void
from exporter.probes.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TICK_SECONDS = 0.1
"""Interval of ticks in the loop, and so the accuracy of stall times. Costs 0.05 % of a core."""
LATE_SECONDS = 0.05
"""A tick later than this means a stall; less is normal in a busy loop."""
HELD_SHARE = 0.05
HELD_SECONDS = 0.1
"""A run that ended by waiting is void if the loop stalled for this share of its time and these seconds."""
RECENT_SECONDS = 60.0
"""How long a shortage is exported: longer than a scrape interval."""

OF_ERRNO = {
    errno.EMFILE: Void.DESCRIPTORS,
    errno.ENFILE: Void.DESCRIPTORS,
    errno.ENOBUFS: Void.MEMORY,
    errno.ENOMEM: Void.MEMORY,
}
"""Error numbers of this process or machine, which say nothing about the target."""
NO_THREAD = "can't start new thread"
"""Python's message; it has no specific exception for this."""

SAID_BY_THE_PEER = frozenset(
    {
        Reason.CERTIFICATE, Reason.PROTOCOL, Reason.VERSION, Reason.REDIRECT, Reason.STATUS, Reason.HEADER,
        Reason.SIZE, Reason.ENCODING, Reason.BODY, Reason.LOGIN, Reason.FULL,
    }
)  # fmt: skip
"""Reasons based on received bytes, valid despite a shortage here. SQLite's `answer` may be due to one."""

BY_WAITING = frozenset({Reason.TIMEOUT, Reason.DISCONNECT})
"""Reasons that this process may have caused by a stall; a refusal is not one of them."""


def _nothing(_: float) -> None:
    pass


class LoopWatch:
    """Monitor of the event loop's stalls and of shortages of this process. One per process: `LOOP`."""

    def __init__(self) -> None:
        self._held = 0.0
        self._due: float | None = None
        self._suspended = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._short: dict[Void, float] = {}
        self._on_stall: Callable[[float], None] = _nothing

    def start(self, on_stall: Callable[[float], None] | None = None) -> None:
        """Watch the running loop. After each stall `on_stall` is called with its seconds."""
        self.stop()
        self._on_stall = on_stall or _nothing
        self._suspended = suspended()
        self._wait()

    def stop(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due = None

    def held(self) -> float:
        """Return for how many seconds the loop stalled since the start, including a stall that just ended."""
        if self._due is None:
            return self._held
        spans = (clock() - self._due, suspended() - self._suspended)
        return self._held + sum(span for span in spans if span > LATE_SECONDS)

    def short_since(self, since: float) -> Void | None:
        """Return what this process was short of at any time since `since`, by the clock."""
        if not descriptors_left():
            self.note(Void.DESCRIPTORS)
        return next((what for what, last in self._short.items() if last >= since), None)

    def note(self, what: Void) -> None:
        """Note that this process is short of `what` now."""
        self._short[what] = clock()

    def recently_short(self, what: Void) -> bool:
        """True if this process was short of `what` within the last minute."""
        last = self._short.get(what)
        return last is not None and clock() - last < RECENT_SECONDS

    def _wait(self) -> None:
        self._due = clock() + TICK_SECONDS
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        before, self._held = self._held, self.held()
        self._suspended = suspended()
        if self._held > before:
            self._on_stall(self._held - before)
        if not descriptors_left():
            self.note(Void.DESCRIPTORS)
        self._wait()


LOOP = LoopWatch()


def void_of(error: BaseException) -> Void | None:
    """Return the shortage of this process that caused `error`, and note it; None if it has another cause."""
    what = next((found for link in _chain(error) if (found := _of_one(link))), None)
    if what is not None:
        LOOP.note(what)
    return what


def is_held(held: float, deadline: float, started: float) -> bool:
    """True if the loop stalled so long during a run that the target had too little time."""
    return held >= max(HELD_SECONDS, HELD_SHARE * (deadline - started))


def descriptors_left() -> bool:
    """True if a descriptor can be opened now."""
    try:
        socket.socket(socket.AF_UNIX).close()
    except OSError as error:
        return OF_ERRNO.get(error.errno or 0) is not Void.DESCRIPTORS
    return True


def ports_left() -> bool:
    """True if this machine has a local port left.

    Connecting fails with EADDRNOTAVAIL without a local port and without a local address; only the latter is about
    the target.
    """
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):  # noqa: S104 - nothing listens
        try:
            with socket.socket(family) as one:
                one.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


def suspended() -> float:
    """Return for how many seconds the machine was suspended since it started; timers do not count this time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def _of_one(error: BaseException) -> Void | None:
    if isinstance(error, OSError):
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAGAIN) and not ports_left():
            return Void.PORTS
        return OF_ERRNO.get(error.errno or 0)
    if isinstance(error, MemoryError):
        return Void.MEMORY
    return Void.THREADS if isinstance(error, RuntimeError) and str(error) == NO_THREAD else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all its causes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
