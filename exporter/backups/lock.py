"""One backup, restore or drill of an environment at a time: a lock on a file in the folder of its backups."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.backups.subjects import FOLDER_VARIABLE, BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
"""The scripts of earlier versions lock the same file."""


@contextmanager
def backups_locked(folder: Path, environment: str) -> Iterator[None]:
    """Hold the lock inside; makes the folder. Raises BackupsError if another one holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BackupsError(
            f"the folder {folder} cannot be written to: {error.strerror}; run as a user who may, "
            f"or set {FOLDER_VARIABLE}"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupsError(
                f"a backup, restore or drill of {environment} is under way; try again when it is done"
            ) from None
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """True if a backup, restore or drill holds the lock now."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BackupsError(f"{folder / LOCK} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
