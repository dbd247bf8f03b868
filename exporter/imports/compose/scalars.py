"""Scalars as Compose reads them, which is neither YAML 1.1 nor 1.2, and the text that a container gets of each.

Compose is a Go program: `017` and `0o17` are 15, `1_000` is 1000, `no` and `222:22` are text, and a container gets
`1.1` for 1.10 and `1e+06` for 1000000.0.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.yaml_scalars import YamlError, place

if TYPE_CHECKING:
    from exporter.imports.project import Scalar

_PREFIX = "tag:yaml.org,2002:"
_TYPED = frozenset({None, *(_PREFIX + name for name in ("null", "bool", "int", "float", "timestamp"))})
_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((sign + name for sign in ("", "+") for name in (".inf", ".Inf", ".INF")), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_NUMBER_START = frozenset("0123456789.+-")
_MAX_DIGITS = 400
"""No number of Compose is as long; longer ones stay text."""
_INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 10)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?(?:Z|[-+][0-9:]{5})?)?"
)
_INT64, _UINT64 = 2**63, 2**64
_PLAIN_FROM, _PLAIN_TO = -4, 6
"""Powers of ten between which Go writes a number without an exponent."""


class DateText(str):
    """Text without quotes that Compose reads as a date: some of its versions refuse it, others rewrite it."""

    __slots__ = ()


def scalar(event: Any) -> Scalar:
    """Return the value of a scalar's event.

    Raises:
        YamlError: `!!binary` without base 64.
    """
    text: str = event.value
    if event.tag == _PREFIX + "binary":
        return _binary(event)
    if event.tag not in _TYPED or (event.tag is None and not event.implicit[0]):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START or len(text) > _MAX_DIGITS:
        return text
    return DateText(text) if _DATE.fullmatch(text) else _number(text)


def container_text(value: Scalar) -> str | None:
    """Return the text that Compose passes on for a value; None for null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _float_text(value)


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    whole = _INT.fullmatch(digits)
    if whole:
        sign, *groups = whole.groups()
        number, base = next((group, base) for group, base in zip(groups, _BASES, strict=True) if group)
        value = int(number, base) * (-1 if sign == "-" else 1)
        if -_INT64 <= value < (_INT64 if sign else _UINT64):
            return value
    if _FLOAT.fullmatch(digits):
        value_float = float(digits)
        return text if math.isinf(value_float) else value_float
    return text


def _float_text(value: float) -> str:
    """Return Go's `%v`: the shortest digits, with an exponent below 1e-4 and from 1e+06 on."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    number = Decimal(repr(value)).normalize()
    if not value or _PLAIN_FROM <= number.adjusted() < _PLAIN_TO:
        return f"{number:f}"
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):02}"


def _binary(event: Any) -> str:
    try:
        return base64.b64decode("".join(event.value.split()), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        raise YamlError("!!binary takes base64", *place(event)) from None
