"""The folder of an environment's secrets: one file per secret, replaced by a rename, so that it is always complete.

    NAME            the value
    NAME.previous   the previous value
    .next.NAME      the new value while a rotation changes a store, or after that was interrupted
    .new.*          a file that is being written; the next command removes those of a killed one
    .lock           held by the command that changes the folder

Compose mounts a file with its owner and mode, and a container without capabilities, even as root, can only read files
that belong to its user or groups. So files belong to the group 65532, which compose.yaml adds to each container with a
secret.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.values.secret_text import MAX_SECRET_BYTES
from exporter.host.failures import OperationError
from exporter.host.state import sync
from exporter.outputs.compose.names import NOBODY
from exporter.secrets.inventory import PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER_VARIABLE = "SECRETS_OWNER"
MODE = 0o700
"""Mode of the folder: no other user of the host can enter it."""
_NEXT = ".next."
_NEW = ".new."
_LOCK = ".lock"
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of the files: a user, a group, or both. `uid` and `gid`: None to keep the writer's."""

    uid: int | None
    gid: int | None

    @classmethod
    def of(cls, text: str) -> Owner:
        """Parse UID, UID:GID or :GID. Raises OperationError."""
        match = re.fullmatch(r"([0-9]+)?(?::([0-9]+))?", text, re.ASCII)
        if match is None or not text:
            raise OperationError(f"{OWNER_VARIABLE} must be UID, UID:GID or :GID, in numbers", 2)
        return cls(*(int(number) if number else None for number in match.groups()))

    @classmethod
    def default(cls) -> Owner:
        """Return the owner in SECRETS_OWNER, or else the group of containers with secrets."""
        return cls.of(os.environ.get(OWNER_VARIABLE) or f":{NOBODY}")

    @property
    def mode(self) -> int:
        """Return the mode of files: readable by the group only if no user is set."""
        return 0o440 if self.uid is None else 0o400

    def owns(self, found: os.stat_result) -> bool:
        """True if the file belongs to this owner."""
        return self.uid in (None, found.st_uid) and self.gid in (None, found.st_gid)

    def __str__(self) -> str:
        return f"{'' if self.uid is None else self.uid}{'' if self.gid is None else f':{self.gid}'}"


@dataclass(frozen=True, slots=True)
class SecretsFolder:
    """The folder at `path`, which may not exist yet, and the owner of its files."""

    path: Path
    owner: Owner

    def check_readable(self) -> None:
        """Raise OperationError if the folder exists but cannot be read."""
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir() or not os.access(self.path, os.R_OK | os.X_OK):
            raise OperationError(
                f"{self.path} is not a folder that this user can read; run this as its owner or as root"
            )

    def file(self, name: str) -> Path:
        """Return the path of a secret's value."""
        return self.path / name

    def previous(self, name: str) -> Path:
        """Return the path of the previous value."""
        return self.path / f"{name}{PREVIOUS}"

    def next(self, name: str) -> Path:
        """Return the path of the new value during the change of a store."""
        return self.path / f"{_NEXT}{name}"

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a secret's file, without following links, or None if there is no file."""
        try:
            return self.file(name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, path: Path) -> bytes:
        """Return a value. Raises OperationError if it is missing, too large, or not a regular file."""
        with _refusals(f"{path.name} cannot be read"):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OperationError(f"{path} is not a regular file; check what it is, and remove it")
                value = stream.read(MAX_SECRET_BYTES + 1)
        if len(value) > MAX_SECRET_BYTES:
            raise OperationError(f"{path} is larger than {MAX_SECRET_BYTES} bytes")
        return value

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder and hold its lock. Removes partial files of killed commands.

        Raises:
            OperationError: The folder cannot be written to, or another command is using it.
        """
        with _refusals(f"{self.path} cannot be created; run this as root, or set SECRETS_FOLDER"):
            self.path.mkdir(parents=True, exist_ok=True, mode=MODE)
        with _refusals(f"{self.path} cannot be changed; run this as its owner or as root"):
            self.path.chmod(MODE)
            descriptor = os.open(self.path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperationError(
                    f"another exporter secrets command is using {self.path}; try again when it has finished"
                ) from None
            self._remove_unfinished()
            try:
                yield
            finally:
                self._remove_unfinished()
        finally:
            os.close(descriptor)

    def create(self, name: str, value: bytes) -> None:
        """Create a secret's file."""
        self._move(self._written(value), self.file(name))

    def prepare(self, name: str, value: bytes, modified_ns: int | None = None) -> Path:
        """Write the new value next to the secret. `modified_ns`: the modification time of a restored value."""
        self._move(self._written(value, modified_ns), self.next(name))
        return self.next(name)

    def replace(self, name: str) -> None:
        """Keep the value as NAME.previous, and replace it with the prepared one.

        If this is killed at any point, NAME is complete, with the old value or the new one, and the old one is in NAME
        or NAME.previous. Another call completes it.
        """
        if not self.next(name).exists():
            return
        self._move(self._copy(self.file(name)), self.previous(name))
        self._move(self.next(name), self.file(name))

    def discard(self, name: str) -> None:
        """Remove a prepared value."""
        with _refusals(f"{self.next(name)} cannot be removed"):
            self.next(name).unlink(missing_ok=True)
            sync(self.path)

    def own(self, name: str) -> None:
        """Set the right owner and mode of a secret's file."""
        path = self.file(name)
        with _refusals(f"{path} cannot be opened"):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._own(descriptor, str(path))
        finally:
            os.close(descriptor)

    def _own(self, descriptor: int, what: str) -> None:
        with _refusals(f"the owner of {what} cannot be set to {self.owner}; run this as root"):
            os.fchown(
                descriptor, *(-1 if number is None else number for number in (self.owner.uid, self.owner.gid))
            )
        with _refusals(f"the mode of {what} cannot be set"):
            os.fchmod(descriptor, self.owner.mode)

    def _written(self, value: bytes, modified_ns: int | None = None) -> Path:
        with _refusals(f"files in {self.path} cannot be written"):
            descriptor, path = tempfile.mkstemp(prefix=_NEW, dir=self.path)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(value)
                stream.flush()
                self._own(descriptor, f"files in {self.path}")
                if modified_ns is not None:
                    os.utime(descriptor, ns=(modified_ns, modified_ns))
                os.fsync(descriptor)
        return self.path / path

    def _copy(self, source: Path) -> Path:
        """Copy a file of any size with its modification time; only the owner can read the copy."""
        with _refusals(f"{source} cannot be copied"), source.open("rb") as old:
            descriptor, path = tempfile.mkstemp(prefix=_NEW, dir=self.path)
            with os.fdopen(descriptor, "wb") as stream:
                while piece := old.read(_PIECE):
                    stream.write(piece)
                stream.flush()
                os.fchmod(descriptor, 0o400)
                modified = os.fstat(old.fileno()).st_mtime_ns
                os.utime(descriptor, ns=(modified, modified))
                os.fsync(descriptor)
        return self.path / path

    def _move(self, source: Path, target: Path) -> None:
        with _refusals(f"{target} cannot be written"):
            source.replace(target)
            sync(self.path)

    def _remove_unfinished(self) -> None:
        for path in self.path.glob(f"{_NEW}*"):
            with suppress(OSError):
                path.unlink()


@contextmanager
def _refusals(sentence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise OperationError(f"{sentence}: {why}") from None
