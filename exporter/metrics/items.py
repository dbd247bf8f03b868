"""The lines of things that are looked at as a whole: made when a thing has changed, and not at each scrape."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from exporter.metrics.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from exporter.metrics.family import ItemFamily

    Samples = Iterable[tuple[str, float]]

T = TypeVar("T")

NONE: tuple[tuple[str, float], ...] = ()


def value(get: Callable[[T], float | None]) -> Callable[[T], Iterable[tuple[str, float]]]:
    """A sampler of one value, or of none where it was not measured."""

    def sample(item: T) -> Iterable[tuple[str, float]]:
        found = get(item)
        return NONE if found is None else (("", found),)

    return sample


class _Known(NamedTuple):
    """Of one thing: its lines in each family, and what they were made of."""

    labels: str
    samples: list[Samples]
    chunks: tuple[bytes, ...]


class Rows(NamedTuple):
    """The lines of one table at one moment."""

    families: tuple[ItemFamily[Any], ...]
    lines: list[tuple[bytes, ...]]

    def chunks(self) -> list[tuple[bytes, ...]]:
        """Of each thing, its lines in each family."""
        return self.lines


class Items(Generic[T]):
    """The lines of all things of one table, by a key of the caller's. `families` is the table."""

    __slots__ = ("_known", "_newborn", "families")

    def __init__(self, families: tuple[ItemFamily[T], ...]) -> None:
        self.families = families
        self._known: dict[str, _Known] = {}
        self._newborn: set[str] = set()

    def set(self, key: str, labels: str, item: T, *, newborn: bool = False) -> None:
        """Make the lines of a thing; `labels` as text without braces.

        `newborn`: no scrape can have seen it, so its counters that are `from_zero` are 0 in the first one.
        """
        samples = [family.sample(item) for family in self.families]
        known = self._known.get(key)
        if known is None or known.labels != labels:
            chunks = map(_lines, self.families, repeat(labels), samples)
        else:
            chunks = map(_renewed, self.families, repeat(labels), samples, known.samples, known.chunks)
        if newborn and known is None:
            self._newborn.add(key)
        self._known[key] = _Known(labels, samples, tuple(chunks))

    def discard(self, key: str) -> None:
        """The thing is no more, or nothing is known of it."""
        self._known.pop(key, None)
        self._newborn.discard(key)

    def clear(self) -> None:
        """Nothing is known of any."""
        self._known.clear()
        self._newborn.clear()

    def keep(self, keys: Collection[str]) -> None:
        """Discard all things but these."""
        for key in self._known.keys() - set(keys):
            self.discard(key)

    def chunks(self) -> list[tuple[bytes, ...]]:
        """Return each thing's lines in each family, for one scrape."""
        newborn, self._newborn = self._newborn, set()
        return [
            self._at_birth(known) if key in newborn else known.chunks for key, known in self._known.items()
        ]

    def _at_birth(self, known: _Known) -> tuple[bytes, ...]:
        return tuple(
            _lines(family, known.labels, [(extra, 0) for extra, _ in samples]) if family.from_zero else lines
            for family, samples, lines in zip(self.families, known.samples, known.chunks, strict=True)
        )

    def rows(self) -> Rows:
        """The lines of this moment."""
        return Rows(self.families, self.chunks())


def _renewed(family: ItemFamily[Any], labels: str, samples: Samples, before: Samples, lines: bytes) -> bytes:
    """Most numbers of a thing stay as they are for hours, and to compare them costs half of making their lines."""
    return lines if samples == before else _lines(family, labels, samples)


def _lines(family: ItemFamily[Any], labels: str, samples: Samples) -> bytes:
    name = family.name
    text = ""
    for extra, found in samples:
        inside = labels + extra if labels else extra[1:]
        text += f"{name}{{{inside}}} {number(found)}\n" if inside else f"{name} {number(found)}\n"
    return text.encode()
