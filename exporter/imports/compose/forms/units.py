"""Durations and sizes as Go programs write them: `1m30s`, `512m`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.imports.compose.expressions import by_default, has_variable
from exporter.imports.compose.forms.base import FormError

if TYPE_CHECKING:
    from exporter.imports.project import ModelPath

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_STEP = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|[smhdw])")
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?(?:([kmgtp]?)i?b?)", re.IGNORECASE)
_POWERS = "_kmgtp"


def seconds(text: str | None, path: ModelPath = ()) -> float | None:
    """Return the seconds of a duration, by the default of a variable; None if there is none or it is not known.

    Raises:
        FormError: it is no duration.
    """
    literal = by_default(text or "")
    if not literal:
        return None
    if literal == "0":
        return 0.0
    steps = _STEP.findall(literal)
    if "".join(number + unit for number, unit in steps) != literal:
        raise FormError(f"{quoted(text)} is not a duration such as 30s or 1m30s", path)
    return float(sum(float(number) * _SECONDS[unit] for number, unit in steps))


def size_bytes(text: str | None, path: ModelPath = ()) -> int | None:
    """Return the bytes of a size, by the default of a variable; None if there is none or it is not known.

    Raises:
        FormError: it is no size.
    """
    literal = by_default(text or "")
    if not literal:
        return None
    found = _SIZE.fullmatch(literal)
    if not found:
        if has_variable(text or "") or literal == "-1":
            return None
        raise FormError(f"{quoted(text)} is not a size such as 512m or 2g", path)
    return int(float(found[1]) * 1024 ** _POWERS.index((found[2] or "_").lower()))
