"""The rows of `exporter status` for everything that is backed up: last good backup, last drill, problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.backups.subjects import subjects
from exporter.catalog.planning.places import MARKERS
from exporter.files import read_in_time
from exporter.outputs.alerts.backup_age import max_age
from exporter.outputs.base import OutputError
from exporter.storage.backup_marker import MAX_BYTES, MarkerError, parse_marker

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.subjects import Subject
    from exporter.catalog.catalog import Catalog
    from exporter.host.site import Site
    from exporter.storage.backup_marker import BackupMarker


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A row. Times are seconds since 1970; None: never. `stale_after`: seconds after which a backup is too old."""

    name: str
    kind: str
    backup: str
    saved: float | None
    size: int | None
    drilled: float | None
    stale_after: float | None
    problem: str = ""
    drill_failed: bool = False


def store_rows(site: Site, now: float, running_since: float | None) -> list[StoreRow]:
    """Return the rows. A subject that has run for less than its backup interval may have no backup yet."""
    folder = site.backup_folder / site.environment / MARKERS
    return [_row(site.catalog, folder, each, now, running_since) for each in subjects(site.catalog).values()]


def _row(
    catalog: Catalog, folder: Path, subject: Subject, now: float, running_since: float | None
) -> StoreRow:
    limit = _limit(catalog, subject)
    marker, problem = _marker(folder / f"{subject.name}.json", subject.name)
    success = marker.last_success if marker else None
    run, drill = (marker.run(now), marker.drill(now)) if marker else (None, None)
    drill_failed = drill is not None and not drill.success
    if not problem and run is not None and not run.success:
        problem = f"the last backup of {subject.name} failed: {run.error}"
    elif not problem and success is None:
        due = limit is not None and running_since is not None and now - running_since > limit
        problem = f"{subject.name} has no backup" if due else ""
    elif not problem and success and limit is not None and now - success.finished > limit:
        problem = f"the last backup of {subject.name} is too old"
    elif not problem and drill_failed:
        problem = f"the last drill of {subject.name} failed: {drill.error if drill else ''}"
    return StoreRow(
        name=subject.name,
        kind=subject.kind,
        backup=success.backup if success else "",
        saved=success.finished if success else None,
        size=success.size_bytes if success else None,
        drilled=drill.finished if drill and drill.success else None,
        stale_after=limit,
        problem=problem,
        drill_failed=drill_failed,
    )


def _marker(file: Path, name: str) -> tuple[BackupMarker | None, str]:
    try:
        return parse_marker(read_in_time(file, MAX_BYTES), name), ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"{file} cannot be read: {error.strerror}"
    except MarkerError as error:
        return None, f"{file} cannot be used: {error}"


def _limit(catalog: Catalog, subject: Subject) -> float | None:
    """Return the age at which its backup is too old, or None without a schedule."""
    described = (
        catalog.stores.get(subject.name) if subject.kind == "store" else catalog.volumes.get(subject.name)
    )
    if described is None or not described.backup:
        return None
    try:
        return float(max_age(described.backup, (f"{subject.kind}s", subject.name)))
    except OutputError:
        return None
