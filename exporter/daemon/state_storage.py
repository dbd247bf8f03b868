"""State of volumes and backups for the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import VolumePlan
    from exporter.daemon.snapshot import BackupState, BackupWord, VolumeState
    from exporter.daemon.surroundings import Surroundings
    from exporter.storage.backup_marker import BackupMarker, Outcome, Success
    from exporter.storage.volumes import Space


def volume_state(volume: VolumePlan, space: Space | None, backup: BackupState | None) -> VolumeState:
    """Return a volume and the space of its file system, in bytes and files."""
    return {
        "name": volume.name,
        "path": volume.path,
        "available_bytes": space.avail_bytes if space else None,
        "size_bytes": space.size_bytes if space else None,
        "files": space.inodes if space else None,
        "files_free": space.free_inodes if space else None,
        "backup": backup,
    }


def backup_state(surroundings: Surroundings, name: str, now: float) -> BackupState:
    """Return the last backup of a store or volume."""
    if name not in surroundings.backups:
        return _backup("unknown", "not checked yet")
    marker = surroundings.backups[name]
    if isinstance(marker, str):
        return _backup("unreadable", f"its marker cannot be used: {marker}")
    if marker is None:
        return _backup("missing", "no backup yet")
    run, drill = marker.run(now), marker.drill(now)
    state, detail = _judged(marker, run, drill)
    return _backup(state, detail, run, drill, marker.last_success)


def _judged(marker: BackupMarker, run: Outcome | None, drill: Outcome | None) -> tuple[BackupWord, str]:
    if run is not None and not run.success:
        return "failed", _failed("the last run failed", run)
    if marker.last_success is None:
        return "missing", "no successful backup yet"
    if drill is not None and not drill.success:
        return "drill_failed", _failed("the last restore drill failed", drill)
    return "ok", ""


def _failed(what: str, outcome: Outcome) -> str:
    return f"{what}: {outcome.error}" if outcome.error else what


def _backup(
    state: BackupWord,
    detail: str,
    run: Outcome | None = None,
    drill: Outcome | None = None,
    good: Success | None = None,
) -> BackupState:
    return {
        "state": state,
        "detail": detail,
        "last_success": good.finished if good else None,
        "last_run": run.finished if run else None,
        "last_run_success": run.success if run else None,
        "size_bytes": good.size_bytes if good else None,
        "last_drill": drill.finished if drill else None,
        "drill_success": drill.success if drill else None,
    }
