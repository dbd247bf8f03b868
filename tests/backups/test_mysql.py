"""A scripted MariaDB that is saved and restored, and one that lies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.backups.engines import mysql
from exporter.backups.subjects import BackupsError
from tests.backups.copies import Copied, Copy
from tests.backups.local_host import LocalHost, place_of, written_answers

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.engines.shape import Place

# The client answers questions from files, keeps other statements, and lets in the users of the file `users`, with the
# password of the file `login`.
CLIENT = """
file=${1#--defaults-extra-file=}
cat "$file" >"$ANSWERS/options"
env >"$ANSWERS/variables"
user=${2#--user=}
grep -qx -e "$user" "$ANSWERS/users" || { echo "ERROR 1045 (28000): Access denied" >&2; exit 1; }
case "$*" in *--execute=*) exec echo 1 ;; esac
given=$(cat)
case $given in
  *"VERSION()"*) cat "$ANSWERS/version" ;;
  *information_schema.schemata*) cat "$ANSWERS/databases" ;;
  *"b, written, 0"*information_schema.tables*) cat "$ANSWERS/written" ;;
  *information_schema.tables*) echo "count them;" ;;
  "count them;") cat "$ANSWERS/counts" ;;
  *) printf '%s\\n' "$given" >>"$ANSWERS/loaded"; cat "$ANSWERS/complaints" >&2 ;;
