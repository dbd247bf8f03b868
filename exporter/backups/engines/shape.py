"""The one shape of an engine of backups: how a kind of store, a volume or the configuration is saved and put back.

Each module of this package is such an engine; `ENGINES` of the package is the table of them. An engine knows its
store's own programs and nothing of backups: not where a backup is, how it is encrypted or sealed, what is stopped
meanwhile, or whether it works on what serves customers or on a drill's throw-away container.

    save: Place → Target      load: Source → Place

What a container answers is hostile: bytes with a limit on size and time, parsed by type (`answers.py`), and never
evaluated. Programs get constant text; names go along as data.
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
"""How much there is, for a person: `{"forms.public.orders": 6}`, `{"files": 12, "bytes": 40960}`."""


class Readable(Protocol):
    """Bytes of a backup or of a program, read once."""

    def read(self, size: int, /) -> bytes: ...


def read_all(source: Readable, limit: int) -> bytes:
    """Return all that is left of a stream. Raises BackupsError if that is more than `limit` bytes."""
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
    """How a program in a container ended. `said`: the end of its standard error."""

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
    """What an engine does on a Docker host. Every call has a deadline; losing the Docker engine raises."""

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
        """Run a program in a container of its own, which has no network and a read-only root, and is removed.

        `capabilities`: all others are dropped; None leaves those that containers usually have.
        """

    def is_running(self, container: str) -> bool:
        """True if the container's first process runs."""

    def image(self, container: str) -> str:
        """Return the name of its image, as it was started by."""

    def user(self, container: str) -> str:
        """Return the user of its image, or an empty text for root."""

    def mounts(self, container: str) -> tuple[Mount, ...]:
        """Return its volumes and bind mounts."""

    def start(self, container: str) -> None:
        """Start a container that is stopped."""

    def stop(self, container: str) -> None:
        """Stop a container, with the time that it has for its end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject's data is, or is to be: what serves customers, or what a drill has started for itself.

    Attributes:
        container: id of the store's container; of SQLite, of the one that has the file's volume, running or not.
        volume: the Docker engine's name of a volume.
        folder, files: of the configuration: where it is, and what of it the catalog names.
        path: SQLite's file in the container; for `load` of Redis its data folder, if it is not the saved one.
        user, secret: how to log in. The secret is the name of a file in the container's /run/secrets; empty where
            no password is asked for.
        address: where MongoDB listens; empty for the container's own address.
        mounts: instead of the container's own, for a drill of SQLite, which has no container.
        helper_image: has sh, tar, find and stat.
        python_image: has python3; empty for the container's own image.
        deadline: of the whole run, on the monotonic clock.
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
        """The subject's name in the catalog."""
        return self.subject.name

    @property
    def seconds_left(self) -> float:
        """Seconds until the whole run must be over, at most a day; 0 if it is."""
        return max(0.0, min(self.deadline - time.monotonic(), _DAY))


class Target(Protocol):
    """The half-made backup of one subject."""

    def file(self, path: str, content: str, what: str = "") -> AbstractContextManager[Writable]:
        """Open a new file of the backup, which is encrypted where the catalog says so, and noted when it is whole.

        `content` is how `load` asks for it, such as `database` or `counts`; `what` is the object, such as a
        database's name. A file whose block ends by an error is removed.
        """

    def fact(self, key: str, value: str) -> None:
        """Note a fact for the manifest, such as `version`: a printable text of at most 1,000 characters."""


class Source(Protocol):
    """One subject as a verified backup holds it. Its texts are hostile even so."""

    def objects(self, content: str) -> tuple[str, ...]:
        """Return the objects of all files with this content, in the order in which they were saved."""

    def open(self, content: str, what: str | None = None) -> AbstractContextManager[Readable]:
        """Open a file, decrypted. The block's end raises BackupsError if it could not be read to its end."""

    def fact(self, key: str) -> str:
        """Return what was noted when it was saved, or an empty text."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing that was counted when it was saved and after it was put back: `forms.public.orders`, 6 and 6.

    `good` is False where they differ by more than they may: a document can come or go while MongoDB is saved.
    """

    what: str
    saved: int
    restored: int
    good: bool = True


@dataclass(frozen=True, slots=True)
class Restored:
    """What `load` has put back, for a person. `files`: the configuration's."""

    compared: tuple[Compared, ...] = ()
    files: tuple[str, ...] = ()


class Engine(Protocol):
    """A module of this package. All functions raise BackupsError with one sentence; what the host raises passes."""

    def version(self, place: Place) -> str:
        """Return the version of the store that runs, or an empty text where there is none to ask for."""

    def ready(self, place: Place) -> bool:
        """True if the store answers and accepts what `load` does; asked again until it does, or time is up."""

    def count(self, place: Place) -> Counts:
        """Count what is there now: rows, documents, keys or files."""

    def save(self, place: Place, target: Target) -> Counts:
        """Save all of it from what runs, as of one moment where the store can do that; return what was saved.

        Changes nothing that the store or its users can see.
        """

    def load(self, place: Place, source: Source) -> Restored:
        """Put back what was saved, and compare it with what was counted then.

        Whoever calls this has stopped the services that write. PostgreSQL and MongoDB run, Redis and SQLite need not.
        A PostgreSQL database, Redis and an SQLite file that cannot be put back are as before when this raises; of a
        MongoDB, a volume and the configuration nothing of before is kept. Killed at any moment and called again, it
        completes what it began.
        """
