"""The series of one target: its counts, and its lines of every family as they were when its last probe ended."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from exporter.metrics.counts import Counts
from exporter.metrics.families import PROBE_FAMILIES
from exporter.metrics.samples import OfFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.metrics.family import Family
    from exporter.probes.base import ProbeResult


@cache
def families_of(protocol: str) -> tuple[Family, ...]:
    """The families that a probe of `protocol` has samples in, in the table's order."""
    return tuple(family for family in PROBE_FAMILIES if protocol in family.protocols)


@cache
def changing_of(protocol: str) -> tuple[tuple[int, Family], ...]:
    """Of those families, the ones whose lines change with every run, each with its place."""
    families = enumerate(families_of(protocol))
    return tuple((index, family) for index, family in families if not isinstance(family.sample, OfFacts))


class Series(Counts):
    """What is exported of one target.

    `chunks` holds the lines of each of `families_of(protocol)`; it is replaced whole by `record`, so a scrape sees
    all of a result or nothing of it. It is None until the first probe has ended.
    """

    __slots__ = ("_facts", "chunks", "protocol")

    def __init__(
        self, service: str, probe: str, target: str, protocol: str, bounds: tuple[float, ...]
    ) -> None:
        super().__init__(service, probe, target, bounds)
        self.protocol = protocol
        self.chunks: tuple[bytes, ...] | None = None
        self._facts: Mapping[str, float | str] | None = None

    def record(self, result: ProbeResult) -> None:
        """Count a finished run and make its lines."""
        self.add(result)
        if self.chunks is None or result.facts != self._facts:
            self._facts = result.facts
            self.chunks = tuple(
                [family.sample(family.name, self, result).encode() for family in families_of(self.protocol)]
            )
            return
        chunks = list(self.chunks)
        for index, family in changing_of(self.protocol):
            chunks[index] = family.sample(family.name, self, result).encode()
        self.chunks = tuple(chunks)

    def forget(self) -> None:
        """Export nothing until the next result; the counts go on from where they are."""
        self.chunks = self._facts = None
