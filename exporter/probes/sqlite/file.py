"""Reading a file of SQLite that belongs to somebody else: nothing is written, created, or kept from its writer.

A rollback journal needs only the usual locks. In WAL mode even a reader of SQLite makes the files `-wal` and `-shm`
where they are missing, which the service could then perhaps not write to. They are missing only while nobody has the
file open, so then it is read as it is, and read again if it turns out that somebody came. No way but SQLite's own
ever opens the file: closing any other descriptor would end the locks that this process holds on it (fcntl(2)).
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
"""How a file is opened: with locks; with the `-shm` that is there, making none; without looking left or right."""

WITHOUT_LOCKS = "mode=ro&nolock=1"
"""SQLite refuses to open a file in WAL mode so, and only that: the one way to learn the mode that makes no file."""

MAX_HEAP_BYTES = 128 * 1024 * 1024
"""Of SQLite in this process: a small file can claim a text of a gigabyte, and a sparse one any number of pages."""
MAX_VALUE_BYTES = 16 * 1024 * 1024
"""Of a text or blob that is read into memory."""

Unreadable = (sqlite3.Error, MemoryError, UnicodeDecodeError)
"""What Python's module raises of a file that somebody made up: the last where SQLite's sentence repeats bytes of it."""

DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
TRANSIENT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL}
"""What passes once a writer has done what it is doing. `READONLY`: a journal or log that only a writer can undo."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What the file system says of a file and its companions."""

    identity: tuple[int, int]
    """Device and inode: another file at the same path has another one."""
    size: int
    modified: int
    """Nanoseconds since the epoch."""
    wal_size: int | None
    """None: there is no write-ahead log."""
    has_journal: bool


def examine(path: str) -> FileState:
    """The state of the file at `path`.

    Raises:
        ProbeFailure: `missing`, `permission`, `corrupt` if it is no file or empty, `answer`. Opening a companion that
            is no file, such as a FIFO, could wait for ever.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a path object a run costs more than the look
    except OSError as error:
        raise _unseen(error, path) from None
    if stat.S_ISDIR(found.st_mode):
        raise ProbeFailure(
            Reason.CORRUPT,
            f"{path} is a folder, not a file; Docker makes one where a file to mount is missing",
        )
    if not stat.S_ISREG(found.st_mode):
        raise ProbeFailure(Reason.CORRUPT, f"{path} is not a regular file")
    if found.st_size == 0:
        # To SQLite it is a database without tables. No service that has started once leaves it so.
        raise ProbeFailure(
            Reason.CORRUPT, f"{path} is empty: nothing was ever stored in it, or it was cut off"
        )
    # SQLite follows links before it looks for companions.
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
    """How the file in this state can be read beside its writer."""
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
    """A connection for reading, which any thread may interrupt, set up for a file that nobody vouches for
    (sqlite.org/security.html).

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
    """The primary result code; 0 of an error that Python's module raised by itself."""
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.SQLITE_CORRUPT
    if isinstance(error, MemoryError):
        return sqlite3.SQLITE_NOMEM
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def failure(error: Exception, path: str) -> ProbeFailure:
    """What `error` means for a person."""
    code = primary(error)
    if code == sqlite3.SQLITE_CANTOPEN and not _readable(path):
        return ProbeFailure(Reason.PERMISSION, f"{path} may not be read by the exporter's user")
    reason, sentence = SENTENCES.get(code, (Reason.ANSWER, "{path} cannot be read"))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    # SQLite's sentence may repeat names from the file.
    return ProbeFailure(reason, "{} ({}: {})", sentence.format(path=path), name, PeerText(str(error)))


SENTENCES: Mapping[int, tuple[Reason, str]] = {
    sqlite3.SQLITE_CORRUPT: (Reason.CORRUPT, "{path} is damaged"),
    sqlite3.SQLITE_NOTADB: (Reason.CORRUPT, "{path} is not a SQLite database, or its first page is damaged"),
    sqlite3.SQLITE_BUSY: (Reason.LOCKED, "another process kept {path} locked until the deadline"),
    sqlite3.SQLITE_LOCKED: (Reason.LOCKED, "another process kept {path} locked until the deadline"),
    sqlite3.SQLITE_PERM: (Reason.PERMISSION, "{path} may not be read by the exporter's user"),
    sqlite3.SQLITE_READONLY: (
        Reason.ANSWER,
        "a process died while it wrote to {path}; the service must open it once to undo or to complete that",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        Reason.ANSWER,
        (
            "the write-ahead log of {path} cannot be opened: its -wal or -shm may not be read by the exporter's user, "
            "is missing, or the service keeps the file for itself (locking_mode=EXCLUSIVE)"
        ),
    ),
    sqlite3.SQLITE_NOMEM: (Reason.SIZE, "{path} needs more memory to be read than it may have"),
    sqlite3.SQLITE_TOOBIG: (Reason.SIZE, "{path} holds a definition that is larger than is read"),
    sqlite3.SQLITE_IOERR: (Reason.ANSWER, "{path} cannot be read from its disk"),
}


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _size(path: str) -> int | None:
    """The size of a companion; None if there is none.

    Raises:
        ProbeFailure: `corrupt`: it is no file.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise ProbeFailure(Reason.CORRUPT, f"{path} is not a regular file")
    return found.st_size


def _unseen(error: OSError, path: str) -> ProbeFailure:
    folder = os.path.dirname(path)  # noqa: PTH120 - the path may be of bytes that are no text
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if os.path.isdir(folder):  # noqa: PTH112 - as above
            return ProbeFailure(Reason.MISSING, f"{path} is missing")
        return ProbeFailure(
            Reason.MISSING,
            f"{path} cannot be seen: the exporter has no folder {folder}; mount the volume there or set "
            "exporter.volumes",
        )
    if isinstance(error, PermissionError):
        return ProbeFailure(Reason.PERMISSION, f"{path} may not be looked at by the exporter's user")
    return ProbeFailure(Reason.ANSWER, f"{path} cannot be looked at: {error.strerror}")
