"""Schedule of the probes: spread over the interval, without drift, never two runs of a target at once.

A stable hash of its name gives each target its own time within the interval, so it stays the same after a restart or
reload. APScheduler runs one job for all targets of a slot of the interval, and the event loop's timers start each
target at its own time: one job per target would cost as much as a cheap HTTP probe, and targets that start together
would distort each other's measurements.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from exporter.probes.measure import clock
from exporter.probes.protocols import protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apscheduler.job import Job

    from exporter.catalog.planning.plan import Target
    from exporter.daemon.watch import Watch

SLOT_SECONDS = 0.5
MAX_SLOTS = 400
"""Slots per interval; a job costs 2 KB."""
GRID_SECONDS = 0.05
"""Probes that cost a tenth of a millisecond start together on this grid: waking up for each of them costs more than the
probe, and together they appear slower by only a few tenths of a millisecond per neighbour. More expensive probes, such
as TLS handshakes, start at their own time.
"""
FIRST_ROUND_SECONDS = 5.0
"""A new target has its first run within this time, or within its interval if that is shorter."""
CLOCK_CHECK_SECONDS = 1.0
CLOCK_STEP_SECONDS = 0.05
"""Half of the 100 ms within which a probe should start."""
CLOCK_READ_SECONDS = 0.005
"""If more time than this passed between reading two clocks (on a busy host), they cannot be compared."""

log = logging.getLogger(__name__)


class Executor(AsyncIOExecutor):  # type: ignore[misc] # without type information
    """APScheduler's executor, without its shutdown, which cancels a round that has not begun and logs an error."""

    def shutdown(self, wait: bool = True) -> None:
        """Do nothing: a stopped watch starts no run."""


class Slot:
    """A part of an interval, with the targets whose time is in it. `offset`: seconds from the interval's start."""

    __slots__ = ("due", "interval", "job", "offset", "watches")

    def __init__(self, interval: float, offset: float) -> None:
        self.interval = interval
        self.offset = offset
        self.watches: dict[tuple[str, str], Watch] = {}
        self.job: Job | None = None
        self.due = 0.0
        """Time of the next round, on the monotonic clock."""

    def unschedule(self) -> None:
        """Remove the slot's job, so that no further round begins."""
        if self.job is not None:
            self.job.remove()
            self.job = None


class Schedule:
    """A schedule that starts watches at their time."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            executors={"default": Executor()},
            timezone=UTC,
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._slots: dict[tuple[float, int], Slot] = {}
        self._clock_offset = time.time() - clock()
        self._clock_check: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start on the running loop."""
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler.start()
        self._check_clock()

    def stop(self) -> None:
        """Stop, so that no further run begins."""
        if self._clock_check is not None:
            self._clock_check.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def remove(self, watches: Iterable[Watch]) -> None:
        """Remove watches from the schedule."""
        for watch in watches:
            key = slot_of(watch.target)
            slot = self._slots[key]
            del slot.watches[watch.target.key]
            if not slot.watches:
                slot.unschedule()
                del self._slots[key]

    def add(self, watches: Iterable[Watch]) -> None:
        """Add watches to the schedule, each with a first run soon."""
        loop = asyncio.get_running_loop()
        now = clock()
        for watch in watches:
            target = watch.target
            key = slot_of(target)
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = Slot(target.interval, key[1] * slot_seconds(target.interval))
                self._schedule(slot)
            slot.watches[target.key] = watch
            fraction = fraction_of(target)
            watch.delay = on_grid(target, fraction * target.interval - slot.offset)
            first = now + on_grid(target, fraction * min(target.interval, FIRST_ROUND_SECONDS))
            watch.not_before = first + target.timeout
            loop.call_at(first, watch.start, first)

    async def _start_round(self, slot: Slot) -> None:
        loop = asyncio.get_running_loop()
        now = clock()
        due = min(slot.due, now)  # early only if the clock was set, since APScheduler uses it
        behind = max(0, int((now - due) / slot.interval))
        slot.due = due + (behind + 1) * slot.interval
        due += behind * slot.interval
        for watch in slot.watches.values():
            turn = due + watch.delay
            if turn < watch.not_before:
                continue
            if behind:
                watch.miss(behind)
            loop.call_at(turn, watch.start, turn)

    def _schedule(self, slot: Slot) -> None:
        """Schedule a slot's rounds at its offset from whole intervals since the epoch."""
        wall, now = time.time(), clock()
        wait = (slot.offset - wall) % slot.interval
        slot.due = now + wait
        trigger = IntervalTrigger(
            seconds=slot.interval, start_date=datetime.fromtimestamp(wall + wait, UTC), timezone=UTC
        )
        slot.unschedule()
        slot.job = self._scheduler.add_job(self._start_round, trigger, args=(slot,))

    def _check_clock(self) -> None:
        """Schedule again if the system clock was set: APScheduler uses it, and after a step back it would pause."""
        before, wall, after = clock(), time.time(), clock()
        if after - before < CLOCK_READ_SECONDS:
            step = wall - after - self._clock_offset
            if abs(step) > CLOCK_STEP_SECONDS:
                log.warning("the system clock changed by %+.1f s; rescheduling all probes", step)
                for slot in self._slots.values():
                    self._schedule(slot)
            self._clock_offset = wall - after
        self._clock_check = asyncio.get_running_loop().call_later(CLOCK_CHECK_SECONDS, self._check_clock)


def fraction_of(target: Target) -> float:
    """Return the target's position in its interval, from 0 to 1. It depends only on the name."""
    name = f"{target.service}/{target.probe}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") / 2**64


def on_grid(target: Target, seconds: float) -> float:
    """Return the start time of a target that is due after `seconds`: on the grid if its probe is cheap."""
    lean = protocol_of(target.spec).is_lean(target.spec)
    return seconds // GRID_SECONDS * GRID_SECONDS if lean else seconds


def slots_in(interval: float) -> int:
    """Return the number of slots of an interval (seconds)."""
    return min(MAX_SLOTS, max(1, round(interval / SLOT_SECONDS)))


def slot_seconds(interval: float) -> float:
    """Return the length of a slot of an interval (seconds)."""
    return interval / slots_in(interval)


def slot_of(target: Target) -> tuple[float, int]:
    """Return a target's interval, and the number of its slot in it."""
    return target.interval, int(fraction_of(target) * slots_in(target.interval))
