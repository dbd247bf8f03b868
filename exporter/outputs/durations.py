"""Durations as Prometheus and Alertmanager read them."""

from __future__ import annotations

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def duration_text(seconds: float) -> str:
    """`90.0` as `1m30s`, to the millisecond and never 0: both programs take whole numbers only."""
    left = max(round(seconds * 1000), 1)
    text = ""
    for unit, milliseconds in _UNITS:
        count, left = divmod(left, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text
