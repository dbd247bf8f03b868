"""`command` and `entrypoint`: a list of words, or text that is split as Compose splits it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from exporter.catalog.values.scalars import parse_text
from exporter.catalog.values.texts import Interpolated
from exporter.catalog.values.variables import WRITTEN

_PIECE = re.compile(
    r"""(?P<space>\s+)|'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|\\(?P<escaped>.)"""
    r"""|(?P<plain>[^\s'"\\;|&<>()`]+)|(?P<other>.)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Unsplit(str):
    """Text with references, which Compose splits once it has filled them in: a value may be no word, or several."""

    __slots__ = ()


def split(text: str) -> tuple[str, ...]:
    """Return the words of a text as Compose 2 splits it.

    Raises:
        ValueError: a quote has no end, or the versions of Compose would split it differently.
    """
    words: list[str] = []
    word: str | None = None
    for piece in _PIECE.finditer(text):
        kind, found = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "space":
            words += [] if word is None else [word]
            word = None
        elif kind == "other":
            raise ValueError(_refusal(found))
        else:
            word = (word or "") + (_ESCAPE.sub(r"\1", found) if kind == "double" else found)
    return (*words, *([] if word is None else [word]))


def _refusal(character: str) -> str:
    if character in "'\"\\":
        what = "begins nothing" if character == "\\" else "has no second one"
        return f"cannot be split into words, since a {character} {what}; write a list of words"
    return (
        f"holds {character} outside of quotes, and no shell reads it; write a list of words, "
        'such as [sh, -c, "the whole text"]'
    )


def _words(value: object) -> object:
    """Return a list of words for text; anything else as it is."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return value
    text = parse_text(value)
    words = split(WRITTEN.sub("x", text))
    return (Unsplit(text),) if "${" in text else words


Command = Annotated[
    tuple[Interpolated, ...],
    BeforeValidator(_words, json_schema_input_type=Interpolated | tuple[Interpolated, ...]),
]
"""Words; or a single `Unsplit`."""
