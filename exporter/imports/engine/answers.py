"""Parts of an engine's answers, taken by type and within limits: anybody can write labels and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

MAX_TEXT = 8192
MAX_ITEMS = 500
_SPACES = frozenset("\n\t")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """An object of an answer. What is missing or null is empty.

    A value of another type, one that is too large and text with control characters are left out: `left_out` gets the
    key.
    """

    content: Mapping[str, object]
    left_out: Callable[[str], None]

    def part(self, key: str) -> Part:
        """Return an object inside."""
        return Part(self._typed(key, dict, {}), self.left_out)

    def parts(self, key: str) -> list[Part]:
        """Return the objects of a list."""
        return [Part(each, self.left_out) for each in self._items(key) if isinstance(each, Mapping)]

    def named(self, key: str) -> dict[str, Part]:
        """Return the objects of a mapping, by name; a null is an empty one."""
        return {
            name: Part(inner if isinstance(inner, Mapping) else {}, self.left_out)
            for name, inner in self._members(key)
        }

    def listed(self, key: str) -> dict[str, list[Part]]:
        """Return the lists of objects of a mapping, by name; a null is an empty one."""
        return {name: self.part(key).parts(name) for name, _ in self._members(key)}

    def text(self, key: str) -> str:
        """Return a text."""
        found = self._typed(key, str, "")
        return found if self._usable(found, key) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list."""
        return tuple(each for each in self._items(key) if isinstance(each, str) and self._usable(each, key))

    def texts_by_name(self, key: str) -> dict[str, str]:
        """Return the texts of a mapping, such as labels."""
        return {
            name: value
            for name, value in self._members(key)
            if isinstance(value, str) and self._usable(value, f"{key} {name}")
        }

    def number(self, key: str) -> int:
        """Return a whole number; 0 if there is none."""
        found = self._typed(key, int, 0)
        return 0 if isinstance(found, bool) or abs(found) >= 1 << 63 else found

    def flag(self, key: str) -> bool:
        """Return a boolean; False if there is none."""
        return self._typed(key, bool, False)

    def _typed(self, key: str, wanted: type[T], empty: T) -> T:
        value = self.content.get(key)
        if isinstance(value, wanted):
            return value
        if value is not None:
            self.left_out(key)
        return empty

    def _items(self, key: str) -> list[object]:
        items: list[object] = self._typed(key, list, [])
        if len(items) > MAX_ITEMS:
            self.left_out(f"{key} after the first {MAX_ITEMS}")
        return items[:MAX_ITEMS]

    def _members(self, key: str) -> list[tuple[str, object]]:
        members = [*self._typed(key, dict, {}).items()]
        if len(members) > MAX_ITEMS:
            self.left_out(f"{key} after the first {MAX_ITEMS}")
        return [(name, value) for name, value in members[:MAX_ITEMS] if self._usable(name, key)]

    def _usable(self, text: str, key: str) -> bool:
        good = len(text) <= MAX_TEXT and (
            text.isprintable() or all(each.isprintable() or each in _SPACES for each in text)
        )
        if not good:
            self.left_out(key)
        return good
