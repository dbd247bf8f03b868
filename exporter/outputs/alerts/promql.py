"""Texts of PromQL, and of the templates in annotations: whatever a person wrote comes out as written."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RE2_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_CALL = re.compile(r"[a-z_]+\([^()]*\)")
"""What needs no brackets of its own."""
OR_BLOCK = 32
"""Operands of `or` in one pair of brackets: each `or` copies its left side, so a chain of a thousand is slow."""
_DIGITS = Decimal("1e-12")
"""Where a quotient has no end, it is cut here: far below what a counter can tell."""


def quote(text: str) -> str:
    """A string of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'


def matcher(label: str, values: Sequence[str]) -> str:
    """A label's matcher for these values and no others; regular expressions of PromQL are anchored."""
    if len(values) == 1:
        return f"{label}={quote(values[0])}"
    return (
        f"{label}=~{quote('|'.join(_RE2_SPECIAL.sub(lambda match: chr(92) + match[0], v) for v in values))}"
    )


def series(metric: str, *matchers: str) -> str:
    """A selector. A name that is none by Prometheus's rules, which a catalog may hold, stands as a matcher."""
    if _METRIC_NAME.fullmatch(metric):
        return f"{metric}{{{','.join(matchers)}}}"
    return f"{{{','.join((f'__name__={quote(metric)}', *matchers))}}}"


def is_metric_name(text: str) -> bool:
    return _METRIC_NAME.fullmatch(text) is not None


def is_label_name(text: str) -> bool:
    return _LABEL_NAME.fullmatch(text) is not None


def number(value: Decimal | Fraction) -> str:
    """A number with all of its digits, without an exponent."""
    if isinstance(value, Fraction):
        value = (Decimal(value.numerator) / value.denominator).quantize(_DIGITS, ROUND_HALF_EVEN)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def literal(text: str) -> str:
    """Text inside a template of an annotation, which must not be read as one."""
    return text.replace("{{", '{{ "{{" }}')


def any_of(operands: Sequence[str]) -> str:
    """Operands of `or`, none of which has a label set of another, so that none is dropped."""
    if len(operands) == 1:
        return operands[0]
    if len(operands) > OR_BLOCK:
        blocks = [operands[start : start + OR_BLOCK] for start in range(0, len(operands), OR_BLOCK)]
        return any_of([any_of(block) for block in blocks])
    return "\nor\n".join(
        operand if _CALL.fullmatch(operand) else f"(\n{indent(operand, '  ')}\n)" for operand in operands
    )
