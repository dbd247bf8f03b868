"""Sealing of a finished backup: hash the files, write the manifest and its code, and rename the folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.backups.manifest import (
    CODE,
    ID,
    MANIFEST,
    PARTIAL,
    PARTS,
    Manifest,
    Saved,
    StoredFile,
    files_in,
    hash_of,
)
from exporter.backups.manifest_text import text_of
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.backups.keys import Key
    from exporter.backups.subjects import Subject

_FIELDS = 4
"""Fields of a record in .parts, each with a zero byte at its end: file, path, content, object; fact, key, value, -."""


def seal(
    folder: Path,
    known: Mapping[str, Subject],
    *,
    project: str,
    environment: str,
    encryption: str,
    exporter: str,
    key: Key,
    rows: Mapping[str, int] | None = None,
) -> Path:
    """Turn ID.partial into a complete backup, and return its new folder. Raises BackupsError and OSError.

    `rows`: number of rows, documents, keys or files saved, by name.
    """
    id = folder.name.removesuffix(PARTIAL)  # noqa: A001 - the name used everywhere
    if not ID.fullmatch(id) or folder.name == id:
        raise BackupsError(
            f"{folder} is not an unfinished backup, whose name looks like 20260102T030000Z{PARTIAL}"
        )
    names = [name for name in known if (folder / name).is_dir()]
    if not names:
        raise BackupsError(f"{folder} holds nothing that the catalog saves")
    manifest = Manifest(
        id=id,
        project=project,
        environment=environment,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        exporter=exporter,
        encryption=encryption,
        subjects=tuple(_saved(folder, known[name], (rows or {}).get(name)) for name in names),
    )
    strays = files_in(folder) - {file.path for file in manifest.files} - {f"{name}/{PARTS}" for name in names}
    if strays:
        raise BackupsError(f"{folder} has unexpected files: {', '.join(map(repr, sorted(strays)))}")
    for name in names:
        (folder / name / PARTS).unlink()
    return finish(folder, manifest, key)


def finish(folder: Path, manifest: Manifest, key: Key) -> Path:
    """Write the manifest and its code into ID.partial, and rename the folder. Raises BackupsError and OSError."""
    text = text_of(manifest)
    _write(folder / MANIFEST, text)
    _write(folder / CODE, key.seal(text).encode())
    place = folder.with_name(manifest.id)
    if place.exists():
        raise BackupsError(f"{place} already exists")
    for path in (*(folder / saved.name for saved in manifest.subjects), folder):
        _sync(path)
    folder.rename(place)
    _sync(place.parent)
    return place


def stored_file(folder: Path, path: str, content: str, object: str = "") -> StoredFile:  # noqa: A002 - the manifest's word
    """Describe a file of an unfinished backup, and flush it to disk. Raises BackupsError and OSError."""
    place = folder / path
    if not place.is_file():
        raise BackupsError(f"{place} was saved but has disappeared")
    _sync(place)
    return StoredFile(path, content, object, place.stat().st_size, hash_of(place))


def _saved(folder: Path, subject: Subject, rows: int | None) -> Saved:
    parts = folder / subject.name / PARTS
    try:
        fields = parts.read_bytes().decode(errors="surrogateescape").split("\0")
    except FileNotFoundError:
        raise BackupsError(f"{parts.parent} is not complete: it has no notes on its files") from None
    records = [fields[at : at + _FIELDS] for at in range(0, len(fields) - 1, _FIELDS)]
    files = tuple(
        stored_file(folder, f"{subject.name}/{path}", content, what)
        for kind, path, content, what in records
        if kind == "file"
    )
    if not files:
        raise BackupsError(f"{parts.parent} is not complete: it has no files")
    missing = set(subject.databases) - {file.object for file in files if file.content == "database"}
    if missing:
        raise BackupsError(
            f"{subject.name} has no database {', '.join(map(repr, sorted(missing)))}, which the catalog names"
        )
    facts = {key: value for kind, key, value, _ in records if kind == "fact"}
    return Saved(subject.name, subject.kind, subject.engine, facts, files, rows)


def _write(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
