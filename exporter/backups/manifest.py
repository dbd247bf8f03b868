"""A backup's manifest: which files it has, with their checksums, and what is in them.

A backup is a folder whose name is its id. While it is made it is called ID.partial; `sealing.seal` hashes the files,
writes the manifest and its authentication code, and renames the folder. So a folder without `.partial` is whole.

The manifest comes back from a disk or a bucket that others can write to. Only one whose authentication code was made
with the host's key is read (`authentic`), and what it says is checked against lists and patterns all the same
(`manifest_text`). Nothing in it names an image, a mount or a command: those come from the catalog or from what runs.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.storage.backup_marker import Kind

FORMAT = 2
FORMAT_WITHOUT_CODE = 1
"""Backups of earlier versions: anybody who could write to their folder could make one."""
MANIFEST = "manifest.json"
CODE = "manifest.json.mac"
"""Next to the manifest: its authentication code."""
CHECKSUM = "manifest.json.sha256"
"""Instead of it in format 1: it shows accidents, not forgery."""
PARTS = ".parts"
PARTIAL = ".partial"
ID = re.compile(r"[0-9]{8}T[0-9]{6}Z")
MAX_MANIFEST = 16 * 1024 * 1024

MAX_PROOF = 1024
"""Bytes of `CODE` or `CHECKSUM`."""

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`path`: NAME/FILE inside the backup. `content`: such as `database` or `counts`. `object`: a database's name.

    `object` is the only text here that may hold control characters, since PostgreSQL allows them in a name.
    """

    path: str
    content: str
    object: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Saved:
    """One subject as it was saved. `facts`: for people only. `rows`: rows, keys, documents or files, if counted."""

    name: str
    kind: Kind
    engine: str
    facts: Mapping[str, str]
    files: tuple[StoredFile, ...]
    rows: int | None = None

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def file(self, content: str, object: str = "") -> StoredFile:  # noqa: A002 - the manifest's word
        """Return the file with this content. Raises BackupsError."""
        for file in self.files:
            if (file.content, file.object) == (content, object):
                return file
        raise BackupsError(f"the backup of {self.name} has no {content}")

    def objects(self, content: str) -> tuple[str, ...]:
        """Return what the files with this content are of."""
        return tuple(file.object for file in self.files if file.content == content)


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

    @property
    def bytes(self) -> int:
        return sum(saved.bytes for saved in self.subjects)

    def of(self, name: str) -> Saved | None:
        return next((saved for saved in self.subjects if saved.name == name), None)


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
