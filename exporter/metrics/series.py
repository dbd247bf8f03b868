"""Series of one target: its counts, and its lines in each family as of its last finished probe."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from exporter.metrics.counts import Counts
from exporter.metrics.samples import OfFacts, sampler_of
from exporter.probes.families import COMMON
from exporter.probes.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.metrics.samples import Sampler
    from exporter.probes.base import ProbeResult
    from exporter.probes.families import Family


class Row(NamedTuple):
    """A family's name and its sampler."""

    name: str
    sample: Sampler


@cache
def families_of(protocol: str) -> tuple[Family, ...]:
    """Return the families that a probe of `protocol` exports."""
    return (*COMMON, *PROTOCOLS[protocol].families)


@cache
def rows_of(protocol: str) -> tuple[Row, ...]:
    """Return a row for each of `families_of(protocol)`."""
    return tuple(Row(family.name, sampler_of(family.source)) for family in families_of(protocol))


@cache
def changing_of(protocol: str) -> tuple[tuple[int, Row], ...]:
    """Return the rows whose lines change with every run, each with its index."""
    return tuple((at, row) for at, row in enumerate(rows_of(protocol)) if not isinstance(row.sample, OfFacts))


class Series(Counts):
    """The exported series of one target.

    `chunks` holds the lines of each of `families_of(protocol)`. `record` replaces it as a whole, so a scrape never
    sees a partial result. It is None until the first probe has ended.
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
                [sample(name, self, result).encode() for name, sample in rows_of(self.protocol)]
            )
            return
        chunks = list(self.chunks)
        for index, (name, sample) in changing_of(self.protocol):
            chunks[index] = sample(name, self, result).encode()
        self.chunks = tuple(chunks)

    def forget(self) -> None:
        """Export nothing until the next result; the counts are kept."""
        self.chunks = self._facts = None
