"""Counts of one target since the exporter began watching it."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from exporter.probes.base import ProbeResult

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds of `probe_latency_seconds`; the catalog's latency SLOs add their own."""


class Counts:
    """A target's labels, as text without braces, and the counts of its finished runs.

    `counts[i]`: the number of successful runs that took at most `bounds[i]` seconds. `seconds`: their total
    duration.
    """

    __slots__ = ("bounds", "counts", "failures", "labels", "seconds", "successes")

    def __init__(self, service: str, probe: str, target: str, bounds: tuple[float, ...]) -> None:
        self.labels = label_text((("service", service), ("probe", probe), ("target", target)))
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self.seconds = 0.0
        self.successes = 0
        self.failures = 0

    def add(self, result: ProbeResult) -> None:
        """Count a finished run."""
        if not result.success:
            self.failures += 1
            return
        self.successes += 1
        self.seconds += result.duration_seconds
        counts = self.counts
        for index in range(bisect_left(self.bounds, result.duration_seconds), len(counts)):
            counts[index] += 1
