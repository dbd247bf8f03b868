"""Durations and sizes as people write them and programs read them: `1m30s`, `512m`."""

from __future__ import annotations

MINUTE = 60_000
_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_UNITS_WITH_DAYS = (("d", 86_400_000), *_UNITS)


def duration_text(seconds: float) -> str:
    """Return `90.0` as `1m30s`, in whole milliseconds and never 0: Prometheus and Alertmanager take no fractions."""
    return _text(seconds, _UNITS_WITH_DAYS)


def engine_duration(seconds: float) -> str:
    """Return `90.0` as `1m30s` for Docker, Compose and nginx, which have no unit for days."""
    return _text(seconds, _UNITS)


def size_text(size: int) -> str:
    """Return bytes as Docker, Compose and nginx read them: `536870912` as `512m`, in units of 1024."""
    for shift, unit in ((30, "g"), (20, "m"), (10, "k")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def _text(seconds: float, units: tuple[tuple[str, int], ...]) -> str:
    left = max(round(seconds * 1000), 1)
    if left % 1000 and left < MINUTE:
        return f"{left}ms"  # as a person writes 1500ms
    text = ""
    for unit, milliseconds in units:
        count, left = divmod(left, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text
