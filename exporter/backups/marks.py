"""The markers of a run or a drill of several subjects at once. docs/backup-marker.md describes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.subjects import BackupsError, backups_folder
from exporter.catalog.planning.places import MARKERS
from exporter.storage import backup_marker
from exporter.storage.backup_marker import MarkerError, update_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from exporter.backups.subjects import Subject
    from exporter.catalog.catalog import Catalog


def begin(catalog: Catalog, subjects: Iterable[Subject], seconds: float) -> None:
    """Mark the start of a backup that must end within `seconds`. Raises BackupsError."""

    def change(subject: Subject) -> Callable[[str | None], str]:
        return lambda old: backup_marker.begin_run(
            old,
            name=subject.name,
            kind=subject.kind,
            environment=catalog.environment_name,
            now=time.time(),
            time_limit=seconds,
        )

    _change_all(catalog, subjects, change)


def end(
    catalog: Catalog,
    subjects: Iterable[Subject],
    *,
    backup: Path | None,
    error: str | None,
    trust: Trust | None = None,
) -> None:
    """Mark the end of a backup: an error, or the backup in a folder that `trust` can read. Raises BackupsError."""
    manifest = read_manifest(backup, trust or Trust(None)) if backup is not None and error is None else None

    def change(subject: Subject) -> Callable[[str | None], str]:
        saved = manifest.of(subject.name) if manifest else None
        if manifest and saved is None:
            raise BackupsError(f"{backup} has nothing of {subject.name}")
        return lambda old: backup_marker.end_run(
            _begun(old),
            now=time.time(),
            error=_printable(error),
            backup=manifest.id if manifest else "",
            size_bytes=saved.bytes if saved else 0,
            sha256=saved.files[0].sha256 if saved and len(saved.files) == 1 else None,
        )

    _change_all(catalog, subjects, change)


def begin_drill(catalog: Catalog, subjects: Iterable[Subject], seconds: float) -> None:
    """Mark the start of a drill; a host that never made a backup has no markers yet. Raises BackupsError."""

    def change(subject: Subject) -> Callable[[str | None], str]:
        new = backup_marker.new_marker(
            name=subject.name, kind=subject.kind, environment=catalog.environment_name
        )
        return lambda old: backup_marker.begin_drill(old or new, now=time.time(), time_limit=seconds)

    _change_all(catalog, subjects, change)


def end_drill(catalog: Catalog, subjects: Iterable[Subject], *, backup: str, error: str | None) -> None:
    """Mark the end of a drill. Raises BackupsError."""
    _change_all(
        catalog,
        subjects,
        lambda _: (
            lambda old: backup_marker.end_drill(
                _begun(old), now=time.time(), backup=backup, error=_printable(error)
            )
        ),
    )


def _change_all(
    catalog: Catalog, subjects: Iterable[Subject], change: Callable[[Subject], Callable[[str | None], str]]
) -> None:
    """Change all markers; raise the first error at the end."""
    folder = backups_folder(catalog) / MARKERS
    failed: str | None = None
    for subject in subjects:
        try:
            update_marker(folder, subject.name, change(subject))
        except (MarkerError, OSError) as error:
            failed = failed or f"the marker {folder / subject.name}.json cannot be written: {error}"
    if failed:
        raise BackupsError(failed)


def _begun(old: str | None) -> str:
    if old is None:
        raise MarkerError("no backup was ever started")
    return old


def _printable(error: str | None) -> str | None:
    """Replace control characters: an error may quote the name of a database."""
    if error is None:
        return None
    return "".join(letter if letter.isprintable() else " " for letter in error)
