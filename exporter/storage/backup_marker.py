"""Backup markers: one small JSON file per store and volume. docs/backup-marker.md describes the format.

The functions that change a marker take its text and return the new one; `update_marker` replaces it atomically, so a
reader sees either the old or the new one.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 1
MAX_BYTES = 64 * 1024
MAX_TEXT = 500
"""Characters of an error or of the id of a backup."""
MAX_TIME = 1e11
"""Seconds since the epoch; a larger value would be in milliseconds."""
MAX_NUMBER = 1e18
"""Bytes or seconds."""
CUT_OFF = "it was interrupted before it ended"

Kind = Literal["store", "volume", "configuration"]


class MarkerError(Exception):
    """A text that is not a marker, or does not allow this change. One sentence without the name of the file."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A running backup or drill. After `time_limit` seconds it counts as interrupted."""

    started: float
    time_limit: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run or drill. `finished`: None if it was interrupted. `backup`: the one that a drill restored."""

    started: float
    finished: float | None
    success: bool
    error: str = ""
    backup: str = ""


@dataclass(frozen=True, slots=True)
class Success:
    """The last successful backup. `backup`: its id. `size_bytes`: as stored. `sha256`: of the stored data, if known."""

    started: float
    finished: float
    size_bytes: int
    backup: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class BackupMarker:
    """The state of the backups of one store or volume. Times: seconds since the epoch, by the writer's clock."""

    name: str
    kind: Kind
    environment: str
    last_run: Outcome | None = None
    last_success: Success | None = None
    last_drill: Outcome | None = None
    current_run: UnderWay | None = None
    current_drill: UnderWay | None = None

    def run(self, now: float) -> Outcome | None:
        """Return the last finished run at `now`; a run that exceeds its time limit has failed."""
        return _judged(self.current_run, self.last_run, now)

    def drill(self, now: float) -> Outcome | None:
        """Return the last finished drill at `now`; a drill that exceeds its time limit has failed."""
        return _judged(self.current_drill, self.last_drill, now)


def _judged(current: UnderWay | None, last: Outcome | None, now: float) -> Outcome | None:
    if current is not None and now > current.started + current.time_limit:
        return Outcome(current.started, None, success=False, error=CUT_OFF)
    return last


def parse_marker(text: str | bytes, name: str | None = None) -> BackupMarker:
    """Parse a marker; `name` is that of its file, without the suffix. Raises MarkerError."""
    fields = _fields(text)
    found = _Fields(fields, "")
    marker = BackupMarker(
        name=found.text("name"),
        kind=cast("Kind", found.text("kind")),
        environment=found.text("environment"),
        last_run=_outcome(found.part("last_run")),
        last_success=_success(found.part("last_success")),
        last_drill=_outcome(found.part("last_drill")),
        current_run=_under_way(found.part("current_run")),
        current_drill=_under_way(found.part("current_drill")),
    )
    if marker.kind not in get_args(Kind):
        raise MarkerError(f"kind is {marker.kind!r}, not one of {', '.join(get_args(Kind))}")
    if name is not None and marker.name != name:
        raise MarkerError(f"it belongs to {marker.name!r}, not to {name!r}")
    return marker


def begin_run(
    old: str | None, *, name: str, kind: Kind, environment: str, now: float, time_limit: float
) -> str:
    """Return the marker with a new run. One that never ended was interrupted: the last run. Raises MarkerError."""
    fields = _fields(old) if old is not None else {}
    fields.update({"format": FORMAT, "name": name, "kind": kind, "environment": environment})
    return _begun(fields, "run", now, time_limit)


def end_run(
    old: str,
    *,
    now: float,
    error: str | None = None,
    backup: str = "",
    size_bytes: int = 0,
    sha256: str | None = None,
) -> str:
    """Return the marker with the run ended, with an error or a backup. Raises MarkerError if no run was begun."""
    fields = _ended(_fields(old), "run", now, error, {})
    if error is None:
        good = {"started": fields["last_run"]["started"], "finished": now}
        good |= {"size_bytes": size_bytes, "backup": backup}
        fields["last_success"] = good | ({} if sha256 is None else {"sha256": sha256})
    return _text(fields)


def new_marker(*, name: str, kind: Kind, environment: str) -> str:
    """Return a marker without a run, for a drill on a host that never made a backup."""
    return _text({"format": FORMAT, "name": name, "kind": kind, "environment": environment})


def begin_drill(old: str, *, now: float, time_limit: float) -> str:
    """Return the marker with a new restore drill. Raises MarkerError."""
    return _begun(_fields(old), "drill", now, time_limit)


