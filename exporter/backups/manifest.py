"""A backup's manifest: which files it has, with their checksums, and what is in them.

A backup is a folder whose name is its id. While it is made it is called ID.partial, and whoever makes it notes each
file in SUBJECT/.parts. `seal` hashes the files, writes the manifest and renames the folder: so a folder without
`.partial` is whole, whatever happened.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.backups.subjects import Subject

FORMAT = 1
MANIFEST = "manifest.json"
CHECKSUM = "manifest.json.sha256"
"""Beside the manifest: that nobody has changed it by accident."""
PARTS = ".parts"
PARTIAL = ".partial"
ID = re.compile(r"[0-9]{8}T[0-9]{6}Z")

_CHUNK = 1024 * 1024
_MAX_BYTES = 64 * 1024 * 1024
"""What is longer does not match its checksum."""
_FIELDS = 4
"""Of a record in .parts, each ended by a zero byte: `file`, path, content, object; or `fact`, key, value, empty."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`path`: inside the backup, with `/`. `content`: such as `database` or `counts`. `object`: a database's name."""

    path: str
    content: str
    object: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Saved:
    """One subject as it was saved. `facts`: version, image and what else its maker noted."""

    name: str
    kind: str
    engine: str
    facts: dict[str, str]
    files: tuple[StoredFile, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Manifest:
    """`encryption`: the tool that every file but the manifest is encrypted with; empty without. Times as ISO 8601."""

    id: str
    project: str
    environment: str
    finished: str
    exporter: str
    encryption: str
    subjects: tuple[Saved, ...]

    @property
    def files(self) -> tuple[StoredFile, ...]:
        return tuple(file for saved in self.subjects for file in saved.files)

    def of(self, name: str) -> Saved | None:
        return next((saved for saved in self.subjects if saved.name == name), None)


def seal(
    folder: Path,
    known: Mapping[str, Subject],
    *,
    project: str,
    environment: str,
    encryption: str,
    exporter: str,
) -> Path:
    """Make a whole backup of ID.partial; the folder that it is then. Raises BackupsError and OSError."""
    id = folder.name.removesuffix(PARTIAL)  # noqa: A001 - what it is called everywhere
    if not ID.fullmatch(id) or folder.name == id:
        raise BackupsError(
            f"{folder} is no half-made backup; its name must be like 20260102T030000Z{PARTIAL}"
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
        subjects=tuple(_saved(folder, known[name]) for name in names),
    )
    strays = files_in(folder) - {file.path for file in manifest.files} - {f"{name}/{PARTS}" for name in names}
    if strays:
        raise BackupsError(f"{folder} holds files that nobody noted: {', '.join(map(repr, sorted(strays)))}")
    text = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1, ensure_ascii=True) + "\n"
    for name in names:
        (folder / name / PARTS).unlink()
    _write(folder / MANIFEST, text)
    _write(folder / CHECKSUM, hashlib.sha256(text.encode()).hexdigest() + "\n")
    place = folder.with_name(id)
    if place.exists():
        raise BackupsError(f"{place} exists already")
    for path in (*(folder / name for name in names), folder):
        _sync(path)
    folder.rename(place)
    _sync(place.parent)
    return place


_R = TypeVar("_R", StoredFile, Saved, Manifest)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup, unaltered. Raises BackupsError."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(_MAX_BYTES)
        checksum = (folder / CHECKSUM).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError as error:
        raise BackupsError(f"{folder} is not a whole backup: it has no {Path(error.filename).name}") from None
    except OSError as error:
        raise BackupsError(f"{folder}: its manifest cannot be read: {error.strerror}") from None
    if hashlib.sha256(text).hexdigest() != checksum:
        raise BackupsError(f"{folder}: its manifest was altered; its checksum is another")
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupsError(f"{folder}: its manifest is not one of format {FORMAT}") from None


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def files_in(folder: Path) -> set[str]:
    """Paths of everything below that is not a folder."""
    return {
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, folders, names in os.walk(folder)
        for name in (*names, *(each for each in folders if (Path(parent) / each).is_symlink()))
    }


def _saved(folder: Path, subject: Subject) -> Saved:
    parts = folder / subject.name / PARTS
    try:
        fields = parts.read_bytes().decode(errors="surrogateescape").split("\0")
    except FileNotFoundError:
        raise BackupsError(f"{parts.parent} is not complete: nothing was noted of it") from None
    records = [fields[at : at + _FIELDS] for at in range(0, len(fields) - 1, _FIELDS)]
    files = tuple(
        _stored(folder, f"{subject.name}/{path}", content, what)
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
    return Saved(subject.name, subject.kind, subject.engine, facts, files)


def _stored(folder: Path, path: str, content: str, what: str) -> StoredFile:
    place = folder / path
    if not place.is_file():
        raise BackupsError(f"{place} was noted and is not there")
    _sync(place)
    return StoredFile(path, content, what, place.stat().st_size, hash_of(place))


def _parsed(told: Any) -> Manifest:
    """Raises ValueError, KeyError or TypeError, also for a path that leads out of the backup."""
    fields = dict(told)
    if fields.pop("format") != FORMAT:
        raise ValueError
    subjects = tuple(_subject(dict(saved)) for saved in fields.pop("subjects"))
    return _texts(Manifest(subjects=subjects, **fields))


def _subject(saved: dict[str, Any]) -> Saved:
    files = tuple(_texts(StoredFile(**file)) for file in saved.pop("files"))
    subject = _texts(Saved(**saved, files=files))
    inside = [subject.name, *(file.path for file in files)]
    if "/" in subject.name or not all(map(_is_inside, inside)):
        raise ValueError
    if not isinstance(subject.facts, dict) or not all(
        isinstance(fact, str) for fact in subject.facts.values()
    ):
        raise TypeError
    if any(type(file.bytes) is not int or file.bytes < 0 for file in files):
        raise TypeError
    return subject


def _is_inside(path: str) -> bool:
    steps = PurePosixPath(path).parts
    return bool(steps) and not path.startswith("/") and ".." not in steps and "\0" not in path


def _texts(record: _R) -> _R:
    """Return `record`, unless a field that is a text by its declaration holds something else."""
    if all(
        isinstance(getattr(record, each.name), str) for each in dataclass_fields(record) if each.type == "str"
    ):
        return record
    raise TypeError


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
