"""YAML as the generated files have it: stable order, and strings that every parser reads as strings.

Only plain words and quantities such as `512m` stay unquoted. YAML 1.1 and 1.2 parsers disagree about `on`, `1e3`,
`0o17` or `12:30`; quoted, these are text to all of them.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOTICE = "Made by `exporter gen` from the catalog; change the catalog, not this file."
LINE = 110
"""Lists of plain values stand on one line up to this width."""

_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_QUANTITY = re.compile(r"[0-9]+(ms|[smhdkg])([0-9]+(ms|[smh]))*")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True, slots=True)
class Note:
    """A value with a comment above it."""

    text: str
    value: Any


@dataclass(frozen=True, slots=True)
class Block:
    """A mapping with a name, to be merged into others by `Merge`."""

    name: str
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """The keys of a `Block` above, at the place of this value's key, which is `MERGE`."""

    name: str


MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Apart:
    """A mapping whose entries stand apart, with an empty line between them."""

    value: Mapping[str, Any]


def yaml_text(data: Mapping[str, Any] | Apart, *comments: str) -> str:
    """A document of mappings, lists, strings, numbers, booleans and None, under the notice and these comments."""
    lines = [*_comment(NOTICE), *(line for comment in comments for line in _comment(comment))]
    body = ["", *_entries(data.value)] if isinstance(data, Apart) else _mapping(data)
    return "\n".join([*lines, *body]) + "\n"


def _comment(text: str) -> Iterator[str]:
    """Comment lines. Text of a catalog may hold line breaks, which would end the comment."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    yield from textwrap.wrap(printable, LINE, initial_indent="# ", subsequent_indent="# ")


def _mapping(data: Mapping[str, Any]) -> Iterator[str]:
    for key, item in data.items():
        value = item
        if isinstance(item, Note):
            yield from _comment(item.text)
            value = item.value
        if isinstance(value, Merge):
            yield f"{MERGE}: *{value.name}"
            continue
        head = f"{scalar(key)}:"
        if isinstance(value, Block):
            head, value = f"{head} &{value.name}", value.value
        inline = _inline(value)
        if inline is not None and len(head) + len(inline) < LINE:
            yield f"{head} {inline}"
        elif isinstance(value, str):
            first, *rest = _string(value)
            yield f"{head} {first}"
            yield from _indented(rest)
        else:
            yield head
            yield from _indented(_block(value))


def _sequence(data: Sequence[Any]) -> Iterator[str]:
    for item in data:
        value = item
        if isinstance(item, Note):
            yield from _comment(item.text)
            value = item.value
        first, *rest = _block(value)
        yield f"- {first}"
        yield from _indented(rest)


def _block(value: Any) -> Iterator[str]:
    inline = _inline(value)
    if inline is not None:
        yield inline
    elif isinstance(value, str):
        yield from _string(value)
    elif isinstance(value, list | tuple):
        yield from _sequence(value)
    elif isinstance(value, Apart):
        yield from _entries(value.value)
    else:
        yield from _mapping(value)


def _entries(data: Mapping[str, Any]) -> Iterator[str]:
    for index, (key, value) in enumerate(data.items()):
        if index:
            yield ""
        yield from _mapping({key: value})


def _indented(lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {line}" if line else line


def _inline(value: Any) -> str | None:
    """A scalar of one line, a short list of these, or what is empty; None of anything larger."""
    if isinstance(value, list | tuple):
        if any(isinstance(item, dict | list | tuple | Note) for item in value):
            return None
        text = f"[{', '.join(scalar(item) for item in value)}]"
        return text if len(text) <= LINE or not value else None
    if isinstance(value, dict):
        return None if value else "{}"
    if isinstance(value, Apart):
        return None if value.value else "{}"
    if isinstance(value, str) and _is_block(value):
        return None
    return scalar(value)


def scalar(value: object) -> str:
    """One value on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        # Never with an exponent, which YAML 1.1 reads as text unless it holds a dot and a sign.
        return format(Decimal(str(value)), "f")
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} has no YAML form here")
    if _QUANTITY.fullmatch(value) or (_WORD.fullmatch(value) and value.lower() not in _RESERVED):
        return value
    if '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return f'"{"".join(_escaped(character) for character in value)}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_block(text: str) -> bool:
    """Whether text of several lines can stand as it is, below a `|`: parsers keep every character of these."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and all(line and line.isprintable() and line == line.rstrip() for line in lines)
        and not lines[0].startswith(" ")
    )


def _string(text: str) -> Iterator[str]:
    """A string on lines of its own, which the caller indents, if it has several; the first is what follows the key."""
    if not _is_block(text):
        yield scalar(text)
        return
    yield "|" if text.endswith("\n") else "|-"
    yield from text.removesuffix("\n").split("\n")
