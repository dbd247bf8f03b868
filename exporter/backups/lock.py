"""The lock that allows one backup, restore or drill of an environment at a time: a file in its backup folder."""

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
    """Hold the lock while the block runs; creates the folder. Raises BackupsError if it is already held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BackupsError(
            f"the folder {folder} cannot be written to: {error.strerror}; run as a user with write access, "
            f"or set {FOLDER_VARIABLE}"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupsError(
                f"another backup, restore or drill of {environment} is running; try again when it has finished"
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
