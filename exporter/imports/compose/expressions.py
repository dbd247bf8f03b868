"""The `$` of Compose files: parsed into parts, never resolved.

    parse("${HOST:-db}:$PORT")   # (Variable("HOST", ":-", (Text("db"),)), Text(":"), Variable("PORT"))

`$$` is the container's own `$`, and a `$` without a name is text. What no Compose accepts, such as `${1}`, raises
`ExpressionError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NESTING = 20
"""Defaults within defaults."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_BRACE = re.compile(r"[{}]")


class ExpressionError(ValueError):
    """A text with a `$` that Compose refuses. Its text is a sentence without a place."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text as the container gets it: `$$` is one `$` here."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """`$NAME`, or `${NAME}` with an operator and what follows it."""

    name: str
    operator: str = ""
    """`:-` and `-` give a default, `:?` and `?` require a value, `:+` and `+` replace one."""
    operand: Expression = ()

    @property
    def default(self) -> Expression | None:
        """Return the parts of its default; None if it has none."""
        return self.operand if self.operator in _DEFAULT else None


Expression = tuple["Text | Variable", ...]
_DEFAULT = frozenset({":-", "-"})
_REPLACE = frozenset({":+", "+"})


def parse(text: str) -> Expression:
    """Return the parts of a text.

    Raises:
        ExpressionError: Compose refuses it.
    """
    return _parts(text, 0)


def has_variable(text: str) -> bool:
    """True if Compose would replace something in the text, or refuse it."""
    try:
        return any(isinstance(part, Variable) for part in parse(text))
    except ExpressionError:
        return True


def variables(expression: Expression) -> Iterator[Variable]:
    """Yield the variables of an expression, also those in defaults and replacements."""
    for part in expression:
        if isinstance(part, Variable):
            yield part
            yield from variables(part.operand)


def by_default(text: str) -> str | None:
    """Return the text if no variable is set: None if one has neither a default nor a replacement."""
    try:
        return _by_default(parse(text))
    except ExpressionError:
        return None


def braced_spans(text: str) -> list[tuple[int, int]]:
    """Return where each `${…}` begins and ends; not those within others."""
    spans, index = [], 0
    while (index := text.find("$", index)) >= 0:
        if text.startswith("${", index):
            end = _closing(text, index) + 1
            if end <= index:
                break
            spans.append((index, end))
            index = end
        else:
            index += 2 if text.startswith("$$", index) else 1
    return spans


def split(text: str, separator: str) -> list[str]:
    """Split a text at a separator of one character, except within `${…}`."""
    pieces, start = [""], 0
    for begin, end in [*braced_spans(text), (len(text), len(text))]:
        first, *others = text[start:begin].split(separator)
        pieces[-1] += first
        pieces += others
        pieces[-1] += text[begin:end]
        start = end
    return pieces


def _by_default(expression: Expression) -> str | None:
    found = []
    for part in expression:
        if isinstance(part, Text):
            found.append(part.text)
        elif part.operator in _REPLACE:
            continue
        else:
            inner = None if part.default is None else _by_default(part.default)
            if inner is None:
                return None
            found.append(inner)
    return "".join(found)


def _parts(text: str, nesting: int) -> Expression:
    if nesting > MAX_NESTING:
        raise ExpressionError(f"variables are nested more than {MAX_NESTING} deep")
    parts: list[Text | Variable] = []
    literal: list[str] = []
    index = 0
    while (found := text.find("$", index)) >= 0:
        literal.append(text[index:found])
        variable: Variable | None = None
        if text.startswith("$$", found):
            literal.append("$")
            index = found + 2
        elif text.startswith("${", found):
            variable, index = _braced(text, found, nesting)
        elif name := _NAME.match(text, found + 1):
            variable, index = Variable(name[0]), name.end()
        else:
            literal.append("$")
            index = found + 1
        if variable:
            parts += [*_text(literal), variable]
            literal = []
    literal.append(text[index:])
    return (*parts, *_text(literal))


def _text(literal: list[str]) -> list[Text]:
    joined = "".join(literal)
    return [Text(joined)] if joined else []


def _braced(text: str, start: int, nesting: int) -> tuple[Variable, int]:
    """Return the variable whose `${` is at `start`, and where the text goes on."""
    end = _closing(text, start)
    inner = text[start + 2 : end]
    name = _NAME.match(inner)
    rest = inner[name.end() :] if name else ""
    operator = _OPERATOR.match(rest)
    if not name or end < 0 or (rest and not operator):
        # What follows the name may be a secret's default, so it is not shown.
        begun = quoted(f"${{{name[0] if name else ''}…")
        raise ExpressionError(
            f"{begun} is not ${{NAME}} or ${{NAME:-default}}; write $$ for a $ of the container"
        )
    if not operator:
        return Variable(name[0]), end + 1
    return Variable(name[0], operator[0], _parts(rest[operator.end() :], nesting + 1)), end + 1


def _closing(text: str, start: int) -> int:
    """Return the index of the brace that closes the one at `start` + 1; the last brace where they do not pair up."""
    depth = 0
    for found in _BRACE.finditer(text, start):
        depth += 1 if found[0] == "{" else -1
        if not depth:
            return found.start()
    return text.rfind("}", start)
