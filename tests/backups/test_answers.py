"""Answers of a container, by type."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from exporter.backups.engines import answers, mongodb, postgresql
from exporter.backups.engines.inside import Bounded, reading
from exporter.backups.engines.mounts import mount_of
from exporter.backups.engines.packing import Unpacked, packed
from exporter.backups.engines.psql import conninfo
from exporter.backups.engines.shape import Mount, Writable, read_all
from exporter.backups.steps import amount, printable
from exporter.backups.subjects import BackupsError
from tests.backups.local_host import LocalHost, place_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("parse", "answer", "wanted"),
    [
        (answers.number, b"12\n", 12),
        (answers.number, b"", None),
        (answers.number, b"1 2", None),
        (answers.number, b"0x10", None),
        (answers.number, b"1_000", None),
        (answers.number, b"9" * 19, None),
        (answers.number, b"a[$(id)]", None),
        (answers.text, b"15.4 (Debian 15.4-1)\n", "15.4 (Debian 15.4-1)"),
        (answers.text, b"a\nb", None),
        (answers.text, b"\x1b[2J", None),
        (answers.text, b"\xff", None),
        (answers.text, b"a\0b", None),
        (answers.text, b"a" * 1001, None),
        (answers.text, "\u202eabc".encode(), None),
        (answers.folder, b"/var/lib//redis/", "/var/lib/redis"),
        (answers.folder, b"data", None),
        (answers.folder, b"/data/..", None),
        (answers.folder, b"", None),
        (answers.file_name, b"dump.rdb", "dump.rdb"),
        (answers.file_name, b"a/b", None),
        (answers.file_name, b"..", None),
        (answers.file_name, b"", None),
        (answers.names, b"a\0b\nc\0", ("a", "b\nc")),
        (answers.names, b"", ()),
        (answers.names, b"a\0b", None),
        (answers.names, b"a\0" * 10_001, None),
        (answers.names, b"a" * 1001 + b"\0", None),
    ],
)
def test_an_answer_is_of_its_type_or_an_error(
    parse: Callable[[bytes, str], object], answer: bytes, wanted: object
) -> None:
    if wanted is None:
        with pytest.raises(BackupsError, match=r"^it "):
            parse(answer, "it")
    else:
        assert parse(answer, "it") == wanted


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'["a",1]',
        b'["a","b"]',
        b'["a","b","c",1]',
        b'["a","b",-1]',
        b'["a","b",1.5]',
        b'["a","b",true]',
        b'["a",2,1]',
        b'{"a":1}',
        b"1",
        b"",
        b"[" * 10_000,
        b"\xff",
        b"end",
    ],
)
def test_a_row_that_is_no_count_is_an_error(line: bytes) -> None:
    with pytest.raises(BackupsError, match="the rows were not counted"):
        answers.rows([b'["a","b",1]', line], "the rows", words=2)


def test_a_count_is_written_as_it_is_read() -> None:
    key = ("ü \n\"'\\", "$(id)")
    assert answers.rows([answers.row_line(key, 7)], "rows", words=2) == [(key, 7)]


def test_an_answer_that_is_too_long_is_an_error() -> None:
    kept = Bounded(4, "asking")
    kept.write(b"1234")
    with pytest.raises(BackupsError, match="asking failed: the answer is longer than 4 bytes"):
        kept.write(b"5")
    with pytest.raises(BackupsError, match="longer than 4 bytes"):
        read_all(io.BytesIO(b"12345"), 4)


def test_what_writes_and_what_reads_fail_together() -> None:
    def lies(_: Writable) -> None:
        raise BackupsError("the tool failed")

    with pytest.raises(BackupsError, match="the tool failed"), reading(lies) as source:
        assert source.read(10) == b""

    def fails(run: Callable[[Writable], object], own: str) -> None:
        with reading(run) as source:
            source.read(10)
            raise BackupsError(own)

    with pytest.raises(BackupsError, match="the tool failed"):
        fails(lies, "the archive is incomplete")
    with pytest.raises(BackupsError, match="I have enough"):
        fails(lambda target: [target.write(bytes(65536)) for _ in iter(int, 1)], "I have enough")


def test_what_was_packed_is_unpacked_and_a_part_of_it_is_an_error() -> None:
    stream = io.BytesIO()
    with packed(stream) as target:
        target.write(b"much " * 1000)
    unpacked = Unpacked(io.BytesIO(stream.getvalue()), b"first\n")
    assert read_all(unpacked, 10_000) == b"first\n" + b"much " * 1000
    for half in (stream.getvalue()[:-9], b"not packed"):
        with pytest.raises(BackupsError, match="is damaged"):
            read_all(Unpacked(io.BytesIO(half)), 10_000)


@pytest.mark.parametrize(
    ("mounts", "wanted"),
    [
        ([Mount("volume", "v", "/data")], "v"),
        ([Mount("volume", "v", "/"), Mount("volume", "nearer", "/data/")], "nearer"),
        ([Mount("bind", "/srv/data", "/data")], "/srv/data"),
        ([], None),
        ([Mount("volume", "v", "/dat")], None),
        ([Mount("tmpfs", "", "/data")], None),
        ([Mount("volume", "v", "/"), Mount("bind", "/etc", "/data", writable=False)], None),
    ],
)
def test_a_path_is_on_the_nearest_mount_that_can_be_written_to(
    tmp_path: Path, mounts: list[Mount], wanted: str | None
) -> None:
    host = LocalHost(tmp_path)
    host.found_mounts = tuple(mounts)
    if wanted:
        assert mount_of(place_of(host, "redis"), "/data/redis").source == wanted
    else:
        with pytest.raises(BackupsError, match="/data/redis of till is not on a volume"):
            mount_of(place_of(host, "redis"), "/data/redis")


def test_secrets_are_never_a_store_s_folder(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    host.found_mounts = (Mount("bind", "/srv/secrets/till", "/run/secrets/till"),)
    with pytest.raises(BackupsError):
        mount_of(place_of(host, "redis"), "/run/secrets/till")


@pytest.mark.parametrize(
    ("before", "after", "there", "good"),
    [
        (5, 5, 5, True),
        (5, 7, 6, True),
        (7, 5, 6, True),
        (5, 7, 4, False),
        (5, 7, 8, False),
        (5, 5, None, False),
    ],
)
def test_documents_that_came_or_went_during_the_dump_may_be_there_or_not(
    before: int, after: int, there: int | None, good: bool
) -> None:
    key: tuple[str, ...] = ("shop", "orders")
    found = mongodb.compare({key: before}, {key: after}, {} if there is None else {key: there})
    assert [each.good for each in found] == [good]


def test_users_of_before_the_restore_stay_and_a_collection_that_came_during_the_dump_is_nothing_to_compare() -> (
    None
):
    users: tuple[str, ...] = ("admin", "system.users")
    found = mongodb.compare({users: 1}, {users: 1, ("shop", "new"): 3}, {users: 4})
    assert [(each.what, each.good) for each in found] == [("admin.system.users", True)]


def test_rows_are_the_same_on_both_sides() -> None:
    saved: postgresql.Rows = {("public", "a"): 1, ("public", "empty"): 0}
    others: list[postgresql.Rows] = [
        {("public", "a"): 1},
        {**saved, ("public", "more"): 0},
        {**saved, ("public", "a"): 2},
    ]
    assert all(each.good for each in postgresql.compare("db", saved, dict(saved)))
    for other in others:
        assert [each.good for each in postgresql.compare("db", saved, other)].count(False) == 1


def test_a_database_s_name_is_data() -> None:
    assert conninfo("dbname=template1") == "dbname='dbname=template1'"
    assert conninfo("a'b\\") == "dbname='a\\'b\\\\'"


def test_what_does_not_print_is_shown_as_an_escape() -> None:
    assert printable("a\x1b[2J\n\u202e\udc80") == "a\\x1b[2J\\n\\u202e\\udc80"
    assert [amount(size) for size in (0, 1023, 1024, 5 * 2**30)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "5.0 GiB",
    ]
