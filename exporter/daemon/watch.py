"""One target under watch: its compiled probe, its series, and what is known of its state."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Literal

from exporter.probes.measure import clock

if TYPE_CHECKING:
    from exporter.catalog.targets import Target
    from exporter.metrics.own import OwnMetrics
    from exporter.metrics.series import Series
    from exporter.probes.base import Probe, ProbeResult

State = Literal["up", "down", "unknown"]

log = logging.getLogger(__name__)


class Watch:
    """A target and everything that happened to it. At most one run of it is under way at any time."""

    __slots__ = (
        "_own",
        "_stopped",
        "_task",
        "delay",
        "finished_at",
        "missed",
        "not_before",
        "probe",
        "result",
        "series",
        "since",
        "target",
    )

    def __init__(self, target: Target, probe: Probe, series: Series, own: OwnMetrics) -> None:
        self.target = target
        self.probe = probe
        self.series = series
        self._own = own
        self._task: asyncio.Task[None] | None = None
        self.result: ProbeResult | None = None
        self.since: float | None = None
        """When the present state began, in seconds since the epoch."""
        self.finished_at: float | None = None
        """When the last run ended, in seconds since the epoch."""
        self.missed = 0
        self._stopped = False
        self.delay = 0.0
        """Seconds from the start of its slot to its turn."""
        self.not_before = 0.0
        """Turns before this time of the monotonic clock are left out: the first run covers them."""

    @property
    def state(self) -> State:
        if self.result is None:
            return "unknown"
        return "up" if self.result.success else "down"

    def inherit(self, other: Watch) -> None:
        """Carry over the counts and the state of the same series under an earlier catalog."""
        self.series = other.series
        self.result, self.since, self.finished_at = other.result, other.since, other.finished_at
        self.missed = other.missed

    def start(self, due: float) -> None:
        """Begin the run that was due at `due` of the monotonic clock, or count it as missed while one is under way."""
        if self._stopped:
            return
        if self._task is not None:
            self.miss(1)
        else:
            self._task = asyncio.create_task(self._run(due))

    def miss(self, rounds: int) -> None:
        """Count runs that could not begin."""
        self.missed += rounds
        self._own.probes_missed.inc(rounds)
        log.warning("%s/%s: missed %d run(s)", self.target.service, self.target.probe, rounds)

    async def stop(self) -> None:
        """Begin no more runs, cancel the one under way, and wait until its sockets are closed."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, due: float) -> None:
        started = clock()
        self._own.probe_lateness_seconds.observe(max(0.0, started - due))
        self._own.running += 1
        try:
            result = await self.probe.run(started + self.target.timeout)
            self._finish(result)
        finally:
            self._own.running -= 1
            self._task = None

    def _finish(self, result: ProbeResult) -> None:
        self.series.record(result)
        before, self.result = self.state, result
        self.finished_at = time.time()
        if self.state == before:
            return
        self.since = self.finished_at
        target = self.target
        if not result.success:
            log.warning("%s/%s is down (%s): %s", target.service, target.probe, result.reason, result.detail)
        elif before == "down":
            log.info("%s/%s is up again", target.service, target.probe)
