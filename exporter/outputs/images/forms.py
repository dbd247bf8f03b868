"""Values in the forms that a Dockerfile has for them, so that any text of the catalog is data there."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_./:@-]+")


def exec_form(arguments: Sequence[str]) -> str:
    """JSON in ASCII: no shell reads it, and Docker replaces no variables in it."""
    return json.dumps(list(arguments))


def quoted(text: str) -> str:
    """In double quotes, for LABEL and ARG, which replace variables. Dockerfiles have no form for a line break there."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    escaped = re.sub(r'([\\"$])', r"\\\1", printable)
    return f'"{escaped}"'


def word(text: str) -> str:
    """As it is where that is plain, and else in double quotes."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def default_value(text: str) -> str:
    """`=VALUE` after the name of an argument. A line break has no form: such a value is given at the build."""
    return f"={word(text)}" if text.isprintable() else ""


def shell(text: str) -> str:
    """One word of a shell; of a text that stands on one line."""
    return shlex.quote(text)


def nginx(text: str) -> str:
    """A word of nginx's configuration."""
    escaped = re.sub(r'([\\"])', r"\\\1", text)
    return f'"{escaped}"'
