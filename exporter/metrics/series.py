"""The series of one target: its counts, and its lines of every family as they were when its last probe ended."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from exporter.metrics.counts import Counts
from exporter.metrics.families import PROBE_FAMILIES, Family

if TYPE_CHECKING:
    from exporter.probes.base import ProbeResult


@cache
def families_of(protocol: str) -> tuple[Family, ...]:
    """The families that a probe of `protocol` has samples in, in the table's order."""
    return tuple(family for family in PROBE_FAMILIES if protocol in family.protocols)


class Series(Counts):
    """What is exported of one target.

    `chunks` holds the lines of each of `families_of(protocol)`; it is replaced whole by `record`, so a scrape sees
    all of a result or nothing of it. It is None until the first probe has ended.
    """

    __slots__ = ("chunks", "protocol")

    def __init__(
        self, service: str, probe: str, target: str, protocol: str, bounds: tuple[float, ...]
    ) -> None:
        super().__init__(service, probe, target, bounds)
        self.protocol = protocol
        self.chunks: tuple[bytes, ...] | None = None

    def record(self, result: ProbeResult) -> None:
        """Count a finished run and make its lines."""
        self.add(result)
        self.chunks = tuple(
            [family.sample(family.name, self, result).encode() for family in families_of(self.protocol)]
        )
