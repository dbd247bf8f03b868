"""A backup's manifest: its files, their checksums and their contents.

A backup is a folder whose name is its id. While it is being made it is called ID.partial; `sealing.seal` hashes the
files, writes the manifest and its authentication code, and renames the folder. So a folder without `.partial` is
complete.

The manifest is read back from a disk or a bucket that others can write to. It is read only if its authentication code
was made with the host's key (`authentic`), and its values are still checked against lists and patterns
(`manifest_text`). It never names an image, a mount or a command: those come from the catalog or the running containers.
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
"""Format of earlier versions: anybody with write access to the folder could forge a backup."""
MANIFEST = "manifest.json"
CODE = "manifest.json.mac"
"""The file with the manifest's authentication code."""
CHECKSUM = "manifest.json.sha256"
"""The same for format 1: a checksum, which detects accidents but not forgery."""
PARTS = ".parts"
PARTIAL = ".partial"
ID = re.compile(r"[0-9]{8}T[0-9]{6}Z")
MAX_MANIFEST = 16 * 1024 * 1024

MAX_PROOF = 1024
"""Maximum bytes of `CODE` or `CHECKSUM`."""

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a backup. `path`: NAME/FILE. `content`: such as `database` or `counts`. `object`: a database's name.

    `object` is the only text here that may contain control characters, since PostgreSQL allows them in a name.
    """

    path: str
    content: str
    object: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved subject. `facts`: for people only. `rows`: number of rows, keys, documents or files, if counted."""

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
        """Return the objects of all files with this content."""
        return tuple(file.object for file in self.files if file.content == content)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest. `encryption`: the tool that encrypted every other file; empty for none. Times are ISO 8601."""

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
    """Return the SHA-256 of a file in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def files_in(folder: Path) -> set[str]:
    """Return the paths of everything below `folder` that is not a folder."""
    return {
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, folders, names in os.walk(folder)
        for name in (*names, *(each for each in folders if (Path(parent) / each).is_symlink()))
    }
