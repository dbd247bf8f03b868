"""The series of one target: its counts, and its lines of every family as they were when its last probe ended."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING

from exporter.metrics.families import PROBE_FAMILIES, Family
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from exporter.probes.base import ProbeResult


@cache
def families_of(protocol: str) -> tuple[Family, ...]:
    """The families that a probe of `protocol` has samples in, in the table's order."""
    return tuple(family for family in PROBE_FAMILIES if protocol in family.protocols)


class Series:
    """What is exported of one target.

    `chunks` holds the lines of each of `families_of(protocol)`; it is replaced whole by `record`, so a scrape sees
    all of a result or nothing of it. It is None until the first probe has ended.
    """

    __slots__ = ("bounds", "chunks", "counts", "failures", "labels", "protocol", "seconds", "successes")

    def __init__(
        self, service: str, probe: str, target: str, protocol: str, bounds: tuple[float, ...]
    ) -> None:
        self.labels = label_text((("service", service), ("probe", probe), ("target", target)))
        self.protocol = protocol
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        """Of successful runs, how many took at most each bound."""
        self.seconds = 0.0
        self.successes = 0
        self.failures = 0
        self.chunks: tuple[bytes, ...] | None = None

    def record(self, result: ProbeResult) -> None:
        """Count a finished run and make its lines."""
        if result.success:
            self.successes += 1
            self.seconds += result.duration_seconds
            counts = self.counts
            for index in range(bisect_left(self.bounds, result.duration_seconds), len(counts)):
                counts[index] += 1
        else:
            self.failures += 1
        self.chunks = tuple(
            [family.sample(family.name, self, result).encode() for family in families_of(self.protocol)]
        )