esac
"""
DUMP = 'for last; do :; done; printf "dump of %s by %s" "$last" "$2"'
PASSWORD = 'a"b\\c #d'
DATABASE = '-rf $(id)`"\nline two'
"""It contains everything but a zero byte."""


def hexadecimal(name: str) -> str:
    return name.encode().hex().upper()


TIME = "2026-11-30 12:00:00 / 2026-11-30 12:30:00"


def tables(*found: tuple[str, str, int]) -> str:
    """Return the answer about tables: name, time, rows."""
    return "".join(
        f"{hexadecimal(DATABASE)}\t{hexadecimal(name)}\t{time}\t{rows}\n" for name, time, rows in found
    )


COUNTS = tables(("orders", TIME, 500), ("é", TIME, 0))


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    texts = {
        "users": "root\n",
        "version": "11.8.2-MariaDB-ubu2404\n",
        "databases": hexadecimal(DATABASE) + "\n",
        "counts": COUNTS,
        "written": COUNTS,
        "complaints": "",
    }
    return written_answers(tmp_path, monkeypatch, texts)


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    host = LocalHost(tmp_path)
    (host.secrets / "till_password").write_text(PASSWORD + "\n")
    host.program("mariadb", CLIENT)
    host.program("mariadb-dump", DUMP)
    host.program("mariadb-admin", "exit 0")
    return host


def place(host: LocalHost, said: list[str] | None = None, user: str = "app") -> Place:
    place = place_of(host, "mysql", said, secret="till_password")
    return replace(place, user=user, subject=replace(place.subject, user=user))


def saved(host: LocalHost) -> Copy:
    copy = Copy()
    mysql.save(place(host), copy)
    return copy


@pytest.mark.usefixtures("answers")
def test_each_database_is_dumped_and_its_rows_are_counted(host: LocalHost) -> None:
    copy = Copy()
    assert mysql.save(place(host), copy) == {f"{DATABASE}.orders": 500, f"{DATABASE}.é": 0}
    assert copy.objects("database") == (DATABASE,)
    assert copy.files["database", DATABASE].decode() == f"dump of {DATABASE} by --user=root"
    assert copy.files["counts", DATABASE] == '["orders","still",500]\n["é","still",0]\n'.encode()
    assert copy.files["accounts", ""] == b"dump of --insert-ignore by --user=root"
    assert copy.facts == {"version": "11.8.2-MariaDB-ubu2404"}
    dump = next(argv for argv in host.ran if "--databases" in argv)
    assert {"--single-transaction", "--routines", "--events", "--triggers"} <= set(dump)
    assert dump[-2:] == ["--", DATABASE]


def test_the_password_is_only_in_an_option_file_that_is_a_pipe(answers: Path, host: LocalHost) -> None:
    saved(host)
    assert (answers / "options").read_text() == '[client]\npassword="a\\"b\\\\c #d"\n'
    assert PASSWORD not in (answers / "variables").read_text()
    assert not any(PASSWORD in word for argv in host.ran for word in argv)


@pytest.mark.parametrize(
    ("users", "version", "who", "accounts", "why"),
    [
        ("root", "11.8.2-MariaDB", "root", True, ""),
        ("app", "11.8.2-MariaDB", "app", False, "root has another password"),
        ("root", "8.4.5", "root", False, "MySQL has no program for it"),
    ],
)
def test_the_superuser_saves_accounts_too_if_it_has_the_same_password(
    answers: Path, host: LocalHost, users: str, version: str, who: str, accounts: bool, why: str
) -> None:
    (answers / "users").write_text(users + "\n")
    (answers / "version").write_text(version + "\n")
    said: list[str] = []
    copy = Copy()
    mysql.save(place(host, said), copy)
    assert copy.files["database", DATABASE].endswith(f"by --user={who}".encode())
    assert (("accounts", "") in copy.files) is accounts
    assert (f"the accounts of till are not saved: {why}" in said) is not accounts


@pytest.mark.parametrize(
    ("file", "answer"),
    [
        ("version", "11.8\x1b[2J\n"),
        ("version", "x" * 2000),
        ("databases", "shop\n"),
        ("databases", "61" * 2000 + "\n"),
        ("databases", "6100\n"),
        ("databases", "FF\n"),
        ("databases", "\n"),
        ("databases", "61\n" * 10_001),
        ("counts", "$(touch ran)\n"),
        ("counts", f"{hexadecimal('another')}\t61\t{TIME}\t1\n"),
        ("counts", f"{hexadecimal(DATABASE)}\t61\t1\n"),
        ("counts", f"{hexadecimal(DATABASE)}\t61\t{TIME}\n"),
        ("counts", f"{hexadecimal(DATABASE)}\t61\t{TIME}\t-1\n"),
        ("counts", f"{hexadecimal(DATABASE)}\t61\t{TIME}\t1e9\n"),
        ("counts", f"{hexadecimal(DATABASE)}\t61\t{TIME}\t{'1' * 19}\n"),
        ("counts", f"{hexadecimal(DATABASE)}\t61\t\x1b[2J\t1\n"),
        ("counts", f"{hexadecimal(DATABASE)}\tzz\t{TIME}\t1\n"),
        ("written", f"{hexadecimal('another')}\t61\t{TIME}\t0\n"),
        ("written", "$(touch ran)\n"),
    ],
)
def test_a_mysql_that_lies_is_not_saved(answers: Path, host: LocalHost, file: str, answer: str) -> None:
    (answers / file).write_text(answer)
    with pytest.raises(BackupsError) as error:
        saved(host)
    assert "\x1b" not in str(error.value)
    assert "touch" not in str(error.value)


@pytest.mark.parametrize("program", ["mariadb", "mariadb-dump"])
@pytest.mark.usefixtures("answers")
def test_a_program_that_fails_says_why_without_control_characters(host: LocalHost, program: str) -> None:
    host.program(program, "printf 'error: \\033[2Jno\\n' >&2; exit 2")
    said: list[str] = []
    with pytest.raises(BackupsError, match="of till failed"):
        mysql.save(place(host, said, "root"), Copy())
    assert any("no" in line and "error: " in line for line in said)
    assert not any("\x1b" in line for line in said)


def test_a_server_with_neither_a_database_nor_accounts_has_nothing_to_save(
    answers: Path, host: LocalHost
) -> None:
    (answers / "databases").write_text("")
    (answers / "version").write_text("8.4.5\n")
    with pytest.raises(BackupsError, match="till has no database to save"):
        saved(host)


def test_a_restore_loads_each_database_then_the_accounts_and_compares_the_rows(
    answers: Path, host: LocalHost
) -> None:
    copy = saved(host)
    restored = mysql.load(place(host), Copied(copy))
    loaded = (answers / "loaded").read_text()
    assert loaded == f"dump of {DATABASE} by --user=root\ndump of --insert-ignore by --user=root\n"
    assert [(each.what, each.saved, each.restored, each.good) for each in restored.compared] == [
        (f"{DATABASE}.orders", 500, 500, True),
        (f"{DATABASE}.é", 0, 0, True),
    ]


def test_a_restore_with_other_rows_fails_and_says_which(answers: Path, host: LocalHost) -> None:
    copy = saved(host)
    (answers / "counts").write_text(COUNTS.replace("500", "499"))
    said: list[str] = []
    with pytest.raises(BackupsError, match="of till differs from what was saved"):
        mysql.load(place(host, said), Copied(copy))
    assert "orders: 500 saved, 499 restored" in said


@pytest.mark.parametrize(
    ("complaint", "good"),
    [
        ("ERROR 1146 (42S02) at line 40: Table 'a.gone' doesn't exist", True),
        ("ERROR 1305 (42000) at line 41: PROCEDURE a.gone does not exist", True),
        ("ERROR 1064 (42000) at line 1: You have an error in your SQL syntax", False),
        ("ERROR 2013 (HY000): Lost connection \x1b[2J", False),
    ],
)
def test_only_rights_to_what_is_gone_may_be_missing(
    answers: Path, host: LocalHost, complaint: str, good: bool
) -> None:
    copy = saved(host)
    (answers / "complaints").write_text(complaint + "\n")
    said: list[str] = []
    if good:
        mysql.load(place(host, said), Copied(copy))
    else:
        with pytest.raises(BackupsError, match="the accounts of till could not be restored"):
            mysql.load(place(host, said), Copied(copy))
        assert any(line.startswith(complaint[:20]) for line in said)
    assert not any("\x1b" in line for line in said)


LATER = TIME.replace("12:30", "12:31")


@pytest.mark.parametrize(
    ("before", "after", "there", "good"),
    [
        (TIME, TIME, 5, True),
        (TIME, TIME, 6, False),
        (TIME, LATER, 5, True),
        (TIME, LATER, 6, True),
        (TIME, "", 6, True),
        ("", "", 6, True),  # just written to, or partitioned
        (TIME, LATER, None, False),
        (TIME, TIME, None, False),
        (TIME, None, None, None),
    ],
)
def test_rows_are_compared_where_nobody_wrote_during_the_dump(
    before: str, after: str | None, there: int | None, *, good: bool | None
) -> None:
    saved = mysql.certain({"t": (before, 5)}, {} if after is None else {"t": after, "new": TIME})
    found = mysql.compare(saved, {} if there is None else {"t": there})
    assert [each.good for each in found] == ([] if good is None else [good])


def test_a_busy_table_is_saved_restored_and_named_as_not_compared(answers: Path, host: LocalHost) -> None:
    (answers / "written").write_text(tables(("orders", LATER, 0), ("é", TIME, 0)))
    said: list[str] = []
    copy = Copy()
    mysql.save(place(host, said), copy)
    assert any(
        "written to during the dump: 1; a restore does not compare their rows" in line for line in said
    )
    (answers / "counts").write_text(tables(("orders", TIME, 470), ("é", TIME, 0)))
    restored = mysql.load(place(host), Copied(copy))
    assert [(each.what, each.good) for each in restored.compared] == [
        (f"{DATABASE}.orders", True),
        (f"{DATABASE}.é", True),
    ]


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [
        (
            "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED BY PASSWORD '*A1' WITH GRANT OPTION;",
            "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION;",
        ),
        ("GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*A1';", "GRANT USAGE ON *.* TO `app`@`%`;"),
        (
            "GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED VIA ed25519 USING 'x' OR unix_socket REQUIRE SSL;",
            "GRANT USAGE ON *.* TO `app`@`%` REQUIRE SSL;",
        ),
        ("GRANT USAGE ON *.* TO `bob`@`%` IDENTIFIED BY PASSWORD '*A1';", None),
        ("GRANT USAGE ON *.* TO ```app``@``%`` IDENTIFIED `@`%` IDENTIFIED BY PASSWORD '*A1';", None),
        ("CREATE USER IF NOT EXISTS `app`@`%` IDENTIFIED BY PASSWORD '*A1';", None),
    ],
)
def test_accounts_of_the_secret_keep_their_password(statement: str, loaded: str | None) -> None:
    dump = f"-- first\n{statement}\n-- last\n"
    wanted = f"-- first\n{loaded or statement}\n-- last\n"
    assert mysql.accounts_to_load(dump.encode(), "app").decode() == wanted
