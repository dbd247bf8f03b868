"""Backups and drills that are due now, from the catalog's schedules and the markers of the last runs.

A run that was missed because the host was down or another backup was running is not lost: it is due until it starts.
The first backup of a subject is due at the first scheduled time after the schedule was installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.backups.subjects import backups_folder, subjects
from exporter.catalog.planning.places import MARKERS
from exporter.catalog.values.cron import next_run, shortest_step
from exporter.files import read_in_time
from exporter.storage.backup_marker import MAX_BYTES, BackupMarker, MarkerError, parse_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo
    from pathlib import Path

    from exporter.catalog.catalog import Catalog
    from exporter.host.state import StateFolder

DRILL = ":drill"
"""The name of the drills' turn; no catalog can have it."""
_TRIED = "backups.tried"
_SINCE = ":since"
_TIME = re.compile(r"[0-9]{1,11}")
_LONGEST_SECONDS = 3600
"""The time limit of a run whose schedule has a longer interval."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Times kept by the schedule: its first look, and the last start of each name, also if that left no marker."""

    since: float
    last: Mapping[str, float]

    @classmethod
    def read(cls, state: StateFolder, now: float) -> Tried:
        """Read the times from the state folder; without any, start with now. Raises OperationError."""
        times = {name: float(text) for name, text in state.fields(_TRIED).items() if _TIME.fullmatch(text)}
        since = times.pop(_SINCE, None)
        if since is None or since > now:
            found = cls(now, {})
            found.write(state)
            return found
        return cls(since, times)

    def with_runs(self, names: Iterable[str], now: float) -> Tried:
        """Return a copy in which runs of these names start now."""
        return Tried(self.since, {**self.last, **dict.fromkeys(names, now)})

    def write(self, state: StateFolder) -> None:
        """Write the times to the state folder. Raises OperationError."""
        times = {_SINCE: self.since, **self.last}
        state.write_fields(_TRIED, {name: f"{time:.0f}" for name, time in times.items()})


@dataclass(frozen=True, slots=True)
class Turn:
    """A name and its schedule. `last`: start of its last run; `next`: when the next one is due."""

    name: str
    schedule: str
    last: datetime | None
    next: datetime | None

    def is_due(self, now: datetime) -> bool:
        """True if the run is due now or overdue."""
        return self.next is not None and self.next <= now


@dataclass(frozen=True, slots=True)
class Plan:
    """All turns of an environment. `drill` is None if the catalog has no drills."""

    backups: tuple[Turn, ...]
    drill: Turn | None

    def due(self, now: datetime) -> tuple[str, ...]:
        """Return the names to save now."""
        return tuple(turn.name for turn in self.backups if turn.is_due(now))

    def time_limit(self, names: Iterable[str]) -> int:
        """Return the time limit in seconds of a run of these names, so that it ends before one is due again."""
        steps = [shortest_step(turn.schedule) for turn in self.backups if turn.name in names]
        return min(_LONGEST_SECONDS, *(max(60, step * 9 // 10) for step in steps))


def plan_of(catalog: Catalog, tried: Tried, zone: tzinfo | None = None) -> Plan:
    """Work out when each backup is due. Schedules are in the host's time zone."""
    folder = backups_folder(catalog) / MARKERS
    known = {name: _marker(folder / f"{name}.json", name) for name in subjects(catalog)}

    def turn(name: str, schedule: str, last: float | None) -> Turn:
        begun = max((each for each in (last, tried.last.get(name)) if each is not None), default=None)
        then = datetime.fromtimestamp(tried.since if begun is None else begun, UTC).astimezone(zone)
        return Turn(name, schedule, None if begun is None else then, next_run(schedule, then))

    drill = catalog.backup.drill
    return Plan(
        tuple(
            turn(name, subject.schedule, _last_run(known[name]))
            for name, subject in subjects(catalog).items()
        ),
        turn(DRILL, drill.schedule, max(filter(None, map(_last_drill, known.values())), default=None))
        if drill
        else None,
    )


def _last_run(marker: BackupMarker | None) -> float | None:
    if marker is None:
        return None
    begun = [run.started for run in (marker.current_run, marker.last_run) if run]
    return max(begun, default=None)


def _last_drill(marker: BackupMarker | None) -> float | None:
    if marker is None:
        return None
    begun = [run.started for run in (marker.current_drill, marker.last_drill) if run]
    return max(begun, default=None)


def _marker(path: Path, name: str) -> BackupMarker | None:
    """Return a marker, or None if it is missing or unreadable: then the backup is due."""
    try:
        return parse_marker(read_in_time(path, MAX_BYTES), name)
    except (OSError, MarkerError):
        return None
