"""Durations as Prometheus and Alertmanager read them, and as Docker and Compose do."""

from __future__ import annotations

_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_UNITS_WITH_DAYS = (("d", 86_400_000), *_UNITS)


def duration_text(seconds: float) -> str:
    """`90.0` as `1m30s`, to the millisecond and never 0: both programs take whole numbers only."""
    return _text(seconds, _UNITS_WITH_DAYS)


def engine_duration(seconds: float) -> str:
    """`90.0` as `1m30s`, the way Docker and Compose read durations: they have no days."""
    return _text(seconds, _UNITS)


def _text(seconds: float, units: tuple[tuple[str, int], ...]) -> str:
    left = max(round(seconds * 1000), 1)
    text = ""
    for unit, milliseconds in units:
        count, left = divmod(left, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text
