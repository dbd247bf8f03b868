"""MySQL and MariaDB: one dump per database, each a snapshot, with rows counted before and after it.

Another connection cannot count in a dump's snapshot. MariaDB's accounts are saved too; mysqldump has no option for it.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.backups.engines import answers
from exporter.backups.engines.inside import Bounded, ask, stream, succeeds, wait_until_ready
from exporter.backups.engines.shape import Compared, Restored, read_all
from exporter.backups.steps import printable
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.backups.engines.shape import Counts, Place, Source, Target

Rows = dict[tuple[str, ...], int]

_COUNT_BYTES = 64 * 1024 * 1024
_COUNT_SECONDS = 3600.0
"""InnoDB counts by reading a whole index."""
_MOST_DATABASES = 10_000
_SHOWN = 20
_ROOT = "root"
_ROOT_HOSTS = ("localhost", "127.0.0.1", "::1", "%")

# Runs a program of the image with the password in an option file, which is a pipe: not an argument, not a variable, and
# not a file. By the socket: it needs no TLS, and the images' superuser may log in there. "loose" makes an option that
# the other product does not know a warning.
_TOOL = r"""
set -eu
program=$(command -v "$1" || command -v "$2") || { echo "the image has neither $1 nor $2" >&2; exit 127; }
user=$3
shift 3
password=
if [ -n "${SECRET_FILE:-}" ]; then
  password=$(cat "$SECRET_FILE")
  password=$(printf %s "$password" | sed -e 's/[\\"]/\\&/g' -e '$!s/$/\\n/' | tr -d '\n')
