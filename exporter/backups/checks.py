"""Whether a backup is what was made: every file there, none altered, none added; and whether another one fits."""

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
"""A backup grows."""


def findings(folder: Path, trust: Trust, *, called: str | None = None, sums: bool = True) -> list[str]:
    """What is wrong with a backup, one sentence each; `sums`: its files are read too, and not only measured.

    `called`: its id, where the folder's name is not yet it.
    """
    id = called or folder.name  # noqa: A001 - what it is called everywhere
    if id.endswith(PARTIAL):
        return [f"{folder} was never finished"]
    if not folder.is_dir():
        return [f"there is no backup {folder}"]
    try:
        manifest = read_manifest(folder, trust)
    except BackupsError as error:
        return [str(error)]
    found = [f"{folder} is called {id}, but it is the backup {manifest.id}"] if manifest.id != id else []
    return [*found, *_of_files(folder, manifest, sums)]


def whole_backups(folder: Path) -> list[Path]:
    """The backups of an environment that were finished, the newest first."""
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if ID.fullmatch(path.name) and path.is_dir()), reverse=True
    )


def check_room(folder: Path, names: Iterable[str], trust: Trust) -> None:
    """Raises BackupsError where a backup as large as the last one of these names would not fit."""
    need = sum(_last_size(folder, name, trust) for name in names)
    free = shutil.disk_usage(folder).free
    if need * _SPARE > free:
        raise BackupsError(
            f"{folder} has {free // 2**20} MiB free, and the last backup took {need // 2**20} MiB: "
            "make room, or keep fewer"
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
            yield f"{folder}: {file.path!r} has {size} bytes and not {file.bytes}"
        elif sums and hash_of(place) != file.sha256:
            yield f"{folder}: {file.path!r} was altered; its checksum is another"
