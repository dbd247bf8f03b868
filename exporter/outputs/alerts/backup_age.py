"""How old a good backup may be, and how long the first one may be missing, from its schedule."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from exporter.catalog.values.cron import longest_step
from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from exporter.catalog.keys.backup import Schedule

SLACK = 2
"""A backup may be missed or run long once before it counts as stale."""


def max_age(schedule: Schedule, path: tuple[str, ...]) -> Decimal:
    """Seconds.

    Raises:
        OutputError: the schedule's times never come.
    """
    if schedule.max_age is not None:
        return Decimal(str(schedule.max_age))
    return Decimal(_step(schedule, path) * SLACK)


def first_due(schedule: Schedule, path: tuple[str, ...]) -> float:
    """Return the seconds until the first backup must have been made, at most.

    Raises:
        OutputError: the schedule's times never come.
    """
    return float(_step(schedule, path))


def _step(schedule: Schedule, path: tuple[str, ...]) -> int:
    step = longest_step(schedule.schedule)
    if step is None:
        raise OutputError(
            f"{schedule.schedule} never comes; write days that exist", *path, "backup", "schedule"
        )
    return step
