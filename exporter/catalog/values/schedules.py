"""Recurring times: cron schedules, and weekly windows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from exporter.catalog.values.scalars import text_schema, value_type
from exporter.catalog.values.words import shown, suggestion

_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))

_CRON_NAMES = {
    3: {
        name: str(index)
        for index, name in enumerate(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
        )
    },
    4: {name: str(index) for index, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
}

_CRON_PART = re.compile(r"(?:\*|([0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?)(?:/([1-9][0-9]?))?")


def parse_cron(value: object) -> str:
    """Parse five fields: minute, hour, day of month, month, day of week."""
    fields = value.lower().split() if isinstance(value, str) else []
    if len(fields) != 5 or not all(_cron_field(field, index) for index, field in enumerate(fields)):
        raise ValueError(
            f"{shown(value)} is not a schedule; write the five fields of cron: "
            'minute, hour, day, month, weekday, such as "0 3 * * *"'
        )
    return " ".join(fields)


def _cron_field(field: str, index: int) -> bool:
    low, high = _CRON_RANGES[index]
    for part in field.split(","):
        match = _CRON_PART.fullmatch(part)
        if not match:
            return False
        ends = [_CRON_NAMES.get(index, {}).get(end, end) for end in match.group(1, 2) if end]
        if not all(end.isdigit() and low <= int(end) <= high for end in ends):
            return False
        if len(ends) == 2 and int(ends[0]) > int(ends[1]):
            return False
    return True


Cron = Annotated[
    str, *value_type(parse_cron, text_schema(r"^\s*\S+(\s+\S+){4}\s*$", "0 3 * * *"), "cron schedule")
]


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WHEN = re.compile(
    r"(?:([A-Za-z,-]+)\s+)?([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-4]):([0-5][0-9])"
)


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly window. `days` count from Monday (0); `start` and `end` are minutes of the day. `end` is at most 1440,
    and before `start` if the window ends on the next day.
    """

    days: tuple[int, ...]
    start: int
    end: int


def _parse_window(value: object) -> Window:
    match = _WHEN.fullmatch(value) if isinstance(value, str) else None
    days = _parse_days(match[1]) if match else None
    if not match or days is None:
        raise ValueError(
            f"{shown(value)} is not a time of the week; "
            "write days and hours, such as Sun 02:00-04:00 or Mon-Fri 22:00-23:30"
        )
    start, end = int(match[2]) * 60 + int(match[3]), int(match[4]) * 60 + int(match[5])
    if start == end or end > 1440:
        raise ValueError(
            f"{shown(value)} is not a time of the week; its end must differ from its start and be at most 24:00"
        )
    return Window(days, start, end)


def _parse_days(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return tuple(range(7))
    days: set[int] = set()
    for part in text.lower().split(","):
        names = [name[:3] for name in part.split("-")]
        if len(names) > 2 or any(name not in _DAYS for name in names):
            return None
        first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
        days.update(day % 7 for day in range(first, last + 1 if last >= first else last + 8))
    return tuple(sorted(days))


@cache
def _timezones() -> frozenset[str]:
    """Return the names of all time zones. The first call opens hundreds of files, longer than the rest of a catalog."""
    return frozenset(available_timezones())


def _parse_timezone(value: object) -> str:
    if not isinstance(value, str) or value not in _timezones():
        raise ValueError(f"{shown(value)} is not a time zone; {suggestion(str(value), sorted(_timezones()))}")
    return value


WeeklyWindow = Annotated[
    Window,
    *value_type(_parse_window, {"type": "string", "examples": ["Sun 02:00-04:00"]}, "time of the week"),
]
TimeZone = Annotated[
    str, *value_type(_parse_timezone, {"type": "string", "examples": ["UTC", "Europe/Berlin"]}, "time zone")
]