fi
unset PGPASSWORD REDISCLI_AUTH MONGO_PASSWORD
export HOME=/nonexistent
run() {
  exec 4<&0
  printf '[client]\npassword="%s"\n' "$password" | {
    exec 3<&0 0<&4 4<&-
    exec "$program" --defaults-extra-file=/dev/fd/3 "--user=$user" \
      --loose-skip-ssl-verify-server-cert --default-character-set=utf8mb4 --max-allowed-packet=1G "$@"
  }
}
"""
_ONE = 'run "$@"'
_COMPLAINTS = 'run "$@" 2>&1 >/dev/null || true'
"""Runs a program and returns its error output as the answer."""
_TWICE = r"""
statements=$(run "$@")
printf '%s\n' "$statements" | run "$@"
"""
"""Runs the statements that are the answer to the statements in standard input. They do not leave the container."""
_QUIET = ("--batch", "--raw", "--skip-column-names", "--binary-mode")
"""Binary mode: no commands of the client in what it reads."""
_DUMP = (
    *("--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob"),
    *("--no-tablespaces", "--add-drop-database", "--loose-set-gtid-purged=OFF"),
)
"""The tablespaces would need a privilege that only matters to NDB."""
_READY = (
    'program=$(command -v mariadb-admin || command -v mysqladmin) && exec "$program" --host=127.0.0.1 "--port=$1" '
    "--protocol=TCP --connect-timeout=5 --loose-skip-ssl-verify-server-cert --silent ping"
)
_VERSION = b"SELECT VERSION();\n"
_LIST = b"""
SELECT HEX(schema_name) FROM information_schema.schemata
WHERE LOWER(schema_name) NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo')
ORDER BY HEX(schema_name);
"""
_COUNT = r"""
SELECT CONCAT('SELECT ''', HEX(table_schema), ''', ''', HEX(table_name), ''', COUNT(*) FROM `',
  REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`;')
FROM information_schema.tables
WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND HEX(table_schema) = '%s' ORDER BY HEX(table_name);
"""
"""Prints a statement for each table, whose answer is the names in hexadecimal and the rows."""
_MISSING = re.compile(rb"ERROR (?:1146|1305|1147|1141) .*")
"""A right to a table or a routine that does not exist any more."""


def version(place: Place) -> str:
    """Return the server's version."""
    return answers.text(_asked(_entered(place), _VERSION), "the version")


def ready(place: Place) -> bool:
    """True if the server answers by TCP, also if it refuses the login.

    While the image sets up a new data folder, its server answers on the socket only.
    """
    return succeeds(place, ["sh", "-c", _READY, "sh", str(place.subject.port)])


def count(place: Place) -> Counts:
    """Count the rows of every table of every database."""
    place = _entered(place)
    counts: Counts = {}
    for database in _databases(place):
        counts |= _shown(database, _rows(place, database))
    return counts


def save(place: Place, target: Target) -> Counts:
    """Dump each database, with its rows counted before and after, and MariaDB's accounts."""
    place = _entered(place)
    name, steps = place.name, place.steps
    steps.begin(f"listing the databases of {name}")
    is_mariadb = "mariadb" in (found := version(place)).lower()
    target.fact("version", found)
    databases = _databases(place)
    counts: Counts = {}
    for number, database in enumerate(databases, 1):
        steps.begin(f"dumping the database {printable(database)} of {name}")
        counts |= _save_database(place, target, database, f"{number:03}")
    if is_mariadb and place.user == _ROOT:
        steps.begin(f"saving the accounts of {name}")
        with target.file("accounts.sql", "accounts") as file:
            dump = _tool(place, _ONE, ("mariadb-dump", "mysqldump"), "--system=users", "--insert-ignore")
            stream(place, dump, target=file)
    elif not databases:
        raise BackupsError(f"{name} has no database to save")
    else:
        why = "root has another password" if is_mariadb else "MySQL has no program for it"
        steps.say(f"the accounts of {name} are not saved: {why}")
    return counts


def load(place: Place, source: Source) -> Restored:
    """Drop and restore each database that was saved and compare its rows, then restore the accounts."""
    wait_until_ready(place, ready)
    place = _entered(place)
    compared: list[Compared] = []
    for database in source.objects("database"):
        compared += _load_database(place, source, database)
    # At the end: rights to tables can be given only if there are such tables.
    if source.objects("accounts"):
        _load_accounts(place, source)
    return Restored(tuple(compared))


def compare(before: Rows, after: Rows, there: Rows) -> list[Compared]:
    """Compare every table that existed during the whole dump. Rows that came or went during it may be there or not."""
    return [
        Compared(
            ".".join(key),
            after[key],
            there.get(key, 0),
            key in there and min(before[key], after[key]) <= there[key] <= max(before[key], after[key]),
        )
        for key in after
        if key in before
    ]


def accounts_to_load(dump: bytes, user: str) -> bytes:
    """Return the statements for accounts without the passwords of those that the image makes from the secret.

    The secret may have been changed since the backup; services read the secret, so it wins. These accounts are only
    created here if they do not exist.
    """
    own = [*((_ROOT, host) for host in _ROOT_HOSTS), (user, "%")]
    for name, host in own:
        account = f"{_identifier(name)}@{_identifier(host)}".encode()
        # After an account there is no backtick, so this is not part of another account's name.
        identified = (
            rb"(?m)^(GRANT [^\n]* TO "
            + re.escape(account)
            + rb") IDENTIFIED [^`\n]*?((?: REQUIRE | WITH )[^`\n]*)?;$"
        )
        dump = re.sub(identified, rb"\1\2;", dump)
    return dump


def _entered(place: Place) -> Place:
    """Return the place with the user to log in as: the superuser, if the image gave it the same password."""
    if place.user == _ROOT:
        return place
    root = replace(place, user=_ROOT)
    login = _tool(root, _ONE, ("mariadb", "mysql"), *_QUIET, "--execute=SELECT 1")
    return root if succeeds(root, login, logged_in=True) else place


def _databases(place: Place) -> tuple[str, ...]:
    found = tuple(_name(line) for line in _asked(place, _LIST).splitlines())
    if len(found) > _MOST_DATABASES:
        raise BackupsError(f"the databases are not a list of at most {_MOST_DATABASES} names")
    return found


def _save_database(place: Place, target: Target, database: str, number: str) -> Counts:
    before = _rows(place, database)
    dump = _tool(place, _ONE, ("mariadb-dump", "mysqldump"), *_DUMP, "--databases", "--", database)
    with target.file(f"{number}.sql", "database", database) as file:
        stream(place, dump, target=file)
    after = _rows(place, database)
    for path, content, rows in (("before", "counts", before), ("after", "counts-after", after)):
        with target.file(f"{number}.{path}", content, database) as file:
            for key, number_of_rows in rows.items():
                file.write(answers.row_line(key, number_of_rows))
    return _shown(database, after)


def _load_database(place: Place, source: Source, database: str) -> list[Compared]:
    name, steps = place.name, place.steps
    steps.begin(f"restoring the database {printable(database)} of {name}")
    before, after = (_saved(source, content, database) for content in ("counts", "counts-after"))
    with source.open("database", database) as file:
        stream(place, _client(place), source=file)
    steps.begin(f"comparing the rows of the database {printable(database)} of {name}")
    compared = compare(before, after, _rows(place, database))
    if wrong := [each for each in compared if not each.good]:
        for each in wrong[:_SHOWN]:
            steps.say(f"{printable(each.what)}: {each.saved} saved, {each.restored} restored")
        raise BackupsError(
            f"the database {printable(database)} of {name} differs from what was saved (see above)"
        )
    return [replace(each, what=f"{database}.{each.what}") for each in compared]


def _load_accounts(place: Place, source: Source) -> None:
    name, steps = place.name, place.steps
    steps.begin(f"restoring the accounts of {name}")
    with source.open("accounts") as file:
        statements = accounts_to_load(read_all(file, _COUNT_BYTES), place.subject.user)
    complaints = Bounded(_COUNT_BYTES, steps.current)
    tolerant = _tool(place, _COMPLAINTS, ("mariadb", "mysql"), *_QUIET, "--force")
    stream(place, tolerant, source=io.BytesIO(statements), target=complaints)
    if unexpected := [
        line for line in bytes(complaints.kept).splitlines() if line and not _MISSING.fullmatch(line)
    ]:
        steps.failed(b"\n".join(unexpected))
        raise BackupsError(f"the accounts of {name} could not be restored")


def _rows(place: Place, database: str) -> Rows:
    """Count the rows of a database's tables. Its name goes to the server in hexadecimal."""
    given = (_COUNT % database.encode().hex().upper()).encode()
    argv = _tool(place, _TWICE, ("mariadb", "mysql"), *_QUIET)
    rows: Rows = {}
    for line in ask(place, argv, given=given, limit=_COUNT_BYTES, seconds=_COUNT_SECONDS).splitlines():
        schema, *fields = line.split(b"\t")
        if len(fields) != 2 or _name(schema) != database:
            raise BackupsError(f"{place.steps.current} failed: a line of the answer has unexpected fields")
        rows[(_name(fields[0]),)] = answers.number(fields[1], "the number of rows")
    return rows


def _saved(source: Source, content: str, database: str) -> Rows:
    with source.open(content, database) as file:
        lines: Iterable[bytes] = read_all(file, _COUNT_BYTES).splitlines()
    return dict(answers.rows(lines, f"the rows of the database {printable(database)}", words=1))


def _name(answer: bytes) -> str:
    """Return a name that was printed in hexadecimal."""
    try:
        name = bytes.fromhex(answer.decode("ascii")).decode()
    except ValueError:
        raise BackupsError("a name in the answer is not hexadecimal") from None
    if not 0 < len(name) <= answers.TEXT_CHARACTERS or "\0" in name:
        raise BackupsError("a name in the answer is empty or too long")
    return name


def _asked(place: Place, statements: bytes) -> bytes:
    return ask(place, _client(place), given=statements, limit=_COUNT_BYTES)


def _client(place: Place) -> list[str]:
    return _tool(place, _ONE, ("mariadb", "mysql"), *_QUIET)


def _tool(place: Place, how: str, names: tuple[str, str], *options: str) -> list[str]:
    return ["sh", "-c", _TOOL + how, "sh", *names, place.user, *options]


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _shown(database: str, rows: Rows) -> Counts:
    return {".".join((database, *key)): number for key, number in rows.items()}
