"""Text that a person writes, parsed once into a typed value: durations, sizes, percentages, text, patterns.

Each type is an annotation with its parser and its JSON Schema. A parser raises ValueError with one sentence.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from exporter.catalog.values.words import kind, quoted, shown
from exporter.patterns import Pattern, PatternError

if TYPE_CHECKING:
    from collections.abc import Callable


_DURATION_UNITS = {
    unit: Decimal(seconds)
    for unit, seconds in (("ms", "0.001"), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("w", 604800))
}


_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d|w))+")


_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")


_SIZE_UNITS = {
    "": 1, "B": 1,
    "k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4,
    "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4,
}  # fmt: skip


_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kKMGT]i?)?B?")


_PERCENTAGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


MIN_DURATION_SECONDS = Decimal("0.001")
"""A shorter interval would be a busy loop."""


MAX_DURATION_SECONDS = 10 * 365 * 86400


def value_type(parse: Callable[[Any], Any], schema: dict[str, Any], name: str) -> Any:
    """Return an annotation's metadata: how the text is parsed and what an editor should know about it.

    `name`: the type on the reference page.
    """
    return (PlainValidator(parse), WithJsonSchema({**schema, "title": name}))


def parse_duration(value: object) -> float:
    """Parse `15s`, `1m30s`, `250ms` or `7d` into seconds."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a duration; write a number and a unit, such as 250ms, 15s, 1m30s or 7d"
        )
    try:
        parts = [Decimal(number) * _DURATION_UNITS[unit] for number, unit in _DURATION_PART.findall(value)]
        seconds = sum(parts, Decimal(0))
    except ArithmeticError:
        seconds = Decimal(0)
    if not MIN_DURATION_SECONDS <= seconds <= MAX_DURATION_SECONDS:
        raise ValueError(f"{shown(value)} is not a duration between 1ms and 10 years")
    return float(seconds)


def parse_wait(value: object) -> float:
    """Parse a duration, or `0s` or `0`, which means at once."""
    zero = value in (0, "0", "0s") and not isinstance(value, bool)
    return 0.0 if zero else parse_duration(value)


def parse_size(value: object) -> int:
    """Parse `512Mi`, `1G`, `64k` or `100` into bytes."""
    match = (
        _SIZE.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    )
    if not match:
        raise ValueError(f"{shown(value)} is not a size; write a number and a unit, such as 64k, 512Mi or 1G")
    size = Decimal(match[1]) * _SIZE_UNITS[match[2] or ""]
    if not 0 < size < 2**63 or size != int(size):
        raise ValueError(f"{shown(value)} is not a whole number of bytes above 0")
    return int(size)


def parse_percentage(value: object) -> Decimal:
    """Return the number before the sign, exact: 99.9 for `99.9%`."""
    match = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if not match or not 0 <= Decimal(match[1]) <= 100:
        raise ValueError(
            f"{shown(value)} is not a percentage from 0% to 100%; write it with its sign, such as 99.9%"
        )
    return Decimal(match[1])


def parse_text(value: object) -> str:
    """Return text; a number is used as it is written, so `version: 8.0` means 8.0."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bool):
        text = "true" if value else "false"
        raise ValueError(f'expected text, found the boolean {text}; write it in quotes: "{text}"')  # noqa: TRY004 - pydantic collects ValueErrors
    raise ValueError(f"expected text, found {kind(value)}")


def parse_plain(value: object) -> str:
    """Return text as it is written, except that `$${` means `${`, which would begin a reference."""
    return unescaped(parse_text(value))


def unescaped(text: str) -> str:
    """Return `text` with `${` in place of each `$${`."""
    return text.replace("$${", "${")


def parse_regex(value: object) -> str:
    """Check and return a regular expression (RE2), as in Prometheus and blackbox_exporter."""
    pattern = parse_plain(value)
    try:
        Pattern(pattern)
    except PatternError as error:
        raise ValueError(f"{quoted(pattern)} is not a regular expression (RE2): {error}") from None
    return pattern


def parse_json_path(value: object) -> str:
    """Check and return an RFC 9535 query. The library is imported here, because few catalogs need it."""
    from jsonpath_rfc9535 import JSONPathError

    from exporter.json_path import Query

    path = parse_plain(value)
    try:
        Query(path)
    except JSONPathError as error:
        reason = str(error).split(", line", 1)[0]
        raise ValueError(f"{quoted(path)} is not a JSON path (RFC 9535): {reason}") from None
    except ValueError as error:
        raise ValueError(f"{quoted(path)} cannot be used: {error}") from None
    return path


def text_schema(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


def duration_text(seconds: float) -> str:
    """Return the duration in the largest unit of which it is a whole number: `15d` for 1296000."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def size_text(size: int) -> str:
    """Return the size in the largest unit of which it is a whole number: `10Mi` for 10485760."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return str(size)


# The schema shows defaults as a person writes them.
_seconds_as_text = PlainSerializer(duration_text, when_used="json")


_bytes_as_text = PlainSerializer(size_text, when_used="json")


_percent_as_text = PlainSerializer(lambda value: f"{value}%", when_used="json")


Duration = Annotated[
    float,
    *value_type(
        parse_duration,
        text_schema(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$", "15s", "1m30s", "250ms"),
        "duration",
    ),
    _seconds_as_text,
]
"""Seconds."""


Wait = Annotated[
    float,
    *value_type(
        parse_wait,
        {"anyOf": [text_schema(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$", "5m", "0s"), {"const": 0}]},
        "duration",
    ),
    _seconds_as_text,
]
"""Seconds; 0 means at once."""


Size = Annotated[
    int,
    *value_type(
        parse_size,
        {
            "type": ["string", "integer"],
            "pattern": r"^[0-9]+(\.[0-9]+)?([kKMGT]i?)?B?$",
            "examples": ["512Mi", "1G"],
            "minimum": 1,
        },
        "size",
    ),
    _bytes_as_text,
]
"""Bytes."""


Percentage = Annotated[
    Decimal,
    *value_type(parse_percentage, text_schema(r"^[0-9]+(\.[0-9]+)?%$", "99.9%"), "percentage"),
    _percent_as_text,
]
"""The number before the sign, from 0 to 100, exact."""


Text = Annotated[str, *value_type(parse_plain, {"type": ["string", "number"]}, "text")]


Words = Annotated[str, AfterValidator(unescaped)]
"""Like Text, but a number is a mistake."""


Regex = Annotated[str, *value_type(parse_regex, {"type": ["string", "number"]}, "regular expression (RE2)")]


JsonPath = Annotated[str, *value_type(parse_json_path, text_schema(r"^\$", "$.status"), "JSON path")]
