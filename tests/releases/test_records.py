"""Records of deploys: written whole, read back, and what can be undone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from exporter.releases.records import Change, Record, RecordsError, add, last, undoable

if TYPE_CHECKING:
    from pathlib import Path

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
    ],
)
def test_what_can_be_undone(records: list[Record], service: str, expected: list[str]) -> None:
    assert [found.id for found in undoable(records, service)] == expected


def test_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "deploys.jsonl"
    (tmp_path / "after").write_text("web sha256:2 shop/web:v1\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from exporter.releases.commands import app; app()"
        command = [sys.executable, "-c", code, *arguments, f"--file={file}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    options = [
        "--id=1",
        "--environment=e",
        "--started=1",
        "--version=v1",
        f"--who=-{NASTY}",
        f"--error=-{NASTY}",
    ]
    wrong = run("add", *options, "--result=nice")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "--result nice: write one of ok, failed" in wrong.stderr
    assert run("last").returncode == 1
    done = run("add", *options, "--result=ok", f"--after={tmp_path}/after", f"--before={tmp_path}/missing")
    assert (done.returncode, done.stderr) == (0, "")
    [found] = last(file, 2)
    assert (found.who, found.error, found.images) == (
        f"-{NASTY}",
        f"-{NASTY}",
        {"web": Change("", "sha256:2")},
    )
    assert run("undoable").stdout == "1\n"
    assert " ok " in run("list").stdout
    assert '"id": "1"' in run("last", "--good", "--json").stdout
