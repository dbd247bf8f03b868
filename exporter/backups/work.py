"""Temporary files of a run, and the removal of those that killed runs have left."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.backups.docker_host import DRILL_LABEL, HELPER_LABEL
from exporter.backups.encryption import end_agents
from exporter.backups.manifest import PARTIAL
from exporter.backups.retention import REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.backups.docker_host import DockerHost

_KEYRING = "gnupg"


@contextmanager
def keyring(folder: Path) -> Iterator[Path]:
    """Yield a private folder for gpg, which is removed after the block. Raises OSError."""
    with scratch(folder) as work:
        (work / _KEYRING).mkdir(mode=0o700)
        yield work / _KEYRING


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield a private folder, removed after the block or, if this run is killed, by the next run. Raises OSError."""
    work = Path(tempfile.mkdtemp(prefix=_prefix(folder).name))
    try:
        yield work
    finally:
        _remove_work(work)


def remove_leftovers(folder: Path, host: DockerHost, say: Callable[[str], None]) -> None:
    """Remove what killed runs have left. The lock must be held, so that no other run is active."""
    host.remove_left(HELPER_LABEL, DRILL_LABEL)
    prefix = _prefix(folder)
    for path in prefix.parent.glob(f"{prefix.name}*"):
        if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid():
            _remove_work(path)
    for path in (*folder.glob(f"*{PARTIAL}"), *folder.glob(f"*{REMOVED}")):
        if path.is_dir() and not path.is_symlink():
            say(f"removing {path.name}, left by a run that was killed")
            shutil.rmtree(path)


def _prefix(folder: Path) -> Path:
    """Return the path prefix of the work folders that belong to this backup folder."""
    digest = hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"backup.{digest}."


def _remove_work(work: Path) -> None:
    end_agents(work / _KEYRING)
    shutil.rmtree(work, ignore_errors=True)
