"""How old a good backup may be, from its schedule."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from exporter.catalog.keys.backup import Schedule

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {name: str(index) for index, name in enumerate(MONTHS, 1)} | {
    name: str(index) for index, name in enumerate(DAYS)
}
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
FIRST_DAY = dt.date(2024, 1, 1)
DAYS_LOOKED_AT = 2 * 1461
"""Two rounds of leap years, so that even the 29th of February comes twice."""
SLACK = 2
"""A backup may be missed or run long once before it counts as stale."""


def max_age(schedule: Schedule, path: tuple[str, ...]) -> Decimal:
    """Seconds.

    Raises:
        OutputError: the schedule's times never come.
    """
    if schedule.max_age is not None:
        return Decimal(str(schedule.max_age))
    step = longest_step(schedule.schedule)
    if step is None:
        raise OutputError(
            f"{schedule.schedule} never comes; write days that exist", *path, "backup", "schedule"
        )
    return Decimal(step * SLACK)


@lru_cache(maxsize=1024)
def longest_step(cron: str) -> int | None:
    """Seconds of the longest time between two runs; None when there are no two."""
    minutes, hours, days, months, weekdays = (
        _values(text, *limits) for text, limits in zip(cron.split(), RANGES, strict=True)
    )
    times = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    _, _, day_text, _, weekday_text = cron.split()
    either = not day_text.startswith("*") and not weekday_text.startswith("*")
    longest, last = max((b - a for a, b in pairwise(times)), default=0), None
    for index in range(DAYS_LOOKED_AT):
        date = FIRST_DAY + dt.timedelta(index)
        by_day, by_weekday = date.day in days, date.isoweekday() % 7 in {day % 7 for day in weekdays}
        # Where both are limited, cron runs on days that meet either.
        if date.month not in months or not ((by_day or by_weekday) if either else (by_day and by_weekday)):
            continue
        if last is not None:
            longest = max(longest, (index - last) * 1440 + times[0] - times[-1])
        last = index
    return longest * 60 or None


def _values(field: str, low: int, high: int) -> frozenset[int]:
    """Numbers that one field of cron stands for."""
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else int(NAMES.get(first, first))
        end = int(NAMES.get(last, last)) if last else high if first == "*" or step else start
        values.update(range(start, end + 1, int(step or 1)))
    return frozenset(values)
