"""Description of the metric families of probes as data: name, help and source of the values.

Each protocol has a table of them in `families.py` of its package. `exporter/metrics/samples.py` makes the lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Literal

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a fact."""

    fact: str
    labels: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class AddressHash:
    """The hash of a fact that is an address."""

    fact: str
    labels: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """1, with the text of a fact as a label."""

    label: str
    fact: str

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label,)


@dataclass(frozen=True, slots=True)
class Texts:
    """1, with the text of several facts as labels. The first fact is present whenever any of them is."""

    facts: tuple[tuple[str, str], ...]
    """Each label and its fact."""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for label, _ in self.facts)


@dataclass(frozen=True, slots=True)
class Phase:
    """The seconds of one phase."""

    name: str
    labels: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Phases:
    """The seconds of each phase."""

    names: tuple[str, ...]
    labels: ClassVar[tuple[str, ...]] = ("phase",)


class Outcome(Enum):
    """Values known for every run. Each member has its labels."""

    SUCCESS = "success", ()
    DURATION = "duration", ()
    FAILURE = "failure", ("reason",)
    RESULTS = "results", ("result",)
    LATENCY = "latency", ()

    labels: tuple[str, ...]

    def __init__(self, _: str, labels: tuple[str, ...]) -> None:
        self.labels = labels


Source = Value | AddressHash | Text | Texts | Phase | Phases | Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A metric family. Protocols that export the same family share the object."""

    name: str
    kind: Kind
    help: str
    source: Source

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels besides `TARGET_LABELS`."""
        return self.source.labels


TARGET_LABELS = ("service", "probe", "target")
"""The labels of every series of a probe."""

COMMON = (
    Family("probe_success", "gauge", "1 if the last probe met every condition.", Outcome.SUCCESS),
    Family("probe_duration_seconds", "gauge", "Duration of the last probe.", Outcome.DURATION),
    Family(
        "probe_failure_info",
        "gauge",
        "Why the last probe failed; absent while it succeeds.",
        Outcome.FAILURE,
    ),
    Family("probe_results_total", "counter", "Finished probes, by result.", Outcome.RESULTS),
    Family(
        "probe_latency_seconds",
        "histogram",
        "Durations of successful probes. Failed probes count only in probe_results_total, so a quick failure never "
        "counts as a fast answer.",
        Outcome.LATENCY,
    ),
)
"""The families of every protocol."""
