"""A PostgreSQL that is saved in the session in which its rows are counted, and one that lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.backups.engines import postgresql
from exporter.backups.engines.psql import Session
from exporter.backups.subjects import BackupsError
from tests.backups.copies import Copy
from tests.backups.local_host import LocalHost, place_of, written_answers

if TYPE_CHECKING:
    from pathlib import Path

# psql: one answer for -c, and a session that answers each statement it knows.
PSQL = """
for word; do
  case $word in
    "SHOW server_version") exec cat "$ANSWERS/version" ;;
    *"SELECT datname"*) exec cat "$ANSWERS/databases" ;;
  esac
done
while IFS= read -r line; do
  case $line in
    *pg_export_snapshot*) cat "$ANSWERS/snapshot" ;;
    *gexec*) cat "$ANSWERS/counts" ;;
    *"echo end"*) echo end ;;
    *q) exit 0 ;;
  esac
done
"""
DATABASES = ("forms", "-rf $(id)\nline two")


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    texts = {
        "version": "15.4\n",
        "databases": "".join(f"{name}\0" for name in DATABASES),
        "snapshot": "00000003-0000001B-1\n",
        "counts": '["public","t",500]\n["public","empty",0]\n',
    }
    return written_answers(tmp_path, monkeypatch, texts)


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    host = LocalHost(tmp_path)
    host.program("psql", PSQL)
    host.program("pg_dump", 'printf "dump of %s" "$*"')
    host.program("pg_dumpall", "echo roles")
    return host


@pytest.mark.usefixtures("answers")
def test_each_database_is_dumped_in_the_snapshot_that_its_rows_are_counted_in(host: LocalHost) -> None:
    copy = Copy()
    counts = postgresql.save(place_of(host, "postgresql"), copy)
    assert counts == {
        f"{name}.public.{table}": n for name in DATABASES for table, n in (("t", 500), ("empty", 0))
    }
    assert copy.objects("database") == DATABASES
    assert copy.files["globals", ""] == b"roles\n"
    assert copy.files["counts", "forms"] == b'["public","t",500]\n["public","empty",0]\n'
    dump = copy.files["database", DATABASES[1]].decode()
    assert dump == f"dump of -Fc -w --snapshot=00000003-0000001B-1 -U postgres -d dbname='{DATABASES[1]}'"
    assert copy.facts == {"version": "15.4"}


@pytest.mark.parametrize(
    ("file", "answer"),
    [
        ("version", "15\x1b[2J\n"),
        ("version", "15\0image\0evil\n"),
        ("databases", "forms"),
        ("databases", "a\0" * 20_000),
        ("databases", "x" * 2000 + "\0"),
        ("snapshot", "$(touch ran)\n"),
        ("snapshot", ""),
        ("snapshot", "0" * 100_000),
        ("counts", "a[$(touch ran)]\n"),
        ("counts", '["public","t","500"]\n'),
        ("counts", '["public","t",5'),
    ],
)
def test_a_postgresql_that_lies_is_not_saved(
    answers: Path, host: LocalHost, monkeypatch: pytest.MonkeyPatch, file: str, answer: str
) -> None:
    monkeypatch.setattr(Session.line, "__defaults__", (2.0,))
    (answers / file).write_text(answer)
    with pytest.raises(BackupsError):
        postgresql.save(place_of(host, "postgresql"), Copy())


@pytest.mark.usefixtures("answers")
def test_a_dump_that_fails_ends_the_session_too(host: LocalHost) -> None:
    host.program("pg_dump", "echo 'pg_dump: error: no' >&2; exit 1")
    said: list[str] = []
    with pytest.raises(BackupsError, match="dumping the database forms of till failed"):
        postgresql.save(place_of(host, "postgresql", said), Copy())
    assert "pg_dump: error: no" in said


@pytest.mark.usefixtures("answers")
def test_a_session_that_cannot_log_in_says_why(host: LocalHost) -> None:
    host.program("psql", PSQL.replace("while IFS", "echo 'psql: error: password' >&2; exit 2\nwhile IFS"))
    said: list[str] = []
    with pytest.raises(BackupsError, match="dumping the database forms of till failed"):
        postgresql.save(place_of(host, "postgresql", said), Copy())
    assert "psql: error: password" in said
