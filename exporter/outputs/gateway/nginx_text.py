"""A writer of nginx's configuration, which quotes words so that none can end a directive."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INDENT = "    "
WIDTH = 110

_BARE = re.compile(r"[A-Za-z0-9_./:=@,+~*\[\]|%!-][A-Za-z0-9_./:=@,+~*\[\]|%!$-]*|\$[a-z0-9_]+")
_COMMENT = "#"


@dataclass(frozen=True, slots=True)
class Directive:
    """One line, or a block that contains `items`."""

    words: tuple[str, ...]
    items: tuple[Directive | Comment, ...] | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    text: str


Item = Directive | Comment


def line(*words: str) -> Directive:
    return Directive(words)


def block(words: Iterable[str], *items: Item) -> Directive:
    return Directive(tuple(words), items)


def nginx_text(items: Iterable[Item]) -> str:
    """Return the file's text. nginx reads `$` in a word as a variable, if the directive accepts variables."""
    return "".join(f"{text}\n" for text in _lines(items, 0))


def whole_seconds(seconds: float) -> str:
    """Return a time in whole seconds, rounded up."""
    return f"{ceil(seconds)}s"


def _lines(items: Iterable[Item], depth: int) -> Iterator[str]:
    indent = INDENT * depth
    for item in items:
        if isinstance(item, Comment):
            head = f"{indent}{_COMMENT} "
            printable = "".join(c if c.isprintable() else " " for c in item.text)
            yield from textwrap.wrap(printable, WIDTH, initial_indent=head, subsequent_indent=head)
            continue
        words = " ".join(_word(word) for word in item.words)
        if item.items is None:
            yield f"{indent}{words};"
        else:
            yield f"{indent}{words} {{"
            yield from _lines(item.items, depth + 1)
            yield f"{indent}}}"


def _word(text: str) -> str:
    if _BARE.fullmatch(text):
        return text
    if '"' in text and text.isprintable() and not {"'", "\\"} & set(text):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
