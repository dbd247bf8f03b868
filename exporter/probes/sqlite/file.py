"""Reader of a SQLite file of another program, which writes and creates nothing and does not block the writer.

A rollback journal needs only the usual locks. In WAL mode even a reader creates the files `-wal` and `-shm` if they are
missing, and the service might not be able to write to them. They are missing only while nobody has the file open; then
it is read as it is, and read again if somebody opened it meanwhile. Only SQLite itself ever opens the file: closing any
other descriptor would release the locks that this process holds on it (fcntl(2)).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

BY_LOCKS = "mode=ro"
BY_WAL = "mode=ro&readonly_shm=1"
AS_IT_IS = "mode=ro&immutable=1"
"""Modes of opening a file: with locks; with the existing `-shm`, without creating one; ignoring all other files."""

WITHOUT_LOCKS = "mode=ro&nolock=1"
"""A file in WAL mode, and only such a file, cannot be opened in this mode: the only test that creates no file."""

MAX_HEAP_BYTES = 128 * 1024 * 1024
"""Memory limit of SQLite in this process: a small file can claim a text of a gigabyte, a sparse one many pages."""
MAX_VALUE_BYTES = 16 * 1024 * 1024
"""Limit of a text or blob read into memory."""

Unreadable = (sqlite3.Error, MemoryError, UnicodeDecodeError)
"""Errors of Python's module for a hostile file; UnicodeDecodeError if SQLite's message repeats bytes of it."""

DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
TRANSIENT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL}
"""Errors that can pass when a writer has finished. `READONLY`: only a writer can roll back a journal or log."""


@dataclass(frozen=True, slots=True)
class FileState:
    """State of a file and its companion files in the file system."""

    identity: tuple[int, int]
    """Device and inode: they change if the file is replaced."""
    size: int
    modified: int
    """Nanoseconds since the epoch."""
    wal_size: int | None
    """None if there is no write-ahead log."""
    has_journal: bool


def examine(path: str) -> FileState:
    """Return the state of the file at `path`.

    Raises:
        ProbeFailure: `missing`, `permission`, `answer`; `corrupt` if it is empty, or it or a companion is not a
            regular file: opening for example a FIFO could block forever.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a path object per run costs more than the call
    except OSError as error:
        raise _unseen(error, path) from None
    if stat.S_ISDIR(found.st_mode):
        raise ProbeFailure(
            Reason.CORRUPT,
            f"{path} is a folder, not a file; Docker creates a folder if the file to mount is missing",
        )
    if not stat.S_ISREG(found.st_mode):
        raise ProbeFailure(Reason.CORRUPT, f"{path} is not a regular file")
    if found.st_size == 0:
        # For SQLite this is a database without tables, but a service that has started once creates some.
        raise ProbeFailure(
            Reason.CORRUPT, f"{path} is empty: nothing was ever stored in it, or it was truncated"
        )
    # SQLite resolves links before it looks for companions.
    real = os.path.realpath(path)
    _size(f"{real}-shm")
    return FileState(
        (found.st_dev, found.st_ino),
        found.st_size,
        found.st_mtime_ns,
        _size(f"{real}-wal"),
        _size(f"{real}-journal") not in (None, 0),
    )


def way(path: str, state: FileState) -> str:
    """Return the mode in which a file in this state can be read without blocking its writer."""
    if state.wal_size is not None:
        return BY_WAL
    return AS_IT_IS if _in_wal_mode(path) else BY_LOCKS


def _in_wal_mode(path: str) -> bool:
    try:
        with closing(connect(path, WITHOUT_LOCKS)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except Unreadable as error:
        return primary(error) == sqlite3.SQLITE_CANTOPEN and _readable(path)
    return False


def connect(path: str, how: str) -> sqlite3.Connection:
    """Return a read-only connection, which any thread may interrupt.

    It is configured for untrusted files (sqlite.org/security.html).

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    uri = f"file://{quote(os.fsencode(path))}?{how}"
    connection = sqlite3.connect(uri, timeout=0, isolation_level=None, check_same_thread=False, uri=True)
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.text_factory = bytes
        connection.execute(f"PRAGMA hard_heap_limit = {MAX_HEAP_BYTES}")
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def primary(error: Exception) -> int:
    """Return the primary result code; 0 for an error that Python's module raised itself."""
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.SQLITE_CORRUPT
    if isinstance(error, MemoryError):
        return sqlite3.SQLITE_NOMEM
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def failure(error: Exception, path: str) -> ProbeFailure:
    """Return `error` as a failure with a message for people."""
    code = primary(error)
    if code == sqlite3.SQLITE_CANTOPEN and not _readable(path):
        return ProbeFailure(Reason.PERMISSION, f"the exporter's user has no permission to read {path}")
    reason, sentence = SENTENCES.get(code, (Reason.ANSWER, "{path} cannot be read"))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    # SQLite's message may repeat names from the file.
    return ProbeFailure(reason, "{} ({}: {})", sentence.format(path=path), name, PeerText(str(error)))


SENTENCES: Mapping[int, tuple[Reason, str]] = {
    sqlite3.SQLITE_CORRUPT: (Reason.CORRUPT, "{path} is damaged"),
    sqlite3.SQLITE_NOTADB: (Reason.CORRUPT, "{path} is not a SQLite database, or its first page is damaged"),
    sqlite3.SQLITE_BUSY: (Reason.LOCKED, "another process kept {path} locked until the deadline"),
    sqlite3.SQLITE_LOCKED: (Reason.LOCKED, "another process kept {path} locked until the deadline"),
    sqlite3.SQLITE_PERM: (Reason.PERMISSION, "the exporter's user has no permission to read {path}"),
    sqlite3.SQLITE_READONLY: (
        Reason.ANSWER,
        "a process died while writing to {path}; the service must open it once to undo or complete the write",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        Reason.ANSWER,
        (
            "the write-ahead log of {path} cannot be opened: the exporter's user has no permission to read its -wal or "
            "-shm, one is missing, or the service locks the file for itself (locking_mode=EXCLUSIVE)"
        ),
    ),
    sqlite3.SQLITE_NOMEM: (Reason.SIZE, "reading {path} needs more memory than allowed"),
    sqlite3.SQLITE_TOOBIG: (Reason.SIZE, "{path} holds a definition that is too large to read"),
    sqlite3.SQLITE_IOERR: (Reason.ANSWER, "{path} cannot be read from its disk"),
}


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _size(path: str) -> int | None:
    """Return the size of a companion; None if there is none.

    Raises:
        ProbeFailure: `corrupt`: it is not a regular file.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise ProbeFailure(Reason.CORRUPT, f"{path} is not a regular file")
    return found.st_size


def _unseen(error: OSError, path: str) -> ProbeFailure:
    folder = os.path.dirname(path)  # noqa: PTH120 - the path may hold bytes that are not text
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if os.path.isdir(folder):  # noqa: PTH112 - as above
            return ProbeFailure(Reason.MISSING, f"{path} is missing")
        return ProbeFailure(
            Reason.MISSING,
            f"the exporter cannot see {path}: it has no folder {folder}; mount the volume there or set "
            "exporter.volumes",
        )
    if isinstance(error, PermissionError):
        return ProbeFailure(Reason.PERMISSION, f"the exporter's user has no permission to access {path}")
    return ProbeFailure(Reason.ANSWER, f"{path} cannot be accessed: {error.strerror}")
