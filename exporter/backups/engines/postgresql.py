"""PostgreSQL: pg_dumpall for roles and tablespaces; pg_dump for each database, with rows counted in its snapshot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.backups.engines import answers
from exporter.backups.engines.inside import Bounded, ask, stream, succeeds, wait_until_ready
from exporter.backups.engines.psql import conninfo, psql, session
from exporter.backups.engines.shape import Compared, Restored, read_all
from exporter.backups.steps import printable
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.backups.engines.shape import Counts, Place, Source, Target

Rows = dict[tuple[str, ...], int]

_COUNT_BYTES = 64 * 1024 * 1024
"""A database of 100,000 tables needs about 10 MB."""
_SHOWN = 20
_SNAPSHOT = re.compile(rb"[0-9A-Za-z-]{1,64}\n")
_EXISTS = b"ERROR:  42710"
"""duplicate_object: the role or tablespace already exists."""

_LIST = """
SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname COLLATE "C"
"""
_BEGIN = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n"
_END = b"COMMIT;\n\\q\n"

_COUNT = rb"""
SELECT format('SELECT json_build_array(%L::text, %L::text, count(*))::text FROM ONLY %I.%I',
  n.nspname, c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (
    SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
\gexec
"""
"""One line of JSON for each table: schema, table, rows. Tables of extensions are not part of a dump."""

_NAMES = rb"""
SELECT 'before_restore_' || md5(:'name') AS aside \gset
SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = :'aside') AS killed,
  EXISTS (SELECT 1 FROM pg_database WHERE datname = :'name') AS there \gset
"""
_PUT_ASIDE = (
    _NAMES
    + rb"""
\if :killed
DROP DATABASE IF EXISTS :"name" WITH (FORCE);
\elif :there
ALTER DATABASE :"name" ALLOW_CONNECTIONS false;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'name';
ALTER DATABASE :"name" RENAME TO :"aside";
\endif
"""
)
_PUT_BACK = (
    _NAMES
    + rb"""
\if :killed
DROP DATABASE IF EXISTS :"name" WITH (FORCE);
ALTER DATABASE :"aside" RENAME TO :"name";
ALTER DATABASE :"name" ALLOW_CONNECTIONS true;
\endif
"""
)
_FORGET = _NAMES + b'DROP DATABASE IF EXISTS :"aside" WITH (FORCE);\n'
_KEEP_PASSWORD = rb"""
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\set password `[ -z "$SECRET_FILE" ] || cat "$SECRET_FILE"`
SELECT :'password' <> '' AS known \gset
\if :known
ALTER ROLE :"user" PASSWORD :'password';
\endif
"""
_COMPLAINTS = 'exec "$@" 2>&1 >/dev/null'
"""Runs a program and returns its error output as the answer."""


def version(place: Place) -> str:
    """Return the server's version, from SHOW server_version."""
    return answers.text(ask(place, psql(place, "template1", "-c", "SHOW server_version")), "the version")


def ready(place: Place) -> bool:
    """True if the server answers by TCP; the socket answers already while the image sets up a new data folder."""
    argv = ["pg_isready", "-q", "-h", "127.0.0.1", "-U", place.user, "-d", "template1"]
    return succeeds(place, argv)


def count(place: Place) -> Counts:
    """Count the rows of every table of every database."""
    counts: Counts = {}
    for database in _databases(place):
        counts |= _shown(database, _rows(place, database))
    return counts


def save(place: Place, target: Target) -> Counts:
    """Dump roles, tablespaces and each database, and count the rows of each in the snapshot of its dump."""
    name, steps = place.name, place.steps
    steps.begin(f"listing the databases of {name}")
    target.fact("version", version(place))
    databases = _databases(place)
    steps.begin(f"saving the roles and tablespaces of {name}")
    with target.file("globals.sql", "globals") as file:
        stream(
            place, ["pg_dumpall", "--globals-only", "-w", "-U", place.user, "-l", "template1"], target=file
        )
    counts: Counts = {}
    for number, database in enumerate(databases, 1):
        steps.begin(f"dumping the database {printable(database)} of {name}")
        counts |= _save_database(place, target, database, f"{number:03}")
    return counts


def load(place: Place, source: Source) -> Restored:
    """Restore each database next to the old one, which is dropped once the new one has the saved rows."""
    name, steps = place.name, place.steps
    wait_until_ready(place, ready)
    steps.begin(f"restoring the roles and tablespaces of {name}")
    tolerant = psql(place, "template1", "-v", "ON_ERROR_STOP=0", "-v", "VERBOSITY=sqlstate")
    complaints = Bounded(_COUNT_BYTES, steps.current)
    with source.open("globals") as file:
        stream(place, ["sh", "-c", _COMPLAINTS, "sh", *tolerant], source=file, target=complaints)
    if unexpected := [
        line for line in bytes(complaints.kept).splitlines() if line and not line.endswith(_EXISTS)
    ]:
        steps.failed(b"\n".join(unexpected))
        raise BackupsError(f"the roles of {name} could not be restored")
    # The secret may have been changed since the backup; services read the secret, so it wins.
    ask(place, psql(place, "template1", "-v", f"user={place.user}"), given=_KEEP_PASSWORD)
    compared: list[Compared] = []
    for database in source.objects("database"):
        try:
            compared += _load_database(place, source, database)
        except Exception:
            steps.say(f"putting back the database {printable(database)} as it was")
            ask(place, psql(place, "template1", "-v", f"name={database}"), given=_PUT_BACK)
            raise
    return Restored(tuple(compared))


def _databases(place: Place) -> tuple[str, ...]:
    return answers.names(ask(place, psql(place, "template1", "-0", "-c", _LIST)), "the databases")


def _save_database(place: Place, target: Target, database: str, number: str) -> Counts:
    with session(place, database) as connected:
        connected.send(_BEGIN)
        snapshot = connected.line()
        if not _SNAPSHOT.fullmatch(snapshot):
            raise BackupsError(f"{place.steps.current} failed: PostgreSQL returned no snapshot")
        connected.send(_COUNT + b"\\echo end\n")
        rows = _parsed(connected.lines_until(b"end\n", _COUNT_BYTES), database)
        with target.file(f"{number}.counts", "counts", database) as file:
            for key, number_of_rows in rows.items():
                file.write(answers.row_line(key, number_of_rows))
        dump = ["pg_dump", "-Fc", "-w", f"--snapshot={snapshot.decode().strip()}", "-U", place.user]
        with target.file(f"{number}.dump", "database", database) as file:
            stream(place, [*dump, "-d", conninfo(database)], target=file)
        connected.send(_END)
    return _shown(database, rows)


def _load_database(place: Place, source: Source, database: str) -> list[Compared]:
    name, steps = place.name, place.steps
    steps.begin(f"restoring the database {printable(database)} of {name}")
    administration = psql(place, "template1", "-v", f"name={database}")
    ask(place, administration, given=_PUT_ASIDE)
    restore = [
        "pg_restore",
        "--create",
        "--exit-on-error",
        "-w",
        "-U",
        place.user,
        "-d",
        conninfo("template1"),
    ]
    with source.open("database", database) as file:
        stream(place, restore, source=file)
    steps.begin(f"comparing the rows of the database {printable(database)} of {name}")
    with source.open("counts", database) as file:
        saved = _parsed(read_all(file, _COUNT_BYTES).splitlines(), database)
    compared = compare(database, saved, _rows(place, database))
    if wrong := [each for each in compared if not each.good]:
        for each in wrong[:_SHOWN]:
            steps.say(f"{printable(each.what)}: {each.saved} saved, {each.restored} restored")
        raise BackupsError(
            f"the database {printable(database)} of {name} differs from what was saved (see above)"
        )
    ask(place, administration, given=_FORGET)
    return compared


def compare(database: str, saved: Rows, restored: Rows) -> list[Compared]:
    """Compare the rows of every table. A table that is only on one side is not good."""
    return [
        Compared(
            ".".join((database, *key)),
            saved.get(key, 0),
            restored.get(key, 0),
            saved.get(key) == restored.get(key),
        )
        for key in {**saved, **restored}
    ]


def _rows(place: Place, database: str) -> Rows:
    return _parsed(ask(place, psql(place, database), given=_COUNT, limit=_COUNT_BYTES).splitlines(), database)


def _parsed(lines: Iterable[bytes], database: str) -> Rows:
    return dict(answers.rows(lines, f"the rows of the database {printable(database)}", words=2))


def _shown(database: str, rows: Rows) -> Counts:
    return {".".join((database, *key)): number for key, number in rows.items()}
