"""The state folder of an environment on its host: files that survive a power cut, in the scripts' formats.

lock, lock.holder     one command at a time changes an environment; who that is
current               the step of a deploy that is under way; there only while one is, or after one was killed
restoring             what a restore has not put back yet; there only while one is under way, or was interrupted
deploys.jsonl         a record of each deploy
files                 what containers mount of the generated files, and the catalog: as last deployed
sites/ID, current     the generated files that came from another host, and a link to the last
running               link to what was last found good: Compose files, images.yaml, tag and files, in one folder
releases/ID           such a folder, made by deploy ID
rollback/ID           such a folder, of what ran before deploy ID, and `before`: the image of each service; once
                      it was gone back to, `undone`: the images that ran until then
logs/ID-COMMAND.log   what the tools said while a command ran
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
    """What an interrupted restore has not put back. `command` completes it."""

    names: tuple[str, ...]
    command: str
    sentence: str


@dataclass(frozen=True, slots=True)
class StateFolder:
    """`path` may not exist yet: nothing is read from it then, and the first write makes it."""

    path: Path

    def make(self) -> None:
        """Make the folder if it is not there.

        Raises:
            OperationError: it cannot be made.
        """
        with self._refusals("the folder cannot be made; run as a user who may, or set STATE_FOLDER"):
            self.path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> None:
        """Replace the file `name` (a relative path): all of it or nothing, also when the power fails.

        Raises:
            OperationError: it cannot be written.
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
        """Return the text of the file `name`; None where there is none.

        Raises:
            OperationError: it is there and cannot be read.
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
        """Return the KEY=VALUE lines of the file `name`; the last of a key wins. Empty where there is none."""
        text = self.read(name) or ""
        pairs = (line.partition("=") for line in text.splitlines())
        return {key: value for key, found, value in pairs if found}

    def write_fields(self, name: str, values: Mapping[str, str]) -> None:
        """Replace the file `name` by KEY=VALUE lines; a line break in a value becomes a space."""
        lines = (f"{key}={' '.join(value.splitlines())}\n" for key, value in values.items())
        self.write(name, "".join(lines))

    def remove(self, name: str) -> None:
        """Remove a file, link or folder, if it is there, and return when the disk knows."""
        path = self.path / name
        with self._refusals(f"{name} cannot be removed"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync(path.parent)

    def point_to(self, link: str, target: str) -> None:
        """Make `link` a symbolic link to `target` (relative to the folder), in one step."""
        path = self.path / link
        new = path.with_name(f"{path.name}{_NEW}{os.getpid()}")
        with self._refusals(f"{link} cannot be written"):
            self.path.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            new.symlink_to(target)
            new.replace(path)
            sync(path.parent)

    def clear_unfinished(self) -> None:
        """Remove what writes that were cut off left. Call it with the lock held."""
        with self._refusals("left-overs cannot be removed"):
            for left in self.path.glob(f"*{_NEW}*"):
                left.unlink(missing_ok=True)

    @property
    def running(self) -> Path | None:
        """The folder of what was last found good; None where nothing was deployed."""
        folder = self.path / RUNNING
        return folder if folder.is_dir() else None

    @property
    def running_tag(self) -> str | None:
        """The tag of what was last found good."""
        text = self.read(f"{RUNNING}/tag")
        return text.strip() if text else None

    def half_restored(self, environment: str) -> HalfRestored | None:
        """Return what a restore has left; None where nothing is left. Whether it still runs is not asked."""
        fields = self.fields(RESTORING)
        names = tuple(shown(name) for name in fields.get("names", "").split())
        if not names:
            return None
        backup = shown(fields.get("backup", ""), _PATH_CHARACTERS)
        command = f"exporter restore -e {environment} {backup} {' '.join(names)}"
        sentence = (
            f"the restore from the backup {backup}, begun by {shown(fields.get('user', '?'))} at "
            f"{shown(fields.get('since', '?'))}, has not put back: {' '.join(names)}. Services that write are stopped. "
            f"Run {command} again (or remove {self.path / RESTORING}, if the data is to stay as it is)"
        )
        return HalfRestored(names, command, sentence)

    def restore_left(self, environment: str) -> str | None:
        """Say what a restore has not put back and how that is done; None where nothing is left."""
        left = self.half_restored(environment)
        return left.sentence if left else None

    def new_log(self, command: str) -> Path:
        """Make the file to which the tools of one run of `command` write; the oldest ones are removed."""
        folder = self.path / "logs"
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = folder / f"{now}-{command}-{os.getpid()}.log"
        with self._refusals("its logs cannot be written"):
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
    """Return when the disk has the folder's entries."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
