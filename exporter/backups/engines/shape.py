"""The interface of a backup engine: how a kind of store, a volume or the configuration is saved and restored.

Each module of this package is an engine; the package's `ENGINES` lists them. An engine knows its store's own programs
and nothing about backups: not where a backup is, how it is encrypted or sealed, what is stopped during a restore, or
whether it works on production or on a drill's throw-away container.

    save: Place → Target      load: Source → Place

Answers of containers are not trusted: they are limited in size and time, parsed by type (`answers.py`) and never
evaluated. Programs get constant text; names are passed as data.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from exporter.backups.steps import Steps
    from exporter.backups.subjects import Subject

_DAY = 86400.0
_CHUNK = 64 * 1024

Counts = dict[str, int]
"""Counts for people: `{"forms.public.orders": 6}`, `{"files": 12, "bytes": 40960}`."""


class Readable(Protocol):
    """Bytes of a backup or of a program, read once."""

    def read(self, size: int, /) -> bytes: ...


def read_all(source: Readable, limit: int) -> bytes:
    """Return the rest of a stream. Raises BackupsError if that is more than `limit` bytes."""
    kept = bytearray()
    while piece := source.read(min(_CHUNK, limit + 1 - len(kept))):
        kept += piece
        if len(kept) > limit:
            raise BackupsError(f"a file of the backup is longer than {limit:,} bytes")
    return bytes(kept)


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a program in a container. `said`: the end of its standard error."""

    status: int
    said: bytes = b""


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume or bind mount of a container. `source`: the volume's name, or the host's path."""

    type: str
    source: str
    target: str
    writable: bool = True


class Host(Protocol):
    """The actions of an engine on a Docker host. Every call has a deadline, and raises if Docker stops answering."""

    def execute(
        self,
        container: str,
        argv: Sequence[str],
        *,
        source: Readable | None = None,
        target: Writable | None = None,
        seconds: float,
    ) -> Ended:
        """Run a program in a running container: `source` is its standard input, `target` gets its output.

        `source.read` may return less than was asked for, and what it returns goes to the program at once. An error
        that `target.write` raises ends the call, and is raised.
        """

    def throw_away(
        self,
        argv: Sequence[str],
        *,
        image: str,
        mounts: Sequence[Mount] = (),
        user: str = "0:0",
        capabilities: Sequence[str] | None = None,
        source: Readable | None = None,
        target: Writable | None = None,
        seconds: float,
    ) -> Ended:
        """Run a program in a new container without a network and with a read-only root, and remove the container.

        `capabilities`: all others are dropped; None keeps Docker's default ones.
        """

    def is_running(self, container: str) -> bool:
        """True if the container's first process runs."""

    def image(self, container: str) -> str:
        """Return the name of the image that the container was started from."""

    def user(self, container: str) -> str:
        """Return the user of the container's image, or an empty text for root."""

    def mounts(self, container: str) -> tuple[Mount, ...]:
        """Return the container's volumes and bind mounts."""

    def start(self, container: str) -> None:
        """Start a stopped container."""

    def stop(self, container: str) -> None:
        """Stop a container, with its grace period."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a subject's data, in production or in a drill's throw-away container.

    Attributes:
        container: id of the store's container. SQLite: the one that has the file's volume, running or not.
        volume: Docker's name of a volume.
        folder, files: the configuration's folder, and the files in it that the catalog names.
        path: SQLite's file in the container; for `load` of Redis its data folder, if it is not the saved one.
        user, secret: how to log in. The secret is the name of a file in the container's /run/secrets; empty if no
            password is needed.
        address: where MongoDB listens; empty for the container's own address.
        mounts: replace the container's mounts, for a drill of SQLite, which has no container.
        helper_image: an image with sh, tar, find and stat.
        python_image: an image with python3; empty for the container's own image.
        deadline: end of the whole run, on the monotonic clock.
    """

    subject: Subject
    host: Host
    steps: Steps
    container: str = ""
    volume: str = ""
    folder: Path | None = None
    files: tuple[str, ...] = ()
    path: str = ""
    user: str = ""
    secret: str = ""
    address: str = ""
    mounts: tuple[Mount, ...] = ()
    helper_image: str = "busybox:1.37"
    python_image: str = ""
    ready_seconds: float = 120.0
    deadline: float = math.inf

    @property
    def name(self) -> str:
        """Return the subject's name in the catalog."""
        return self.subject.name

    @property
    def seconds_left(self) -> float:
        """Return the seconds left of the whole run, at most a day; 0 if its time is up."""
        return max(0.0, min(self.deadline - time.monotonic(), _DAY))


class Target(Protocol):
    """The unfinished backup of one subject."""

    def file(self, path: str, content: str, what: str = "") -> AbstractContextManager[Writable]:
        """Open a new file of the backup. It is encrypted if the catalog says so, and noted when it is complete.

        `load` asks for it by `content`, such as `database` or `counts`, and by `what`, the object, such as a
        database's name. If the block ends with an error, the file is removed.
        """

    def fact(self, key: str, value: str) -> None:
        """Note a fact for the manifest, such as `version`: a printable text of at most 1,000 characters."""


class Source(Protocol):
    """One subject of a verified backup. Its texts are still not trusted."""

    def objects(self, content: str) -> tuple[str, ...]:
        """Return the objects of all files with this content, in the order they were saved."""

    def open(self, content: str, what: str | None = None) -> AbstractContextManager[Readable]:
        """Open a file for decrypted reading. At its end the block raises BackupsError if the file is not complete."""

    def fact(self, key: str) -> str:
        """Return a fact that was noted at the backup, or an empty text."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing that was counted at the backup and after the restore: `forms.public.orders`, 6 and 6.

    `good` is False if they differ by more than is allowed: documents can come or go while MongoDB is saved.
    """

    what: str
    saved: int
    restored: int
    good: bool = True


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of `load`, for people. `files`: files of the configuration."""

    compared: tuple[Compared, ...] = ()
    files: tuple[str, ...] = ()


class Engine(Protocol):
    """A module of this package. All functions raise BackupsError with one sentence; errors of the host pass through."""

    def version(self, place: Place) -> str:
        """Return the version of the running store, or an empty text if it has none."""

    def ready(self, place: Place) -> bool:
        """True if the store is ready for `load`; called again until it is, or time is up."""

    def count(self, place: Place) -> Counts:
        """Count the current data: rows, documents, keys or files."""

    def save(self, place: Place, target: Target) -> Counts:
        """Save everything from the running store and return the counts; a snapshot, if the store can make one.

        Changes nothing that the store or its users can see.
        """

    def load(self, place: Place, source: Source) -> Restored:
        """Restore what was saved, and compare it with the counts taken then.

        The caller has stopped the services that write. PostgreSQL and MongoDB must run, Redis and SQLite need not. If
        this raises, a PostgreSQL database, a Redis or an SQLite file has its old data; the old data of a MongoDB, a
        volume or the configuration is not kept. If it is killed at any moment, the next call completes it.
        """