def end_drill(old: str, *, now: float, backup: str, error: str | None = None) -> str:
    """Return the marker with the restore drill ended. Raises MarkerError if no drill was begun."""
    return _text(_ended(_fields(old), "drill", now, error, {"backup": backup}))


def update_marker(folder: Path, name: str, change: Callable[[str | None], str]) -> None:
    """Replace the text of FOLDER/NAME.json with the result of `change` (called with None if there is no file).

    A lock allows one writer at a time. Raises MarkerError and OSError; the old marker then stays unchanged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place, temporary = folder / f"{name}.json", folder / f".{name}.json.new"
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            old = place.read_text(encoding="utf-8") if place.exists() else None
        except UnicodeDecodeError:
            raise MarkerError("it is not JSON") from None
        text = change(old)
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            temporary.replace(place)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


def _begun(fields: dict[str, Any], what: Literal["run", "drill"], now: float, time_limit: float) -> str:
    if (current := _Fields(fields, "").part(f"current_{what}")) is not None:
        cut_off = {"started": current.time("started"), "finished": None, "success": False, "error": CUT_OFF}
        fields[f"last_{what}"] = cut_off
    fields[f"current_{what}"] = {"started": now, "time_limit": time_limit}
    return _text(fields)


def _ended(
    fields: dict[str, Any], what: Literal["run", "drill"], now: float, error: str | None, more: dict[str, str]
) -> dict[str, Any]:
    current = _Fields(fields, "").part(f"current_{what}")
    if current is None:
        raise MarkerError(f"no {what} was begun")
    del fields[f"current_{what}"]
    fields[f"last_{what}"] = {
        "started": current.time("started"),
        "finished": now,
        "success": error is None,
        "error": " ".join((error or "").split())[:MAX_TEXT],
        **more,
    }
    return fields


def _text(fields: dict[str, Any]) -> str:
    """Return the JSON text. Raises MarkerError if a reader would refuse it."""
    text = json.dumps(fields, indent=2) + "\n"
    parse_marker(text)
    return text


def _fields(text: str | bytes) -> dict[str, Any]:
    """Parse the JSON of a marker and check its format; unknown keys are kept."""
    if len(text) > MAX_BYTES:
        raise MarkerError(f"it has more than {MAX_BYTES} bytes")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise MarkerError("it is not JSON") from None
    if not isinstance(fields, dict):
        raise MarkerError("it is not a JSON object")
    if type(fields.get("format")) is not int or fields["format"] != FORMAT:
        raise MarkerError(f"its format is not {FORMAT}, the only supported one")
    return fields


class _Fields:
    """Values of a JSON object, each checked for its type."""

    def __init__(self, fields: dict[str, Any], where: str) -> None:
        self._fields = fields
        self._where = where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._fields.get(key, default)
        if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
            raise MarkerError(f"{self._where}{key} is not a text of at most {MAX_TEXT} characters")
        return value

    def number(self, key: str) -> float:
        value = self._fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_NUMBER:
            raise MarkerError(f"{self._where}{key} is not a number from 0 to {MAX_NUMBER:g}")
        return value

    def time(self, key: str) -> float:
        value = self.number(key)
        if value >= MAX_TIME:
            raise MarkerError(f"{self._where}{key} is not in seconds since 1970")
        return value

    def truth(self, key: str) -> bool:
        value = self._fields.get(key)
        if not isinstance(value, bool):
            raise MarkerError(f"{self._where}{key} is not true or false")
        return value

    def absent(self, key: str) -> bool:
        return self._fields.get(key) is None

    def part(self, key: str) -> _Fields | None:
        value = self._fields.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise MarkerError(f"{key} is not a JSON object")
        return _Fields(value, f"{key}.")


def _under_way(found: _Fields | None) -> UnderWay | None:
    return None if found is None else UnderWay(found.time("started"), found.number("time_limit"))


def _outcome(found: _Fields | None) -> Outcome | None:
    if found is None:
        return None
    return Outcome(
        started=found.time("started"),
        finished=None if found.absent("finished") else found.time("finished"),
        success=found.truth("success"),
        error=found.text("error", ""),
        backup=found.text("backup", ""),
    )


def _success(found: _Fields | None) -> Success | None:
    if found is None:
        return None
    size = found.number("size_bytes")
    if not isinstance(size, int):
        raise MarkerError("last_success.size_bytes is not a whole number")
    return Success(
        started=found.time("started"),
        finished=found.time("finished"),
        size_bytes=size,
        backup=found.text("backup"),
        sha256=None if found.absent("sha256") else found.text("sha256"),
    )
