"""Records of deploys: written completely, read back, and what can be undone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from exporter.releases.commands import deploys
from exporter.releases.records import Change, Image, Record, RecordsError, add, changes, last, undoable

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

NASTY = 'a "b"\n\\c $d \u2028'


def record(id_: str, result: str = "ok", services: tuple[str, ...] = (), reverts: str = "") -> Record:
    images = {name: Change("", "sha256:1") for name in ("api", "web")}
    return Record(id_, "staging", services, NASTY, "host", 1.5, 2.5, result, "v1", images, NASTY, reverts)


def test_what_was_added_is_read(tmp_path: Path) -> None:
    file = tmp_path / "deploys.jsonl"
    assert last(file, 5) == []
    for number in range(4):
        add(file, record(str(number)))
    assert last(file, 1) == [record("3")]
    assert last(file, 9) == [record(str(number)) for number in range(4)]


@pytest.mark.parametrize("rest", [b'{"id": "torn', b'{"id": "torn"}\n', b"nonsense\n[]\n7\n", b"\xff\n"])
def test_a_line_that_is_no_record_is_left_out_and_the_next_one_is_whole(tmp_path: Path, rest: bytes) -> None:
    file = tmp_path / "deploys.jsonl"
    add(file, record("1"))
    with file.open("ab") as stream:
        stream.write(rest)
    assert last(file, 9) == [record("1")]
    add(file, record("2"))
    assert last(file, 9) == [record("1"), record("2")]


def test_many_writers_leave_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "deploys.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(file, record(str(number))), range(100)))
    assert sorted(int(found.id) for found in last(file, 1000)) == list(range(100))


def test_where_it_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="No such file or directory"):
        add(tmp_path / "nowhere" / "deploys.jsonl", record("1"))
    with pytest.raises(RecordsError, match="Is a directory"):
        last(tmp_path, 1)


@pytest.mark.parametrize(
    ("records", "service", "expected"),
    [
        ([record("1"), record("2", "rolled_back"), record("3")], "", ["1", "3"]),
        ([record("1"), record("2"), record("r", "reverted", reverts="2")], "", ["1"]),
        ([record("1"), record("2"), record("r", "reverted", ("web",), "2")], "", ["1", "2"]),
        ([record("1"), record("2"), record("r", "reverted", ("web",), "2")], "web", ["1"]),
        ([record("1"), record("2", services=("web",))], "api", ["1"]),
        ([record("1", services=("web",)), record("r", "reverted", ("web",), "1")], "", []),
        ([record("1"), record("r", "rollback_failed", reverts="1")], "", ["1"]),
        ([record("1"), record("2"), record("3"), record("r", "reverted", reverts="2")], "", ["1"]),
        ([record("1"), record("2"), record("3"), record("r", "reverted", ("web",), "2")], "web", ["1"]),
        (
            [record("1"), record("2"), record("3"), record("r", "reverted", ("web",), "2")],
            "",
            ["1", "2", "3"],
        ),
        ([record("1"), record("2"), record("r", "reverted", reverts="2"), record("3")], "", ["1", "3"]),
    ],
)
def test_what_can_be_undone(records: list[Record], service: str, expected: list[str]) -> None:
    assert [found.id for found in undoable(records, service)] == expected


def test_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "deploys.jsonl"
    images = changes(
        {"web": Image("sha256:1", "v1")}, {"web": Image("sha256:2", "v2"), "api": Image("sha256:3", "v2")}
    )
    for id_, result in (("20260101T000000Z-1", "ok"), ("20260102T000000Z-2", "rolled_back")):
        add(file, replace(record(id_, result), images=images, who="\x1b[31mme", version="v2"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(deploys, [*arguments, f"--file={file}"])

    listed = run("list").stdout.splitlines()
    assert listed[0].startswith("1970-01-01 00:00:02 UTC  ok               v2  all  by \\x1b[31mme (2026")
    assert [line.split()[3] for line in listed] == ["ok", "rolled_back"]
    assert len(run("list", "--last=1").stdout.splitlines()) == 1
    assert '"id": "20260101T000000Z-1"' in run("last", "--good", "--json").stdout
    shown = run("show", "20260102").stdout
    for line in (
        "web v1→v2",
        "api v2 new",
        "it was not healthy or was killed, and the previous release is running again",
    ):
        assert line in shown
    assert "\x1b" not in shown
    assert json.loads(run("show", "20260102", "--json").stdout)[0]["images"]["web"]["after_tag"] == "v2"
    for words, sentence in (
        ("2026", "2 deploys have an id that begins with 2026"),
        ("x", "no deploy has an id"),
    ):
        done = run("show", words)
        assert (done.exit_code, done.stdout) == (1, "")
        assert sentence in done.stderr
    file.unlink()
    assert (run("last").exit_code, run("list").stdout) == (1, "")
