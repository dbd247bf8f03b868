"""Maintenance windows as Alertmanager's time intervals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.maintenance import Maintenance

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MIDNIGHT = 1440


@dataclass(frozen=True, slots=True)
class MuteTime:
    """A named interval, and its services; empty means all."""

    name: str
    services: frozenset[str]
    interval: dict[str, Any]


def mute_times(catalog: Catalog) -> list[MuteTime]:
    """Return the intervals of all windows. Names must be unique, so windows with the same name are numbered."""
    shared = {name for name, count in Counter(w.name for w in catalog.maintenance).items() if count > 1}
    seen: Counter[str] = Counter()
    times = []
    for window in catalog.maintenance:
        seen[window.name] += 1
        # No name in the catalog contains a #, so a numbered name is unique.
        name = f"{window.name}#{seen[window.name]}" if window.name in shared else window.name
        interval = {"name": name, "time_intervals": _specs(window)}
        times.append(MuteTime(name, frozenset(window.services), interval))
    return times


def _specs(window: Maintenance) -> list[dict[str, Any]]:
    """Return Alertmanager's intervals, which end by 24:00: a window over midnight becomes two."""
    days, start, end = window.when.days, window.when.start, window.when.end
    if end > start:
        pieces = [(days, start, end)]
    else:
        next_days = tuple(sorted((day + 1) % len(WEEKDAYS) for day in days))
        pieces = [(days, start, MIDNIGHT), (next_days, 0, end)]
    return [_spec(*piece, window.timezone) for piece in pieces if piece[1] < piece[2]]


def _spec(days: tuple[int, ...], start: int, end: int, timezone: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"times": [{"start_time": _clock(start), "end_time": _clock(end)}]}
    if len(days) < len(WEEKDAYS):
        spec["weekdays"] = [WEEKDAYS[day] for day in days]
    return {**spec, "location": timezone}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
