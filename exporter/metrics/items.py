"""The lines of things that are looked at as a whole: made when a thing has changed, and not at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.metrics.text import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.metrics.family import ItemFamily

T = TypeVar("T")

NONE: tuple[tuple[str, float], ...] = ()


def value(get: Callable[[T], float | None]) -> Callable[[T], Iterable[tuple[str, float]]]:
    """A sampler of one value, or of none where it was not measured."""

    def sample(item: T) -> Iterable[tuple[str, float]]:
        found = get(item)
        return NONE if found is None else (("", found),)

    return sample


class Items(Generic[T]):
    """The lines of all things of one table, by a key of the caller's. `families` is the table."""

    __slots__ = ("_chunks", "families")

    def __init__(self, families: tuple[ItemFamily[T], ...]) -> None:
        self.families = families
        self._chunks: dict[str, tuple[bytes, ...]] = {}

    def set(self, key: str, labels: str, item: T) -> None:
        """Make the lines of a thing; `labels` as text without braces."""
        self._chunks[key] = tuple([_lines(family, labels, item) for family in self.families])

    def discard(self, key: str) -> None:
        """The thing is no more, or nothing is known of it."""
        self._chunks.pop(key, None)

    def clear(self) -> None:
        """Nothing is known of any."""
        self._chunks.clear()

    def chunks(self) -> list[tuple[bytes, ...]]:
        """Of each thing, its lines in each family."""
        return list(self._chunks.values())


def _lines(family: ItemFamily[T], labels: str, item: T) -> bytes:
    name = family.name
    text = ""
    for extra, found in family.sample(item):
        inside = labels + extra if labels else extra[1:]
        text += f"{name}{{{inside}}} {number(found)}\n" if inside else f"{name} {number(found)}\n"
    return text.encode()
