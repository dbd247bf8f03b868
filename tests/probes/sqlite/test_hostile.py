"""Malicious SQLite files: a result about the file, in little time and memory, never a failure of the exporter."""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.catalog.planning.specs import SqliteSpec
from exporter.probes.base import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.prober import Prober

SCHEMA = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT NOT NULL, amount INT CHECK (amount > 0));
CREATE INDEX by_state ON orders (state);
CREATE VIEW open AS SELECT * FROM orders WHERE state = 'open';
INSERT INTO orders VALUES (1, 'open', 3), (2, 'paid', 5);
"""


def made(path: Path, *, page_size: int = 512) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA page_size = {page_size};" + SCHEMA)
    return path.read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes(data: st.DataObject, prober: Prober, tmp_path: Path) -> None:
    """Rely on `Prober.run`, which asserts that the reason is not `internal`. Names in the schema may
    be invalid text."""
    path = tmp_path / "made.db"
    path.unlink(missing_ok=True)
    content = bytearray(made(path))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    prober.run(SqliteSpec(str(path)))


def test_names_that_are_no_text(prober: Prober, tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    path.write_bytes(made(path).replace(b"CREATE TABLE orders", b"CREATE TABLX \xff\xfe\x9b[m"))
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.CORRUPT, result
    assert result.detail.isprintable()


@pytest.mark.parametrize("companion", ["-wal", "-shm", "-journal"])
def test_companion_that_is_no_file(companion: str, prober: Prober, tmp_path: Path) -> None:
    """Check a FIFO, because opening one waits for its other end."""
    path = tmp_path / "made.db"
    made(path)
    os.mkfifo(f"{path}{companion}")
    result = prober.run(SqliteSpec(str(path)), 0.5)
    assert result.reason is Reason.CORRUPT, result
    assert result.detail == f"{path}{companion} is not a regular file"


def test_fifo_in_place_of_the_file(prober: Prober, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "made.db")
    result = prober.run(SqliteSpec(str(tmp_path / "made.db")), 0.5)
    assert result.reason is Reason.CORRUPT, result


def test_more_pages_than_memory(tmp_path: Path) -> None:
    """Check a sparse file of 1 TiB, which uses no space; checking its 2^31 pages would take 256 MiB."""
    from exporter.probes.sqlite.file import BY_LOCKS, connect, failure

    path = tmp_path / "made.db"
    made(path)
    with path.open("r+b") as file:
        file.seek(24)
        counter = file.read(4)
        file.write(struct.pack(">I", 2**31))
        file.seek(92)
        file.write(counter)
        file.truncate(512 * 2**31)
    with closing(connect(str(path), BY_LOCKS)) as connection:
        with pytest.raises(MemoryError) as caught:
            connection.execute("PRAGMA quick_check(1)").fetchall()
        assert failure(caught.value, str(path)).reason is Reason.SIZE


def test_value_of_any_size(tmp_path: Path) -> None:
    """Check expressions of a file, such as a CHECK, that can create texts of a gigabyte."""
    from exporter.probes.sqlite.file import BY_LOCKS, connect

    path = tmp_path / "made.db"
    made(path)
    with (
        closing(connect(str(path), BY_LOCKS)) as connection,
        pytest.raises(sqlite3.DataError, match="too big"),
    ):
        connection.execute("SELECT length(randomblob(1000000000))").fetchone()
