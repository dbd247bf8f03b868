"""Filters that quote values for a Dockerfile, so that any text of the catalog is only data there."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_./:@-]+")


def exec_form(arguments: Sequence[str]) -> str:
    """Return JSON in ASCII, which no shell reads and in which Docker replaces no variables."""
    return json.dumps(list(arguments))


def quoted(text: str) -> str:
    """Return the text in double quotes, for LABEL and ARG. A line break cannot be written there and becomes a space."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    escaped = re.sub(r'([\\"$])', r"\\\1", printable)
    return f'"{escaped}"'


def word(text: str) -> str:
    """Return plain text unchanged, and any other text in double quotes."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def default_value(text: str) -> str:
    """Return `=VALUE` for an argument; empty for text with a line break, which must be given at the build."""
    return f"={word(text)}" if text.isprintable() else ""


def shell(text: str) -> str:
    """Return the text, which has one line, as one word of a shell."""
    return shlex.quote(text)


def nginx(text: str) -> str:
    """Return the text as a word of nginx's configuration."""
    escaped = re.sub(r'([\\"])', r"\\\1", text)
    return f'"{escaped}"'
