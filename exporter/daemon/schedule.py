"""When each target is probed: spread over its interval, without drift, never stacked.

Targets of one interval are spread over slots by a stable hash of their name, so a restart or a reload changes
nobody's turn. APScheduler drives one job a slot, not one a target: its bookkeeping costs as much as a lean HTTP probe.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from exporter.probes.measure import clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from apscheduler.job import Job

    from exporter.catalog.targets import Target
    from exporter.daemon.watch import Watch

SLOT_SECONDS = 0.05
"""Half of the 100 ms within which a probe should start: a slot's targets start at once, one after the other."""
MAX_SLOTS = 400
"""Of one interval; a job costs 2 KB and the targets of a slot start within milliseconds even by the hundred."""
FIRST_ROUND_SECONDS = 5.0
"""A target that is new has its first run within this time, or within its interval if that is shorter."""
CLOCK_CHECK_SECONDS = 1.0
CLOCK_STEP_SECONDS = SLOT_SECONDS
CLOCK_READ_SECONDS = 0.005
"""Two clocks that were read further apart than this, on a busy machine, say nothing about each other."""

log = logging.getLogger(__name__)


class Slot:
    """The targets that start together, once an interval."""

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
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
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
        first_rounds: dict[int, list[Watch]] = defaultdict(list)
        now = clock()
        for watch in watches:
            target = watch.target
            key = slot_of(target)
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = Slot(
                    target.interval, key[1] * target.interval / slots_in(target.interval)
                )
                self._schedule(slot)
            slot.watches[target.key] = watch
            wait = slot.offset / target.interval * min(target.interval, FIRST_ROUND_SECONDS)
            watch.not_before = now + wait + target.timeout
            first_rounds[int(wait / SLOT_SECONDS)].append(watch)
        wall = time.time()
        for index, group in first_rounds.items():
            wait = index * SLOT_SECONDS
            at = datetime.fromtimestamp(wall + wait, UTC)
            self._scheduler.add_job(self._start_first, DateTrigger(at), args=(group, now + wait))

    async def _start_first(self, watches: list[Watch], due: float) -> None:
        for watch in watches:
            slot = self._slots.get(slot_of(watch.target))
            # A reload may have taken the target away, or given its turn to a successor, since this was planned.
            if slot is not None and slot.watches.get(watch.target.key) is watch:
                watch.start(due)

    async def _start_round(self, slot: Slot) -> None:
        now = clock()
        due = min(slot.due, now)  # early only when the clock was set: APScheduler goes by it
        behind = max(0, int((now - due) / slot.interval))
        slot.due = due + (behind + 1) * slot.interval
        for watch in slot.watches.values():
            if due < watch.not_before:
                continue
            if behind:
                watch.miss(behind)
            watch.start(due + behind * slot.interval)

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


def slots_in(interval: float) -> int:
    """Into how many slots an interval (seconds) is cut."""
    return min(MAX_SLOTS, max(1, round(interval / SLOT_SECONDS)))


def slot_of(target: Target) -> tuple[float, int]:
    """The interval and the slot in it that a target's name gives it, the same in every process."""
    name = f"{target.service}/{target.probe}".encode()
    fraction = int.from_bytes(blake2b(name, digest_size=8).digest(), "big") / 2**64
    return target.interval, int(fraction * slots_in(target.interval))
