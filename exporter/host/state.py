"""The state folder of an environment on its host: files that survive a power failure, in the scripts' formats.

lock, lock.holder     the lock of commands that change the environment, and its holder
current               the step of a running deploy; exists only during a deploy, or after one was killed
restoring             what a restore has not restored yet; exists only during a restore, or after an interrupted one
deploys.jsonl         a record of each deploy
files                 generated files that containers mount, and the catalog: as last deployed
sites/ID, current     generated files that were copied from another host, and a link to the last copy
running               link to the last good release: a folder with Compose files, images.yaml, tag and files
releases/ID           such a folder, made by deploy ID
rollback/ID           such a folder with the release before deploy ID, and `before`: the image of each service;
                      after a rollback to it also `undone`: the images that ran until then
logs/ID-COMMAND.log   output of the tools during a command
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.files import read_regular
from exporter.host.failures import OperationError
from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CURRENT = "current"
RESTORING = "restoring"
RUNNING = "running"
KEPT_LOGS = 20
_FIELDS_BYTES = 1024 * 1024
_NEW = ".new."


_PATH_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class HalfRestored:
    """The rest of an interrupted restore. `command` completes it."""

    names: tuple[str, ...]
    command: str
    sentence: str


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A state folder. If `path` does not exist yet, it reads as empty, and the first write creates it."""

    path: Path

    def make(self) -> None:
        """Create the folder if it does not exist.

        Raises:
            OperationError: The folder cannot be created.
        """
        with self._refusals("cannot create the folder; run as a user with write access, or set STATE_FOLDER"):
            self.path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> None:
        """Replace the file `name` (a relative path) atomically, also if the power fails.

        Raises:
            OperationError: The file cannot be written.
        """
        path = self.path / name
        new = path.with_name(f"{path.name}{_NEW}{os.getpid()}")
        with self._refusals(f"{name} cannot be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(path)
            sync(path.parent)

    def read(self, name: str) -> str | None:
        """Return the text of the file `name`, or None if it does not exist.

        Raises:
            OperationError: The file exists but cannot be read.
        """
        with self._refusals(f"{name} cannot be read"):
            try:
                raw = read_regular(self.path / name, _FIELDS_BYTES)
            except (FileNotFoundError, NotADirectoryError):
                return None
            if len(raw) > _FIELDS_BYTES:
                raise OperationError(f"{self.path / name} is larger than {_FIELDS_BYTES} bytes")
            return raw.decode("utf-8", "replace")

    def fields(self, name: str) -> dict[str, str]:
        """Return the KEY=VALUE lines of the file `name`; the last line of a key wins. Empty without the file."""
        text = self.read(name) or ""
        pairs = (line.partition("=") for line in text.splitlines())
        return {key: value for key, found, value in pairs if found}

    def write_fields(self, name: str, values: Mapping[str, str]) -> None:
        """Replace the file `name` with KEY=VALUE lines; a line break in a value becomes a space."""
        lines = (f"{key}={' '.join(value.splitlines())}\n" for key, value in values.items())
        self.write(name, "".join(lines))

    def remove(self, name: str) -> None:
        """Remove a file, link or folder, if it exists, and sync the disk."""
        path = self.path / name
        with self._refusals(f"{name} cannot be removed"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync(path.parent)

    def point_to(self, link: str, target: str) -> None:
        """Make `link` a symbolic link to `target` (relative to the folder), atomically."""
        path = self.path / link
        new = path.with_name(f"{path.name}{_NEW}{os.getpid()}")
        with self._refusals(f"{link} cannot be written"):
            self.path.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            new.symlink_to(target)
            new.replace(path)
            sync(path.parent)

    def clear_unfinished(self) -> None:
        """Remove the leftovers of interrupted writes. The lock must be held."""
        with self._refusals("leftovers cannot be removed"):
            for left in self.path.glob(f"*{_NEW}*"):
                left.unlink(missing_ok=True)

    @property
    def running(self) -> Path | None:
        """Return the folder of the last good release, or None if nothing was deployed."""
        folder = self.path / RUNNING
        return folder if folder.is_dir() else None

    @property
    def running_tag(self) -> str | None:
        """Return the tag of the last good release."""
        text = self.read(f"{RUNNING}/tag")
        return text.strip() if text else None

    def half_restored(self, environment: str) -> HalfRestored | None:
        """Return the rest of an unfinished restore, or None. The restore may still be running."""
        fields = self.fields(RESTORING)
        names = tuple(shown(name) for name in fields.get("names", "").split())
        if not names:
            return None
        backup = shown(fields.get("backup", ""), _PATH_CHARACTERS)
        command = f"exporter restore -e {environment} {backup} {' '.join(names)}"
        sentence = (
            f"the restore from the backup {backup}, started by {shown(fields.get('user', '?'))} at "
            f"{shown(fields.get('since', '?'))}, did not restore: {' '.join(names)}. Services that write are stopped. "
            f"Run {command} to complete it, or remove {self.path / RESTORING} to keep the data as it is"
        )
        return HalfRestored(names, command, sentence)

    def restore_left(self, environment: str) -> str | None:
        """Return a sentence on what a restore has left and how to complete it, or None."""
        left = self.half_restored(environment)
        return left.sentence if left else None

    def new_log(self, command: str) -> Path:
        """Create the log file for the tools of one run of `command`, and remove the oldest ones."""
        folder = self.path / "logs"
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = folder / f"{now}-{command}-{os.getpid()}.log"
        with self._refusals("the logs cannot be written"):
            folder.mkdir(parents=True, exist_ok=True)
            for old in sorted(folder.glob("*.log"))[: -KEPT_LOGS + 1]:
                old.unlink(missing_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return path

    @contextmanager
    def _refusals(self, sentence: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OperationError(f"{self.path}: {sentence}: {error.strerror or error}") from None


def sync(folder: Path) -> None:
    """Sync the folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
