"""Merges two values as Compose does: of two files, of a service and its base, or of an include.

Mappings merge key by key, lists are joined, and the rest is replaced. `_RULES` lists what Compose does otherwise.
`!reset` removes and `!override` replaces what came before. A removed key stays in the tree as a value with the tag
until `settled`, because the same tag also acts on files that are merged later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.imports.compose.scalars import DateText, container_text
from exporter.imports.compose.tree import OVERRIDE, RESET
from exporter.imports.project import Note, Value, mistake

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.imports.project import ModelPath, Place

MAX_MERGED = 500_000
"""Values that merging may produce: a thousand services that each extend one of 400 values fit."""

_ANY = "*"
_DATE = "Compose reads this as a date, and some versions reject dates; write it in quotes"


class Merger:
    """Merges values, within one limit for a whole project."""

    def __init__(self) -> None:
        self._merged = 0

    def merge(self, base: Value, over: Value, path: ModelPath = ()) -> Value:
        """Return `over` laid on `base`.

        Raises:
            SourceError: one is a list and the other a mapping, or the result is too large.
        """
        if over.tag in (RESET, OVERRIDE) or base.tag == RESET:
            return over
        rule = _rule(path)
        merged = rule(self, base, over, path) if rule else self.generic(base, over, path)
        return Value(merged.content, merged.place, over.tag)

    def generic(self, base: Value, over: Value, path: ModelPath) -> Value:
        """Merge as Compose does where it has no special rule."""
        if over.content is None:
            return base
        if isinstance(base.content, dict):
            return self.mappings(base, over, path)
        if isinstance(base.content, list):
            if not isinstance(over.content, list):
                raise _disagree(base, over, path)
            return self.joined(base, base.content, over.content)
        return over

    def mappings(self, base: Value, over: Value, path: ModelPath) -> Value:
        """Merge two mappings key by key."""
        if not isinstance(base.content, dict) or not isinstance(over.content, dict):
            raise _disagree(base, over, path)
        self.count(len(base.content) + len(over.content), over.place)
        merged = dict(base.content)
        for key, value in over.content.items():
            known = merged.get(key)
            merged[key] = value if known is None else self.merge(known, value, (*path, key))
        return Value(merged, base.place)

    def joined(self, base: Value, first: list[Value], second: list[Value]) -> Value:
        """Join two lists."""
        self.count(len(first) + len(second), base.place)
        return Value([*first, *second], base.place)

    def count(self, values: int, place: Place) -> None:
        """Raise when the limit is reached."""
        self._merged += values
        if self._merged > MAX_MERGED:
            raise mistake(f"merging the files produces more than {MAX_MERGED} values", place)


def settled(value: Value, notes: list[Note]) -> Value:
    """Return a value without what was reset and without tags. Unknown tags are noted."""
    made: dict[int, dict[str, Value] | list[Value]] = {}
    unknown: set[str] = set()

    def settle(inner: Value, path: ModelPath) -> Value:
        if inner.tag and inner.tag not in (RESET, OVERRIDE) and inner.tag not in unknown:
            unknown.add(inner.tag)
            # The tag is not shown: a password that begins with ! and has no quotes is one.
            notes.append(
                Note("a tag that begins with ! is ignored, as Compose ignores it", path, inner.place)
            )
        content = inner.content
        if isinstance(content, DateText):
            notes.append(Note(_DATE, path, inner.place))
            content = str(content)
        if not isinstance(content, dict | list):
            return Value(content, inner.place)
        known = made.get(id(content))
        if known is None:
            known = made[id(content)] = (
                {key: settle(child, (*path, key)) for key, child in content.items() if child.tag != RESET}
                if isinstance(content, dict)
                else [settle(child, (*path, i)) for i, child in enumerate(content) if child.tag != RESET]
            )
        return Value(known, inner.place)

    return settle(value, ())


def _replace(_merger: Merger, _base: Value, over: Value, _path: ModelPath) -> Value:
    return over


def _pairs(merger: Merger, base: Value, over: Value, path: ModelPath) -> Value:
    """Merge what may be a mapping, a list of `key=value` or one text: by key, where both are mappings."""
    if over.content is None:
        return base
    if base.content is None:
        return over
    if isinstance(base.content, dict) and isinstance(over.content, dict):
        merger.count(len(base.content) + len(over.content), over.place)
        return Value({**base.content, **over.content}, base.place)
    return merger.joined(base, _sequence(base, base, over, path), _sequence(over, base, over, path))


def _hosts(merger: Merger, base: Value, over: Value, path: ModelPath) -> Value:
    """Merge `extra_hosts`, where a name may have several addresses: only an equal line is dropped."""
    first, second = _sequence(base, base, over, path), _sequence(over, base, over, path)
    known = [item.content for item in first]
    return merger.joined(base, first, [item for item in second if item.content not in known])


def _sequence(value: Value, base: Value, over: Value, path: ModelPath) -> list[Value]:
    content = value.content
    if content is None:
        return []
    if isinstance(content, list):
        return content
    if isinstance(content, str):
        return [value]
    if not isinstance(content, dict):
        raise _disagree(base, over, path)
    found = []
    for key, child in content.items():
        inner = child.content
        for item in inner if isinstance(inner, list) else [child]:
            if isinstance(item.content, dict | list):
                raise _disagree(base, over, path)
            text = container_text(item.content)
            found.append(Value(key if text is None else f"{key}={text}", item.place))
    return found


def _build(merger: Merger, base: Value, over: Value, path: ModelPath) -> Value:
    return merger.mappings(_as_build(base), _as_build(over), path)


def _as_build(value: Value) -> Value:
    if value.content is None:
        return Value({}, value.place)
    return Value({"context": value}, value.place) if isinstance(value.content, str) else value


def _named(default: dict[str, str | bool]) -> Callable[[Merger, Value, Value, ModelPath], Value]:
    """Return the rule of what is a list of names or a mapping of them. `default`: what a name in a list means."""

    def as_mapping(value: Value) -> Value:
        if value.content is None:
            return Value({}, value.place)
        if not isinstance(value.content, list):
            return value
        names: dict[str, Value] = {}
        for item in value.content:
            options = {key: Value(inner, item.place) for key, inner in default.items()}
            names[str(item.content)] = Value(options or None, item.place)
        return Value(names, value.place)

    def rule(merger: Merger, base: Value, over: Value, path: ModelPath) -> Value:
        return merger.mappings(as_mapping(base), as_mapping(over), path)

    return rule


def _logging(merger: Merger, base: Value, over: Value, path: ModelPath) -> Value:
    """Merge options only for the same driver."""
    if over.content is None:
        return base
    first, second = base.child("driver"), over.child("driver")
    if first and second and first.content != second.content:
        return over
    return merger.generic(base, over, path)


def _subnets(merger: Merger, base: Value, over: Value, path: ModelPath) -> Value:
    """Merge address ranges of a network by their subnet."""
    if not isinstance(base.content, list) or not isinstance(over.content, list):
        return merger.generic(base, over, path)
    merged = list(base.content)
    for value in over.content:
        subnet = value.child("subnet")
        same = [i for i, known in enumerate(merged) if subnet and _content(known, "subnet") == subnet.content]
        if same:
            merged[same[0]] = merger.mappings(merged[same[0]], value, path)
        else:
            merged.append(value)
    return Value(merged, base.place)


def _content(value: Value, key: str) -> object:
    child = value.child(key)
    return child.content if child else None


_DEPENDENCY: dict[str, str | bool] = {"condition": "service_started", "required": True}
_SERVICE_PAIRS = (
    "annotations build.args build.additional_contexts build.labels deploy.labels dns dns_opt dns_search env_file "
    "label_file environment labels sysctls tmpfs"
)
_RULES: dict[str, Callable[[Merger, Value, Value, ModelPath], Value]] = {
    **{f"services.*.{key}": _pairs for key in _SERVICE_PAIRS.split()},
    "networks.*.labels": _pairs,
    "volumes.*.labels": _pairs,
    "networks.*.ipam.config": _subnets,
    "services.*.build": _build,
    "services.*.build.extra_hosts": _hosts,
    "services.*.command": _replace,
    "services.*.depends_on": _named(_DEPENDENCY),
    "services.*.entrypoint": _replace,
    "services.*.extra_hosts": _hosts,
    "services.*.healthcheck.test": _replace,
    "services.*.logging": _logging,
    "services.*.models": _named({}),
    "services.*.networks": _named({}),
    "services.*.ulimits.*": _replace,
}
_BY_PARTS = {tuple(pattern.split(".")): rule for pattern, rule in _RULES.items()}
_LONGEST = max(map(len, _BY_PARTS))


def _rule(path: ModelPath) -> Callable[[Merger, Value, Value, ModelPath], Value] | None:
    """Return the rule of a path: the second part is the name of a service, network or volume, as may be the fourth."""
    if not 2 < len(path) <= _LONGEST:
        return None
    exact = (str(path[0]), _ANY, *(str(part) for part in path[2:]))
    return _BY_PARTS.get(exact) or _BY_PARTS.get((*exact[:-1], _ANY))


def _disagree(base: Value, over: Value, path: ModelPath) -> Exception:
    sentence = (
        f"{_kind(over)} cannot be merged with {_kind(base)} at {base.place}; write both in the same form"
    )
    return mistake(sentence, over.place, path)


def _kind(value: Value) -> str:
    return (
        "a mapping"
        if isinstance(value.content, dict)
        else "a list"
        if isinstance(value.content, list)
        else "a single value"
    )
