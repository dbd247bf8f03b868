"""Samplers: they make the lines of each family from the result of one run.

A sampler is called once per finished run, never per scrape. It receives the target's labels and counts and the
result. It returns whole lines, or empty text if the value was not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.metrics.text import label_text, number
from exporter.probes.families import AddressHash, Outcome, Phase, Phases, Text, Texts, Value

if TYPE_CHECKING:
    from exporter.metrics.counts import Counts
    from exporter.probes.base import ProbeResult
    from exporter.probes.families import Source

Sampler = Callable[[str, "Counts", "ProbeResult"], str]
"""Takes the family's name, the target's counts and the result; returns the lines."""

FNV_OFFSET = 2166136261
FNV_PRIME = 16777619


def success(name: str, target: Counts, result: ProbeResult) -> str:
    return f"{name}{{{target.labels}}} {1 if result.success else 0}\n"


def duration(name: str, target: Counts, result: ProbeResult) -> str:
    return f"{name}{{{target.labels}}} {result.duration_seconds:.6g}\n"


def failure(name: str, target: Counts, result: ProbeResult) -> str:
    return "" if result.success else f'{name}{{{target.labels},reason="{result.reason}"}} 1\n'


def results(name: str, target: Counts, _: ProbeResult) -> str:
    labels = target.labels
    return (
        f'{name}{{{labels},result="success"}} {target.successes}\n'
        f'{name}{{{labels},result="failure"}} {target.failures}\n'
    )


def latency(name: str, target: Counts, _: ProbeResult) -> str:
    labels = target.labels
    lines = [
        f'{name}_bucket{{{labels},le="{bound}"}} {count}\n'
        for bound, count in zip(target.bounds, target.counts, strict=True)
    ]
    total = target.successes
    lines.append(
        f'{name}_bucket{{{labels},le="+Inf"}} {total}\n'
        f"{name}_sum{{{labels}}} {target.seconds!r}\n"
        f"{name}_count{{{labels}}} {total}\n"
    )
    return "".join(lines)


class OfFacts:
    """A sampler whose lines depend only on the facts of the result and change only when they do."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, name: str, target: Counts, result: ProbeResult) -> str:
        value = result.facts.get(self._key)
        return "" if value is None else self.line(name, target.labels, value)

    def line(self, name: str, labels: str, value: float | str) -> str:
        """Return the line of a fact that was measured."""
        raise NotImplementedError


class Fact(OfFacts):
    """A family with the value of one fact."""

    __slots__ = ()

    def line(self, name: str, labels: str, value: float | str) -> str:
        return f"{name}{{{labels}}} {value if isinstance(value, str) else number(value)}\n"


class Info(OfFacts):
    """A family that is 1, with one fact's text as a label."""

    __slots__ = ("_label",)

    def __init__(self, label: str, key: str) -> None:
        super().__init__(key)
        self._label = label

    def line(self, name: str, labels: str, value: float | str) -> str:
        return f"{name}{{{labels},{label_text([(self._label, str(value))])}}} 1\n"


class Infos(OfFacts):
    """A family that is 1, with the text of several facts as labels.

    `labels`: each label and its fact. The first fact is present whenever any of them is.
    """

    __slots__ = ("_labels",)

    def __init__(self, *labels: tuple[str, str]) -> None:
        super().__init__(labels[0][1])
        self._labels = labels

    def __call__(self, name: str, target: Counts, result: ProbeResult) -> str:
        facts = result.facts
        if self._key not in facts:
            return ""
        texts = label_text((label, str(facts.get(key, ""))) for label, key in self._labels)
        return f"{name}{{{target.labels},{texts}}} 1\n"


class Hash(OfFacts):
    """A family with the hash of an address."""

    __slots__ = ()

    def line(self, name: str, labels: str, value: float | str) -> str:
        return f"{name}{{{labels}}} {fnv1a(str(value))}\n"


def phase(key: str) -> Sampler:
    """Return a sampler of the seconds of one phase."""

    def sample(name: str, target: Counts, result: ProbeResult) -> str:
        value = result.phases.get(key)
        return "" if value is None else f"{name}{{{target.labels}}} {value:.6g}\n"

    return sample


def phases(*names: str) -> Sampler:
    """Return a sampler of the seconds of each phase, by the label `phase`."""

    def sample(name: str, target: Counts, result: ProbeResult) -> str:
        found, labels = result.phases, target.labels
        return "".join(
            [f'{name}{{{labels},phase="{key}"}} {found[key]:.6g}\n' for key in names if key in found]
        )

    return sample


OUTCOMES: dict[Outcome, Sampler] = {
    Outcome.SUCCESS: success,
    Outcome.DURATION: duration,
    Outcome.FAILURE: failure,
    Outcome.RESULTS: results,
    Outcome.LATENCY: latency,
}


def sampler_of(source: Source) -> Sampler:
    """Return the sampler of a family with this source."""
    match source:
        case Value():
            return Fact(source.fact)
        case AddressHash():
            return Hash(source.fact)
        case Text():
            return Info(source.label, source.fact)
        case Texts():
            return Infos(*source.facts)
        case Phase():
            return phase(source.name)
        case Phases():
            return phases(*source.names)
        case Outcome():
            return OUTCOMES[source]


@lru_cache(maxsize=16384)
def fnv1a(text: str) -> int:
    """Return the 32-bit FNV-1a hash (draft-eastlake-fnv)."""
    value = FNV_OFFSET
    for byte in text.encode():
        value = (value ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return value
