"""Lines of items that are exported as a whole: made when an item changes, not at each scrape."""

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
    """Return a sampler of one value, without a sample if it was not measured."""

    def sample(item: T) -> Iterable[tuple[str, float]]:
        found = get(item)
        return NONE if found is None else (("", found),)

    return sample


class _Known(NamedTuple):
    """The lines of one item in each family, and the labels and samples they were made from."""

    labels: str
    samples: list[Samples]
    chunks: tuple[bytes, ...]


class Rows(NamedTuple):
    """The lines of one table at one moment."""

    families: tuple[ItemFamily[Any], ...]
    lines: list[tuple[bytes, ...]]

    def chunks(self) -> list[tuple[bytes, ...]]:
        """Return the lines of each item, one entry per family."""
        return self.lines


class Items(Generic[T]):
    """The lines of all items of one table, by a key that the caller chooses. `families` is the table."""

    __slots__ = ("_known", "_newborn", "families")

    def __init__(self, families: tuple[ItemFamily[T], ...]) -> None:
        self.families = families
        self._known: dict[str, _Known] = {}
        self._newborn: set[str] = set()

    def set(self, key: str, labels: str, item: T, *, newborn: bool = False) -> None:
        """Make the lines of an item; `labels` is text without braces.

        `newborn`: no scrape has seen it yet, so its `from_zero` counters are 0 in the first scrape.
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
        """Remove an item that no longer exists or of which nothing is known."""
        self._known.pop(key, None)
        self._newborn.discard(key)

    def clear(self) -> None:
        """Remove all items."""
        self._known.clear()
        self._newborn.clear()

    def keep(self, keys: Collection[str]) -> None:
        """Discard all items except these."""
        for key in self._known.keys() - set(keys):
            self.discard(key)

    def chunks(self) -> list[tuple[bytes, ...]]:
        """Return the lines of each item for one scrape, one entry per family."""
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
        """Return the current lines."""
        return Rows(self.families, self.chunks())


def _renewed(family: ItemFamily[Any], labels: str, samples: Samples, before: Samples, lines: bytes) -> bytes:
    """Return the old lines if the samples are unchanged: most are for hours, and comparing costs half as much."""
    return lines if samples == before else _lines(family, labels, samples)


def _lines(family: ItemFamily[Any], labels: str, samples: Samples) -> bytes:
    name = family.name
    text = ""
    for extra, found in samples:
        inside = labels + extra if labels else extra[1:]
        text += f"{name}{{{inside}}} {number(found)}\n" if inside else f"{name} {number(found)}\n"
    return text.encode()
