"""Records of an environment's deploys: a file with one JSON object per line.

An incomplete line of an interrupted write is ignored, and the next record begins on a new line.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

RESULTS = {
    "ok": "it is running and healthy",
    "failed": "it failed before any running container was changed",
    "interrupted": "it was killed before any running container was changed",
    "rolled_back": "it was not healthy or was killed, and the previous release is running again",
    "rollback_failed": "it was not healthy, and the previous release is not healthy either",
    "reverted": "a rollback to the release before an earlier deploy, whose id is in `reverts`",
}
TAIL_BYTES = 1024 * 1024
"""Only the end of the file is read: some hundred records of large environments."""


class RecordsError(Exception):
    """The file cannot be read or written. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """The image of one service before and after: its id and tag, or empty texts if it did not run."""

    before: str
    after: str
    before_tag: str = ""
    after_tag: str = ""


class Image(NamedTuple):
    """The image of a running service: its id, and the tag that it was started with."""

    id: str
    tag: str


@dataclass(frozen=True, slots=True)
class Record:
    """One deploy. `started`, `finished`: seconds since the epoch. `services`: the requested services, empty for all.
    `version`: the tag. `reverts`: for a rollback, the id of the deploy that it undid."""

    id: str
    environment: str
    services: tuple[str, ...]
    who: str
    host: str
    started: float
    finished: float
    result: str
    version: str
    images: Mapping[str, Change] = field(default_factory=dict)
    error: str = ""
    reverts: str = ""

    @property
    def good(self) -> bool:
        """True if the release of this deploy or rollback was running at its end."""
        return self.result in ("ok", "reverted")


def add(file: Path, record: Record) -> None:
    """Append a record, and sync the file to disk.

    Raises:
        RecordsError: The file cannot be written.
    """
    line = json.dumps(asdict(record), ensure_ascii=False).encode() + b"\n"
    try:
        with file.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            size = stream.seek(0, os.SEEK_END)
            if size:
                stream.seek(size - 1)
                if stream.read(1) != b"\n":
                    line = b"\n" + line  # after an interrupted write
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise RecordsError(f"the record cannot be written to {file}: {error.strerror}") from None


def last(file: Path, count: int) -> list[Record]:
    """Return the last records, oldest first; none if there is no file. Lines that are not records are skipped.

    Raises:
        RecordsError: The file cannot be read.
    """
    try:
        with os.fdopen(open_regular(file), "rb") as stream:
            start = max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES)
            stream.seek(start)
            lines = stream.read().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordsError(f"the records cannot be read from {file}: {error.strerror}") from None
    # If the file is longer, the first piece is only part of a line; the last piece is never a complete line.
    whole = lines[1 if start else 0 : -1]
    records = [record for line in whole if (record := parse(line)) is not None]
    return records[len(records) - min(count, len(records)) :]


def parse(line: bytes) -> Record | None:
    """Parse the record of one line; None if it is not a record."""
    try:
        found = json.loads(line)
        images = {
            str(name): Change(
                *(str(change[key]) for key in ("before", "after")),
                *(str(change.get(key, "")) for key in ("before_tag", "after_tag")),
            )
            for name, change in found["images"].items()
        }
        values: dict[str, Any] = {
            **{name: str(found[name]) for name in _TEXTS},
            **{name: float(found[name]) for name in ("started", "finished")},
        }
        return Record(services=tuple(map(str, found["services"])), images=images, **values)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def undoable(records: Iterable[Record], service: str = "") -> list[Record]:
    """Return the good deploys that no rollback has undone, oldest first. `service`: only those that included it.

    A rollback undoes the deploy that it names and all later ones.
    """
    held: dict[str, set[str]] = {}
    good: dict[str, Record] = {}
    for record in records:
        if record.result == "ok":
            good[record.id] = record
            held[record.id] = set(record.services or record.images)
        elif record.result == "reverted" and record.reverts in held:
            order = list(held)
            for later in order[order.index(record.reverts) :]:
                held[later] -= set(record.services) or held[later]
    return [good[id_] for id_, names in held.items() if (service in names if service else names)]


def changes(before: Mapping[str, Image], after: Mapping[str, Image]) -> dict[str, Change]:
    """Return the image changes of all services that ran before or run after."""
    none = Image("", "")
    pairs = {name: (before.get(name, none), after.get(name, none)) for name in sorted({*before, *after})}
    return {name: Change(old.id, new.id, old.tag, new.tag) for name, (old, new) in pairs.items()}


_TEXTS = tuple(
    each.name for each in fields(Record) if each.name not in ("services", "images", "started", "finished")
)
