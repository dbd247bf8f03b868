"""`${NAME}` with a default or a message, as in Compose: the same in the daemon and in generated files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from exporter.catalog.values.secret_text import EnvironmentReference, SecretError

HOW = (
    "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${NAME:+text}, or $${ for the characters themselves"
)
WRITTEN = re.compile(r"\$\{[^}]*\}")
"""A reference as it is written."""
_PIECE = re.compile(rf"{WRITTEN.pattern}|.", re.DOTALL)
_BRACKETS = re.compile(rf"{WRITTEN.pattern}|\[[^\]]*\]|.", re.DOTALL)
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^${}]*))?")


@dataclass(frozen=True, slots=True)
class Variable(EnvironmentReference):
    """A variable with an operator: `-` gives a default if it is not set, `?` a message, `+` another text if it is set;
    with a colon, an empty one counts as not set.
    """

    operator: str = ""
    word: str = ""
    """The default, the message or the other text."""

    @property
    def default(self) -> str | None:
        return self.word if self.operator.endswith("-") else None

    @property
    def usual(self) -> str | None:
        """Return the text without the variable: the default, or nothing for `+`; None if there has to be a value."""
        return "" if self.operator.endswith("+") else self.default

    def read(self) -> str:
        """Return the value, or the default.

        Raises:
            SecretError: there is no value and no default.
        """
        value = os.environ.get(self.name)
        if self.operator.endswith("+"):
            return self.word if value or (value is not None and self.operator == "+") else ""
        if value or (value is not None and not self.operator.startswith(":")):
            return value
        if self.default is not None:
            return self.default
        state = "is empty" if value is not None else "is not set"
        raise SecretError(f"environment variable {self.name} {state}{f': {self.word}' if self.word else ''}")


def parse_variable(inside: str) -> EnvironmentReference:
    """Parse what is between the braces of `${…}`.

    Raises:
        ValueError: it is not a reference. The message does not repeat it: it may be a secret.
    """
    match = _INSIDE.fullmatch(inside)
    if not match:
        raise ValueError(f"${{…}} must hold the name of an environment variable and nothing else; {HOW}")
    name, operator, word = match.groups()
    return Variable(name, operator, word) if operator else EnvironmentReference(name)


def fields(text: str, separator: str = ":", *, brackets: bool = False) -> list[str]:
    """Return what is between the separators that are in no reference and, with `brackets`, in no `[…]`."""
    found = [""]
    for piece in (_BRACKETS if brackets else _PIECE).findall(text):
        if piece == separator:
            found.append("")
        else:
            found[-1] += piece
    return found
