"""Runs of a cron schedule: the next one after a time, and the longest and shortest time between two."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {name: str(index) for index, name in enumerate(_MONTHS, 1)} | {
    name: str(index) for index, name in enumerate(_DAYS)
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FIRST_DAY = dt.date(2024, 1, 1)
_DAYS_LOOKED_AT = 2 * 1461
"""Two cycles of leap years, so that even 29 February occurs twice."""


@dataclass(frozen=True, slots=True)
class _Times:
    """A schedule in numbers. `minutes`: of the day, sorted. `either`: a day that matches one of two fields counts."""

    minutes: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def runs_on(self, date: dt.date) -> bool:
        by_day, by_weekday = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        met = (by_day or by_weekday) if self.either else (by_day and by_weekday)
        return met and date.month in self.months


def next_run(cron: str, after: dt.datetime) -> dt.datetime | None:
    """Return the first run of a schedule after `after`, in its time zone; None if it never runs."""
    times = _times(cron)
    for index in range(_DAYS_LOOKED_AT):
        date = after.date() + dt.timedelta(index)
        if not times.runs_on(date):
            continue
        for minute in times.minutes:
            found = dt.datetime.combine(date, dt.time(minute // 60, minute % 60), after.tzinfo)
            if found > after:
                return found
    return None


@lru_cache(maxsize=1024)
def longest_step(cron: str) -> int | None:
    """Return the longest time between two runs, in seconds; None if there are fewer than two."""
    times = _times(cron)
    longest, last = max((b - a for a, b in pairwise(times.minutes)), default=0), None
    for index in range(_DAYS_LOOKED_AT):
        if not times.runs_on(_FIRST_DAY + dt.timedelta(index)):
            continue
        if last is not None:
            longest = max(longest, (index - last) * 1440 + times.minutes[0] - times.minutes[-1])
        last = index
    return longest * 60 or None


def shortest_step(cron: str) -> int:
    """Return the shortest time between two runs of a day, in seconds; a day if there is one run."""
    minutes = _times(cron).minutes
    around = (minutes[0] + 1440 - minutes[-1],)
    return 60 * min((*(b - a for a, b in pairwise(minutes)), *around))


@lru_cache(maxsize=1024)
def _times(cron: str) -> _Times:
    minutes, hours, days, months, weekdays = (
        _values(text, *limits) for text, limits in zip(cron.split(), _RANGES, strict=True)
    )
    _, _, day_text, _, weekday_text = cron.split()
    return _Times(
        tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)),
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        # If both are limited, cron runs on days that match either.
        not day_text.startswith("*") and not weekday_text.startswith("*"),
    )


def _values(field: str, low: int, high: int) -> frozenset[int]:
    """Return the numbers that one field of cron means."""
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else int(_NAMES.get(first, first))
        end = int(_NAMES.get(last, last)) if last else high if first == "*" or step else start
        values.update(range(start, end + 1, int(step or 1)))
    return frozenset(values)
