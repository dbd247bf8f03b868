"""Checks of a backup: every file is there, none was altered or added; and there is room for the next backup."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.manifest import CHECKSUM, CODE, ID, MANIFEST, PARTIAL, files_in, hash_of
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from exporter.backups.manifest import Manifest

_SPARE = 1.1
"""Backups grow."""


def findings(folder: Path, trust: Trust, *, called: str | None = None, sums: bool = True) -> list[str]:
    """Return what is wrong with a backup, one sentence each. `sums`: also read the files and compare checksums.

    `called`: its id, if the folder does not have its final name yet.
    """
    id = called or folder.name  # noqa: A001 - the name used everywhere
    if id.endswith(PARTIAL):
        return [f"the backup {folder} was never finished"]
    if not folder.is_dir():
        return [f"there is no backup {folder}"]
    try:
        manifest = read_manifest(folder, trust)
    except BackupsError as error:
        return [str(error)]
    found = [f"{folder} should be the backup {id}, but holds {manifest.id}"] if manifest.id != id else []
    return [*found, *_of_files(folder, manifest, sums)]


def whole_backups(folder: Path) -> list[Path]:
    """Return the finished backups of an environment, newest first."""
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if ID.fullmatch(path.name) and path.is_dir()), reverse=True
    )


def check_room(folder: Path, names: Iterable[str], trust: Trust) -> None:
    """Raise BackupsError if there is no room for a backup as large as the last one of these names."""
    need = sum(_last_size(folder, name, trust) for name in names)
    free = shutil.disk_usage(folder).free
    if need * _SPARE > free:
        raise BackupsError(
            f"not enough space in {folder}: {free // 2**20} MiB free, and the last backup took {need // 2**20} MiB; "
            "free some space, or lower keep in the catalog"
        )


def _last_size(folder: Path, name: str, trust: Trust) -> int:
    for backup in whole_backups(folder):
        try:
            saved = read_manifest(backup, trust).of(name)
        except BackupsError:
            continue  # `verify` and `prune` report it
        if saved:
            return saved.bytes
    return 0


def _of_files(folder: Path, manifest: Manifest, sums: bool) -> Iterator[str]:
    there = files_in(folder)
    known = {file.path for file in manifest.files}
    for path in sorted(there - known - {MANIFEST, CHECKSUM, CODE}):
        yield f"{folder}: {path!r} was added"
    for file in manifest.files:
        place = folder / file.path
        if file.path not in there:
            yield f"{folder}: {file.path!r} is missing"
        elif not place.is_file() or place.is_symlink():
            yield f"{folder}: {file.path!r} is no longer a file"
        elif (size := place.stat().st_size) != file.bytes:
            yield f"{folder}: {file.path!r} has {size} bytes instead of {file.bytes}"
        elif sums and hash_of(place) != file.sha256:
            yield f"{folder}: {file.path!r} was altered: its checksum does not match"
