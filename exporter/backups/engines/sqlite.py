"""SQLite: its online backup, by a Python with the service's volume. The service need not run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.backups.engines.mounts import mount_of
from exporter.backups.engines.packing import Unpacked, packed
from exporter.backups.engines.shape import Compared, Restored, read_all
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from exporter.backups.engines.shape import Counts, Place, Readable, Source, Target, Writable

_COUNT_BYTES = 4 * 1024 * 1024

# The copy is made next to the file, where there is room for it. The first line of output and of input is JSON with
# quick_check and the rows of each table. A copy that does not match that line never replaces the file.
_PROGRAM = """
import json, os, shutil, sqlite3, sys, urllib.parse

what, path = sys.argv[1:]
copy = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".backup-copy")


def remove(*suffixes):
    for suffix in suffixes:
        try:
            os.unlink(copy + suffix)
        except FileNotFoundError:
            pass


def facts(file):
    alone = "" if file == path else "&immutable=1"
    base = sqlite3.connect("file:" + urllib.parse.quote(file) + "?mode=ro" + alone, uri=True)
    plain = "type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    tables = base.execute("SELECT name FROM sqlite_master WHERE " + plain + " ORDER BY name")
    quoted = [(name, '"' + name.replace('"', '""') + '"') for (name,) in tables.fetchall()]
    rows = [[name, base.execute("SELECT count(*) FROM " + text).fetchone()[0]] for name, text in quoted]
    checks = [line for (line,) in base.execute("PRAGMA quick_check")]
    base.close()
    if checks != ["ok"]:
        sys.exit("quick_check of " + repr(path) + " failed: " + checks[0])
    return json.dumps({"quick_check": "ok", "tables": rows})


def facts_of_copy():
    with open(copy, "rb+") as file:
        os.fsync(file.fileno())
    return facts(copy)


try:
    if what == "count":
        print(facts(path), flush=True)
        sys.exit(0)
    remove("", "-journal")
    if what == "save":
        source = sqlite3.connect("file:" + urllib.parse.quote(path) + "?mode=rw", uri=True, timeout=30)
        target = sqlite3.connect(copy)
        source.backup(target, pages=4096, sleep=0.01)
        target.execute("PRAGMA journal_mode = DELETE")
        target.close()
        source.close()
        print(facts_of_copy(), flush=True)
        with open(copy, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        expected = sys.stdin.buffer.readline().decode().strip()
        with open(copy, "xb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        found = facts_of_copy()
        if found != expected:
            sys.exit(repr(path) + " was not replaced: the restored copy has " + found + " instead of " + expected)
        if os.path.exists(path):
            shutil.copymode(path, copy)
        for suffix in ("-wal", "-shm", "-journal"):  # first: an old log would be replayed into the new file
            if os.path.lexists(path + suffix):
                os.unlink(path + suffix)
        os.replace(copy, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        os.fsync(folder)
        print(found, flush=True)
except (OSError, sqlite3.Error) as error:
    sys.exit(repr(path) + ": " + str(error))
finally:
    if what != "count":
        remove("", "-journal")
"""


class _FirstLine:
    """A stream that keeps the first line of what is written, and passes on the rest."""

    def __init__(self, rest: Writable | None) -> None:
        self.line = b""
        self._rest = rest
        self._ended = False

    def write(self, data: bytes) -> None:
        if not self._ended:
            line, self._ended, data = _split(self.line + data)
            self.line = line
            if len(line) > _COUNT_BYTES:
                raise BackupsError("the list of tables and their rows is too long")
        if data and self._rest is not None:
            self._rest.write(data)


def version(place: Place) -> str:  # noqa: ARG001 - the shape of an engine
    """Return nothing: a file has no server."""
    return ""


def ready(place: Place) -> bool:  # noqa: ARG001 - the shape of an engine
    """Return True: a file needs nothing that runs."""
    return True


def count(place: Place) -> Counts:
    """Count the rows of every table."""
    answer = _FirstLine(None)
    _python(place, "count", target=answer)
    return _tables(answer.line, place.name)


def save(place: Place, target: Target) -> Counts:
    """Copy the file, which may be in use, check the copy, and count its rows."""
    name = place.name
    place.steps.begin(f"copying the file of {name}")
    with target.file("database.gz", "sqlite") as file, packed(file) as rest:
        answer = _FirstLine(rest)
        _python(place, "save", target=answer)
    counts = _tables(answer.line, name)
    with target.file("counts", "counts") as file:
        file.write(answer.line + b"\n")
    return counts


def load(place: Place, source: Source) -> Restored:
    """Restore the file if its rows match the saved counts; otherwise the old file stays."""
    name = place.name
    place.steps.begin(f"restoring the file of {name}")
    with source.open("counts") as file:
        expected = read_all(file, _COUNT_BYTES).strip()
    saved = _tables(expected, name)
    answer = _FirstLine(None)
    with source.open("sqlite") as file:
        _python(place, "restore", source=Unpacked(file, expected + b"\n"), target=answer)
    restored = _tables(answer.line, name)
    return Restored(tuple(Compared(table, rows, restored.get(table, 0)) for table, rows in saved.items()))


def _python(place: Place, what: str, *, source: Readable | None = None, target: Writable) -> None:
    host = place.host
    user = place.user or (host.user(place.container) if place.container else "")
    ended = host.throw_away(
        ["python3", "-c", _PROGRAM, what, place.path],
        image=place.python_image or host.image(place.container),
        mounts=[mount_of(place, place.path)],
        user=user or "0",
        source=source,
        target=target,
        seconds=place.seconds_left,
    )
    if ended.status:
        raise place.steps.failed(ended.said)


def _split(data: bytes) -> tuple[bytes, bool, bytes]:
    line, end, rest = data.partition(b"\n")
    return line, bool(end), rest


def _tables(line: bytes, name: str) -> Counts:
    try:
        told = json.loads(line)
        tables = told["tables"]
        good = told["quick_check"] == "ok" and all(
            isinstance(table, str) and type(rows) is int and rows >= 0 for table, rows in tables
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise BackupsError(f"the rows of {name} were not counted: the answer is not as expected")
    return dict(tables)
