"""Formats for times, durations, sizes and numbers on the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

KIBI = 1024
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Moment(NamedTuple):
    """A time as ISO 8601 for machines, in exact form for users, and as the time since then."""

    iso: str
    exact: str
    ago: str


def moment(at: float | None, now: float) -> Moment | None:
    """Return the time `at`; None for None. Both are seconds since the epoch."""
    if at is None:
        return None
    time = datetime.fromtimestamp(at, UTC)
    return Moment(time.isoformat(timespec="seconds"), f"{time:%Y-%m-%d %H:%M:%S} UTC", span(now - at))


def span(duration: float) -> str:
    """Format a duration with at most its two largest units, never rounded up."""
    whole = max(0, int(duration))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 1:
        return f"{whole} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 and days < 14 else f"{days} d"


def period(duration: float) -> str:
    """Format a configured duration exactly."""
    return f"{duration / 60:g} min" if duration >= 60 and duration % 60 == 0 else f"{duration:g} s"


def seconds(duration: float) -> str:
    """Format a latency with three significant digits."""
    if duration >= 1:
        return f"{duration:.2f} s"
    milliseconds = duration * 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"


def size(count: float) -> str:
    """Format bytes in the catalog's binary units, with three significant digits."""
    unit = 0
    while count >= KIBI and unit < len(UNITS) - 1:
        count /= KIBI
        unit += 1
    return f"{short(count)} {UNITS[unit]}"


def short(number: float) -> str:
    """Format a number with three significant digits, never in exponent form."""
    if number >= 100:
        return f"{number:,.0f}"
    return "<0.01" if 0 < number < 0.01 else f"{number:.3g}"


def counted(count: int, thing: str) -> str:
    """Format a count with its noun: `1 container`, `2,000 containers`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
