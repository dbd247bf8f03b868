"""Watch of one target: its compiled probe, its series and its state."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Literal

from exporter.daemon.page_words import span
from exporter.probes.base import VOID_MEANINGS
from exporter.probes.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.planning.plan import Target
    from exporter.metrics.own import OwnMetrics
    from exporter.metrics.series import Series
    from exporter.probes.base import Probe, ProbeResult, Void

State = Literal["up", "down", "unknown"]

STALE_SECONDS = 300.0
STALE_RUNS = 3
"""A target becomes unknown after this many void or missed runs in a row, if no run was valid for this long. Prometheus
also drops a sample after this time."""
STOP_SECONDS = 0.5
"""Seconds that a cancelled run has to close its connections."""
AGAIN_SECONDS = 5.0
"""Seconds from a void run to the next attempt, if the interval is longer."""
TELL_SECONDS = 60.0
"""Minimum time between two log lines about void runs: there may be thousands."""

log = logging.getLogger(__name__)


def _is_unknown(service: str) -> bool:  # noqa: ARG001 - no container is watched
    return False


class Watch:
    """A target and its history. At most one run is active at a time.

    `runs`: returns True if a container of the service runs. Without one, a target that is started on demand rests: it
    is not probed, and has no state and no series.
    """

    __slots__ = (
        "_again",
        "_down_at",
        "_measured_at",
        "_own",
        "_runs",
        "_stopped",
        "_task",
        "_unmeasured",
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

    def __init__(
        self,
        target: Target,
        probe: Probe,
        series: Series,
        own: OwnMetrics,
        runs: Callable[[str], bool] = _is_unknown,
    ) -> None:
        self.target = target
        self.probe = probe
        self.series = series
        self._own = own
        self._runs = runs
        self._task: asyncio.Task[None] | None = None
        self.result: ProbeResult | None = None
        self.since: float | None = None
        """Start of the current state, in seconds since the epoch."""
        self.finished_at: float | None = None
        """End of the last run, in seconds since the epoch."""
        self.missed = 0
        self._again: asyncio.TimerHandle | None = None
        self._stopped = False
        self._unmeasured = 0
        """Starts in a row without a valid result."""
        self._measured_at = clock()
        self._down_at: float | None = None
        """Time at which the target went down; None once it is up again."""
        self.delay = 0.0
        """Seconds from the start of its slot to its own start."""
        self.not_before = 0.0
        """Runs due before this time (monotonic clock) are skipped: the first run covers them."""

    @property
    def state(self) -> State:
        if self.result is None:
            return "unknown"
        return "up" if self.result.success else "down"

    @property
    def rests(self) -> bool:
        """True while it is not probed, because it is started on demand and does not run."""
        return self.target.on_demand and not self._runs(self.target.service)

    def inherit(self, other: Watch) -> None:
        """Take over the counts and state of the same series from an earlier catalog."""
        self.series = other.series
        self.result, self.since, self.finished_at = other.result, other.since, other.finished_at
        self.missed = other.missed
        self._unmeasured, self._measured_at = other._unmeasured, other._measured_at
        self._down_at = other._down_at

    def start(self, due: float) -> None:
        """Start the run that was due at `due` (monotonic clock), or count it as missed if one is still active."""
        if self._stopped:
            return
        if self.rests:
            self._rest()
        elif self._task is not None:
            self.miss(1)
        else:
            self._task = asyncio.create_task(self._run(due))

    def _start_again(self) -> None:
        self._again = None
        if self._task is None:
            self.start(clock())

    def miss(self, rounds: int) -> None:
        """Count runs that could not start."""
        if self.rests:
            return
        self.missed += rounds
        self._own.probes_missed.inc(rounds)
        log.warning(
            "%s/%s: missed %d run(s)", self.target.service, self.target.probe, rounds, extra=self._fields()
        )
        self._count_unmeasured()

    async def stop(self) -> None:
        """Start no more runs, cancel the active one, and wait until its sockets are closed."""
        self._stopped = True
        if self._again is not None:
            self._again.cancel()
        if self._task is None:
            return
        self._task.cancel()
        _, stuck = await asyncio.wait([self._task], timeout=STOP_SECONDS)
        if stuck:
            log.warning(
                "%s/%s: the run does not stop; not waiting for it any longer",
                self.target.service,
                self.target.probe,
                extra=self._fields(),
            )

    async def _run(self, due: float) -> None:
        started = clock()
        self._own.probe_lateness_seconds.observe(max(0.0, started - due))
        self._own.running += 1
        try:
            result = await self.probe.run(started + self.target.timeout)
            if not self._stopped:
                self._finish(result)
        finally:
            self._own.running -= 1
            self._task = None

    def _rest(self) -> None:
        """Forget the state of what no longer runs."""
        self.result = self.since = self._down_at = None
        self._unmeasured, self._measured_at = 0, clock()
        self.series.forget()

    def _finish(self, result: ProbeResult) -> None:
        if self.rests:
            self._rest()
            return
        if result.void is not None:
            self._own.count_void(result.void)
            _tell(result.void)
            self._count_unmeasured()
            if self.target.interval > 2 * AGAIN_SECONDS:
                self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._start_again)
            return
        self._unmeasured, self._measured_at = 0, clock()
        self.series.record(result)
        before, self.result = self.state, result
        self.finished_at = time.time()
        if self.state != before:
            self.since = self.finished_at
            self._log_change(result)

    def _log_change(self, result: ProbeResult) -> None:
        target = self.target
        fields = self._fields(str(result.reason))
        if not result.success:
            self._down_at = clock() if self._down_at is None else self._down_at
            log.warning(
                "%s/%s is down (%s): %s",
                target.service,
                target.probe,
                result.reason,
                result.detail,
                extra=fields,
            )
        elif self._down_at is not None:
            seconds = clock() - self._down_at
            self._down_at = None
            fields["down_seconds"] = round(seconds, 3)
            log.info("%s/%s is up again after %s", target.service, target.probe, span(seconds), extra=fields)

    def _count_unmeasured(self) -> None:
        self._unmeasured += 1
        age = clock() - self._measured_at
        if self._unmeasured < STALE_RUNS or age < max(STALE_SECONDS, STALE_RUNS * self.target.interval):
            return
        if self.result is not None:
            log.warning(
                "%s/%s is unknown: no valid run for %s",
                self.target.service,
                self.target.probe,
                span(age),
                extra=self._fields(),
            )
        self.result = self.since = None
        self.series.forget()

    def _fields(self, reason: str | None = None) -> dict[str, object]:
        """Return the fields for logs in JSON."""
        fields: dict[str, object] = {"service": self.target.service, "probe": self.target.probe}
        return fields if reason is None else fields | {"reason": reason}


_told: dict[Void, float] = {}


def _tell(void: Void) -> None:
    """Log void runs with the reason, but not more often than `TELL_SECONDS`."""
    now = clock()
    if now - _told.get(void, -TELL_SECONDS) >= TELL_SECONDS:
        _told[void] = now
        log.warning(
            "runs are void: %s; exporter_probes_void_total counts them",
            VOID_MEANINGS[void],
            extra={"reason": str(void)},
        )
