"""The maximum age of a good backup, and the time until the first one is due, from its schedule."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from exporter.catalog.values.cron import longest_step
from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from exporter.catalog.keys.backup import Schedule

SLACK = 2
"""A backup counts as stale after this many intervals of its schedule: one can be missed or late."""


def max_age(schedule: Schedule, path: tuple[str, ...]) -> Decimal:
    """Return the maximum age in seconds.

    Raises:
        OutputError: the schedule matches no time.
    """
    if schedule.max_age is not None:
        return Decimal(str(schedule.max_age))
    return Decimal(_step(schedule, path) * SLACK)


def first_due(schedule: Schedule, path: tuple[str, ...]) -> float:
    """Return the maximum number of seconds until the first backup is due.

    Raises:
        OutputError: the schedule matches no time.
    """
    return float(_step(schedule, path))


def _step(schedule: Schedule, path: tuple[str, ...]) -> int:
    step = longest_step(schedule.schedule)
    if step is None:
        raise OutputError(
            f"{schedule.schedule} matches no date; write days that exist", *path, "backup", "schedule"
        )
    return step
