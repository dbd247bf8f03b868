"""Texts with a `$`: Compose's and the catalog's ways differ.

Compose fills in `$NAME` and `${NAME:-default}`, and `$$` is a `$`. The catalog has `${NAME}`, `${NAME:-default}` and
`${NAME:?message}` without anything nested, and `$${` for the characters `${`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.reading.warnings import is_secret
from exporter.imports.compose.expressions import ExpressionError, Text, Variable, by_default, parse
from exporter.imports.masking import masked

if TYPE_CHECKING:
    from exporter.imports.compose.expressions import Expression

_REPLACING = (":+", "+")


def catalog_text(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a text of Compose as the catalog writes it; and the names of variables that lost something, and what."""
    left: list[tuple[str, str]] = []
    return "".join(_piece(part, left) for part in parse(text)), tuple(left)


def only_variable(text: str) -> str | None:
    """Return the name of the variable that is the whole text; None if it is something else."""
    parts = parse(text)
    if len(parts) == 1 and isinstance(parts[0], Variable) and parts[0].operator not in _REPLACING:
        return parts[0].name
    return None


def literal(text: str) -> str:
    """Return a text with the defaults of its variables; with their names where there is none."""
    known = by_default(text)
    return (
        known
        if known is not None
        else "".join(
            part.text if isinstance(part, Text) else by_default(f"{_written(part)}") or ""
            for part in parse(text)
        )
    )


def hidden_in_default(text: str) -> bool:
    """True if a secret shows once variables have their defaults, or the text has a `$` that Compose refuses."""
    try:
        parts = parse(text)
    except ExpressionError:
        return True
    if not any(isinstance(part, Variable) and part.operand for part in parts):
        return False
    found: list[str] = []

    def hide(name: str) -> str:
        found.append(name)
        return ""

    masked("".join(map(_by_default, parts)), hide)
    return bool(found)


def _by_default(part: Text | Variable) -> str:
    """Return a part with the text that would be written: also what replaces a variable, and messages."""
    if isinstance(part, Text):
        return part.text
    text = "".join(map(_by_default, part.operand))
    return "" if part.operator in _REPLACING or is_secret(part.name, text) else text


def _written(part: Variable) -> str:
    return f"${{{part.name}{part.operator}{''.join(map(_source, part.operand))}}}"


def _source(part: Text | Variable) -> str:
    """Return a part as a Compose file has it."""
    return part.text.replace("$", "$$") if isinstance(part, Text) else _written(part)


def _piece(part: Text | Variable, left: list[tuple[str, str]]) -> str:
    if isinstance(part, Text):
        return part.text.replace("${", "$${")
    what = "the text in its place" if part.operator in _REPLACING else "the default"
    operand = _operand(part.operand)
    if not part.operator:
        return f"${{{part.name}}}"
    if operand is None or part.operator in _REPLACING:
        left.append((part.name, what))
        return f"${{{part.name}}}"
    if part.default is not None and is_secret(part.name, operand):
        left.append((part.name, "the default, which is a secret,"))
        return f"${{{part.name}}}"
    return f"${{{part.name}{part.operator}{operand}}}"


def _operand(expression: Expression) -> str | None:
    """Return a default without variables; None if it cannot be written in the catalog."""
    text = by_default("".join(map(_source, expression)))
    return None if text is None or set(text) & set("${}") else text
