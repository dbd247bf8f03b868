"""Quoting for PromQL and for templates in annotations, so that text of the catalog stays as written."""

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
"""An expression that needs no brackets."""
OR_BLOCK = 32
"""The maximum of operands of `or` in one pair of brackets: each `or` copies its left side, so long chains are slow."""
_DIGITS = Decimal("1e-12")
"""The precision of quotients: far finer than that of any counter."""


def quote(text: str) -> str:
    """Return a PromQL string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'


def matcher(label: str, values: Sequence[str]) -> str:
    """Return a matcher for exactly these values; PromQL's regular expressions are anchored."""
    if len(values) == 1:
        return f"{label}={quote(values[0])}"
    return (
        f"{label}=~{quote('|'.join(_RE2_SPECIAL.sub(lambda match: chr(92) + match[0], v) for v in values))}"
    )


def series(metric: str, *matchers: str) -> str:
    """Return a selector. A metric name that is not valid in PromQL, but allowed in a catalog, becomes a matcher."""
    if _METRIC_NAME.fullmatch(metric):
        return f"{metric}{{{','.join(matchers)}}}"
    return f"{{{','.join((f'__name__={quote(metric)}', *matchers))}}}"


def is_metric_name(text: str) -> bool:
    return _METRIC_NAME.fullmatch(text) is not None


def is_label_name(text: str) -> bool:
    return _LABEL_NAME.fullmatch(text) is not None


def number(value: Decimal | Fraction) -> str:
    """Return a number with all its digits, without an exponent."""
    if isinstance(value, Fraction):
        value = (Decimal(value.numerator) / value.denominator).quantize(_DIGITS, ROUND_HALF_EVEN)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def literal(text: str) -> str:
    """Return text that a template in an annotation leaves as it is."""
    return text.replace("{{", '{{ "{{" }}')


def any_of(operands: Sequence[str]) -> str:
    """Join operands by `or`. Their label sets must be disjoint, or `or` would drop series."""
    if len(operands) == 1:
        return operands[0]
    if len(operands) > OR_BLOCK:
        blocks = [operands[start : start + OR_BLOCK] for start in range(0, len(operands), OR_BLOCK)]
        return any_of([any_of(block) for block in blocks])
    return "\nor\n".join(
        operand if _CALL.fullmatch(operand) else f"(\n{indent(operand, '  ')}\n)" for operand in operands
    )
