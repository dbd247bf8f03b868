"""When each target is probed: spread over its interval, without drift, never stacked.

A stable hash of its name gives each target its own time within the interval, so a restart or a reload changes
nobody's turn. APScheduler drives one job for all targets of a slot of the interval, and a timer of the loop starts
each of them at its own time: a job a target would cost as much as a lean HTTP probe, and targets that start together
would measure each other.
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

from exporter.probes.compile import is_costly
from exporter.probes.measure import clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apscheduler.job import Job

    from exporter.catalog.planning.plan import Target
    from exporter.daemon.watch import Watch

SLOT_SECONDS = 0.5
MAX_SLOTS = 400
"""Of one interval; a job costs 2 KB."""
GRID_SECONDS = 0.05
"""Probes that cost a tenth of a millisecond start together on this grid: to wake up for each of them costs more than
the probe, and measured together they appear slower by no more than a few tenths of a millisecond a neighbour. What
costs more, a TLS handshake say, starts at its own time.
"""
FIRST_ROUND_SECONDS = 5.0
"""A target that is new has its first run within this time, or within its interval if that is shorter."""
CLOCK_CHECK_SECONDS = 1.0
CLOCK_STEP_SECONDS = 0.05
"""Half of the 100 ms within which a probe should start."""
CLOCK_READ_SECONDS = 0.005
"""Two clocks that were read further apart than this, on a busy machine, say nothing about each other."""

log = logging.getLogger(__name__)


class Executor(AsyncIOExecutor):  # type: ignore[misc] # without type information
    """APScheduler's, which on stopping cancels a round that has not begun, and logs that as an error."""

    def shutdown(self, wait: bool = True) -> None:
        """Leave the round: a watch that was stopped starts nothing."""


class Slot:
    """A part of an interval, and the targets whose time is in it. `offset`: seconds from the interval's start."""

    __slots__ = ("due", "interval", "job", "offset", "watches")

    def __init__(self, interval: float, offset: float) -> None:
        self.interval = interval
        self.offset = offset
        self.watches: dict[tuple[str, str], Watch] = {}
        self.job: Job | None = None
        self.due = 0.0
        """Of the next round, on the monotonic clock."""

    def unschedule(self) -> None:
        """No further round begins."""
        if self.job is not None:
            self.job.remove()
            self.job = None


class Schedule:
    """Starts watches when their turn comes."""

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
        """Begin, on the running loop."""
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler.start()
        self._check_clock()

    def stop(self) -> None:
        """No further run begins."""
        if self._clock_check is not None:
            self._clock_check.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def remove(self, watches: Iterable[Watch]) -> None:
        """Give up the turns of these watches."""
        for watch in watches:
            key = slot_of(watch.target)
            slot = self._slots[key]
            del slot.watches[watch.target.key]
            if not slot.watches:
                slot.unschedule()
                del self._slots[key]

    def add(self, watches: Iterable[Watch]) -> None:
        """Give each watch its turn, and a first run soon."""
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
        due = min(slot.due, now)  # early only when the clock was set: APScheduler goes by it
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
        """Plan a slot's rounds at its offset from whole intervals since the epoch."""
        wall, now = time.time(), clock()
        wait = (slot.offset - wall) % slot.interval
        slot.due = now + wait
        trigger = IntervalTrigger(
            seconds=slot.interval, start_date=datetime.fromtimestamp(wall + wait, UTC), timezone=UTC
        )
        slot.unschedule()
        slot.job = self._scheduler.add_job(self._start_round, trigger, args=(slot,))

    def _check_clock(self) -> None:
        """Plan anew when the machine's clock was set: APScheduler plans by it, and would wait out a step back."""
        before, wall, after = clock(), time.time(), clock()
        if after - before < CLOCK_READ_SECONDS:
            step = wall - after - self._clock_offset
            if abs(step) > CLOCK_STEP_SECONDS:
                log.warning("the clock was set by %+.1f s; planning anew", step)
                for slot in self._slots.values():
                    self._schedule(slot)
            self._clock_offset = wall - after
        self._clock_check = asyncio.get_running_loop().call_later(CLOCK_CHECK_SECONDS, self._check_clock)


def fraction_of(target: Target) -> float:
    """Where in its interval a target's name puts it, from 0 to 1, the same in every process."""
    name = f"{target.service}/{target.probe}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") / 2**64


def on_grid(target: Target, seconds: float) -> float:
    """The time at which a target starts that would have its turn after `seconds`."""
    return seconds if is_costly(target.spec) else seconds // GRID_SECONDS * GRID_SECONDS


def slots_in(interval: float) -> int:
    """Into how many slots an interval (seconds) is cut."""
    return min(MAX_SLOTS, max(1, round(interval / SLOT_SECONDS)))


def slot_seconds(interval: float) -> float:
    """How long a slot of an interval (seconds) is."""
    return interval / slots_in(interval)


def slot_of(target: Target) -> tuple[float, int]:
    """A target's interval, and the number of the slot in it."""
    return target.interval, int(fraction_of(target) * slots_in(target.interval))
