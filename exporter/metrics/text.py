"""Parts of sample lines that are valid both in the Prometheus text format and in OpenMetrics.

Sources: prometheus.io/docs/instrumenting/exposition_formats (0.0.4) and the OpenMetrics specification (1.0.0). In
both, `le` is written as a float and label values are escaped in the same manner.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def label_text(labels: Iterable[tuple[str, str]]) -> str:
    """Return `a="x",b="y"` without braces, so that a sample can add its own labels.

    Both formats are UTF-8, which cannot encode a lone surrogate; it is written as an escape such as `\\udcff`.
    """
    return ",".join(f'{name}="{_valid(value).translate(ESCAPES)}"' for name, value in labels)


def _valid(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def number(value: float) -> str:
    """Return a value with all its digits; an integer without a fraction."""
    if isinstance(value, int):
        return format(value, "d")  # True is 1
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def help_text(text: str) -> str:
    """Return `text` escaped for a HELP line."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")
