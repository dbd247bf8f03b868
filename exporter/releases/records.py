"""Keep a record of each deploy of an environment: a file with one JSON object per line.

A line is written whole or counts as nothing: what a cut-off write leaves is ignored, and the next record begins a line
of its own.
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
    "ok": "it runs and is healthy",
    "failed": "it was stopped before anything that runs was changed",
    "interrupted": "it was killed before anything that runs was changed",
    "rolled_back": "it was not healthy or was killed, and what ran before runs again",
    "rollback_failed": "it was not healthy, and neither is what ran before",
    "reverted": "a rollback to what ran before an earlier deploy, which `reverts` names",
}
TAIL_BYTES = 1024 * 1024
"""The end of the file that is read: some hundred records of large environments."""


class RecordsError(Exception):
    """The file cannot be read or written. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """The image of one service before and after: its id, and the tag that it ran by; empty where it did not run."""

    before: str
    after: str
    before_tag: str = ""
    after_tag: str = ""


class Image(NamedTuple):
    """The image that a service runs: its id, and the tag in the name that it was started by."""

    id: str
    tag: str


@dataclass(frozen=True, slots=True)
class Record:
    """One deploy. `started`, `finished`: seconds since the epoch. `services`: what it was asked to deploy, all of the
    environment if empty. `version`: the tag. `reverts`: of a rollback, the id of the deploy that it undid."""

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
        """True if what it put there runs."""
        return self.result in ("ok", "reverted")


def add(file: Path, record: Record) -> None:
    """Append a record, and return when it is on the disk.

    Raises:
        RecordsError: the file cannot be written.
    """
    line = json.dumps(asdict(record), ensure_ascii=False).encode() + b"\n"
    try:
        with file.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            size = stream.seek(0, os.SEEK_END)
            if size:
                stream.seek(size - 1)
                if stream.read(1) != b"\n":
                    line = b"\n" + line  # after what a cut-off write left
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise RecordsError(f"the record cannot be written to {file}: {error.strerror}") from None


def last(file: Path, count: int) -> list[Record]:
    """The last records, the oldest of them first; none where there is no file. Lines that are no record are left out.

    Raises:
        RecordsError: the file cannot be read.
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
    # The first piece is a part of a line where the file is longer; the last is no whole line.
    whole = lines[1 if start else 0 : -1]
    records = [record for line in whole if (record := parse(line)) is not None]
    return records[len(records) - min(count, len(records)) :]


def parse(line: bytes) -> Record | None:
    """The record of one line; None where it is none."""
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
    """Return the good deploys that no rollback has undone, the oldest first; with `service`, those that held it.

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
    """Return the images of all services that ran before or run after."""
    none = Image("", "")
    pairs = {name: (before.get(name, none), after.get(name, none)) for name in sorted({*before, *after})}
    return {name: Change(old.id, new.id, old.tag, new.tag) for name, (old, new) in pairs.items()}


_TEXTS = tuple(
    each.name for each in fields(Record) if each.name not in ("services", "images", "started", "finished")
)
