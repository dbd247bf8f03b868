"""MySQL and MariaDB: one dump per database, each a snapshot, with the rows of each table.

Another connection cannot count in a dump's snapshot. So rows are counted before it, and are certain only for tables
that nobody writes to until it is complete. MariaDB's accounts are saved too; mysqldump has no option for it.
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
    from collections.abc import Iterable, Mapping

    from exporter.backups.engines.shape import Counts, Place, Source, Target

STILL = "still"
CHANGING = "changing"
Rows = dict[tuple[str, str], int]
"""Rows of each table, by its name and STILL or CHANGING: not certain."""
Counted = dict[str, tuple[str, int]]
"""When each table was last written to, empty if that is not certain, and its rows."""

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
# When a table was last written to, in seconds. Of a partitioned table that is not known, and in the current second more
# can be written. MySQL keeps such times for a day, unless the session forbids it; MariaDB skips that comment.
_TABLES = r"""
/*!80000 SET SESSION information_schema_stats_expiry = 0 */;
SELECT {shown}
FROM (
  SELECT HEX(table_schema) AS a, HEX(table_name) AS b,
    CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`') AS quoted,
    IF(create_options LIKE '%partitioned%' OR update_time > NOW() - INTERVAL 2 SECOND, '',
      CONCAT_WS(' ', create_time, '/', update_time)) AS written
  FROM information_schema.tables
  WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND HEX(table_schema) = '{database}'
) AS found
ORDER BY b;
"""
_NOT_COUNTED = "a, b, written, 0"
_COUNTED = r"CONCAT('SELECT ''', a, ''', ''', b, ''', ''', written, ''', COUNT(*) FROM ', quoted, ';')"
"""A statement for each table, whose answer are the same columns, with the rows."""
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
        counts |= _shown(database, {table: rows for table, (_, rows) in _counted(place, database).items()})
    return counts


def save(place: Place, target: Target) -> Counts:
    """Count the rows of each database and dump it, then dump MariaDB's accounts."""
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


def certain(counted: Counted, written: Mapping[str, str]) -> Rows:
    """Return the rows of the tables that were there before and after the dump.

    `counted`: when each was last written to and its rows, before the dump. `written`: the same times after it.
    """
    return {
        (table, STILL if time and written[table] == time else CHANGING): rows
        for table, (time, rows) in counted.items()
        if table in written
    }


def compare(saved: Rows, there: Mapping[str, int]) -> list[Compared]:
    """Compare every table. One that was written to during the dump can have any number of rows."""
    return [
        Compared(
            table,
            rows,
            there.get(table, 0),
            table in there and (state == CHANGING or there[table] == rows),
        )
        for (table, state), rows in saved.items()
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
    counted = _counted(place, database)
    dump = _tool(place, _ONE, ("mariadb-dump", "mysqldump"), *_DUMP, "--databases", "--", database)
    with target.file(f"{number}.sql", "database", database) as file:
        stream(place, dump, target=file)
    saved = certain(counted, _written(place, database))
    with target.file(f"{number}.counts", "counts", database) as file:
        for key, rows in saved.items():
            file.write(answers.row_line(key, rows))
    if changing := sum(state == CHANGING for _, state in saved):
        place.steps.say(
            f"tables of the database {printable(database)} that were written to during the dump: {changing}; "
            "a restore does not compare their rows"
        )
    return _shown(database, {table: rows for (table, _), rows in saved.items()})


def _load_database(place: Place, source: Source, database: str) -> list[Compared]:
    name, steps = place.name, place.steps
    steps.begin(f"restoring the database {printable(database)} of {name}")
    saved = _saved(source, database)
    with source.open("database", database) as file:
        stream(place, _client(place), source=file)
    steps.begin(f"comparing the rows of the database {printable(database)} of {name}")
    compared = compare(saved, {table: rows for table, (_, rows) in _counted(place, database).items()})
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


def _counted(place: Place, database: str) -> Counted:
    """Return when each table of a database was last written to, and then its rows."""
    return _tables(place, _tool(place, _TWICE, ("mariadb", "mysql"), *_QUIET), database, _COUNTED)


def _written(place: Place, database: str) -> dict[str, str]:
    """Return when each table of a database was last written to."""
    found = _tables(place, _client(place), database, _NOT_COUNTED)
    return {table: time for table, (time, _) in found.items()}


def _tables(place: Place, argv: list[str], database: str, shown: str) -> Counted:
    """Ask for the tables of a database. Its name goes to the server in hexadecimal."""
    given = _TABLES.format(shown=shown, database=database.encode().hex().upper()).encode()
    found: Counted = {}
    for line in ask(place, argv, given=given, limit=_COUNT_BYTES, seconds=_COUNT_SECONDS).splitlines():
        schema, *fields = line.split(b"\t")
        if len(fields) != 3 or _name(schema) != database:
            raise BackupsError(f"{place.steps.current} failed: a line of the answer has unexpected fields")
        time = answers.text(fields[1], "the time of a table")
        found[_name(fields[0])] = (time, answers.number(fields[2], "the number of rows"))
    return found


def _saved(source: Source, database: str) -> Rows:
    what = f"the rows of the database {printable(database)}"
    with source.open("counts", database) as file:
        lines: Iterable[bytes] = read_all(file, _COUNT_BYTES).splitlines()
    return {(table, state): rows for (table, state), rows in answers.rows(lines, what, words=2)}


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


def _shown(database: str, rows: Mapping[str, int]) -> Counts:
    return {f"{database}.{table}": number for table, number in rows.items()}
