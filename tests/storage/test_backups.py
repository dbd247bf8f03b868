"""Backup markers: what is written and read, and what happens if either fails."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.plan import BackupsPlan
from exporter.storage.backup_marker import (
    CUT_OFF,
    MarkerError,
    Outcome,
    Success,
    begin_drill,
    begin_run,
    end_drill,
    end_run,
    parse_marker,
    update_marker,
)
from exporter.storage.backups import Backups

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "backup-marker.md"


def begun(old: str | None = None, now: float = 1000.0) -> str:
    return begin_run(old, name="db", kind="store", environment="production", now=now, time_limit=60)


def good(old: str | None = None, now: float = 1000.0) -> str:
    return end_run(begun(old, now), now=now + 10, backup=f"b{now:.0f}", size_bytes=5, sha256="ab")


def refreshed(backups: Backups) -> Backups:
    asyncio.run(backups.refresh())
    return backups


def test_the_documents_example_is_a_marker() -> None:
    found = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    marker = parse_marker(found[1], "postgres")
    assert marker.last_success is not None
    assert marker.last_success.size_bytes == 73_400_320
    assert marker.run(1_767_409_200.0) == marker.last_run


def test_a_good_run_then_a_failed_one() -> None:
    first = parse_marker(good())
    assert first.last_run == Outcome(1000.0, 1010.0, success=True)
    assert first.last_success == Success(1000.0, 1010.0, 5, "b1000", "ab")
    assert first.current_run is None
    second = parse_marker(end_run(begun(good(), 2000.0), now=2001.0, error="the disk\nis full"))
    assert second.last_run == Outcome(2000.0, 2001.0, success=False, error="the disk is full")
    assert second.last_success == first.last_success


def test_a_run_that_is_under_way_hides_nothing() -> None:
    failed = end_run(begun(), now=1001.0, error="no")
    marker = parse_marker(begun(failed, 2000.0))
    assert marker.run(2000.0) == marker.run(2060.0) == parse_marker(failed).last_run


def test_a_run_that_never_ended_has_failed_after_its_time_limit() -> None:
    marker = parse_marker(begun(good(), 2000.0))
    cut_off = Outcome(2000.0, None, success=False, error=CUT_OFF)
    assert marker.run(2061.0) == cut_off
    assert parse_marker(begun(begun(good(), 2000.0), 2030.0)).last_run == cut_off


def test_drills() -> None:
    marker = parse_marker(
        end_drill(begin_drill(good(), now=3000.0, time_limit=60), now=3001.0, backup="b1000")
    )
    assert marker.drill(9000.0) == Outcome(3000.0, 3001.0, success=True, backup="b1000")
    assert marker.last_success is not None
    failed = parse_marker(
        end_drill(begin_drill(good(), now=3000.0, time_limit=60), now=3001.0, backup="b1000", error="no rows")
    )
    assert failed.drill(9000.0) == Outcome(3000.0, 3001.0, success=False, error="no rows", backup="b1000")
    stuck = parse_marker(begin_drill(good(), now=3000.0, time_limit=60))
    assert stuck.drill(3059.0) is None
    assert stuck.drill(3061.0) == Outcome(3000.0, None, success=False, error=CUT_OFF)


def test_what_was_not_begun_cannot_end() -> None:
    with pytest.raises(MarkerError, match="no run was begun"):
        end_run(good(), now=2000.0)
    with pytest.raises(MarkerError, match="no drill was begun"):
        end_drill(good(), now=2000.0, backup="b1000")


def test_keys_of_later_versions_are_ignored_and_kept() -> None:
    later = json.loads(good()) | {"shelf": "left"}
    assert parse_marker(json.dumps(later)) == parse_marker(good())
    assert json.loads(begun(json.dumps(later)))["shelf"] == "left"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "its format is not 1"),
        ({"format": True}, "its format is not 1"),
        ({"format": None}, "its format is not 1"),
        ({"name": "other"}, "it belongs to 'other', not to 'db'"),
        ({"kind": "tape"}, "kind is 'tape'"),
        ({"environment": 5}, "environment is not a text"),
        ({"last_run": []}, "last_run is not a JSON object"),
        ({"last_run": {"started": "1", "success": True}}, "last_run.started is not a number"),
        ({"last_run": {"started": True, "success": True}}, "last_run.started is not a number"),
        ({"last_run": {"started": -1, "success": True}}, "last_run.started is not a number"),
        ({"last_run": {"started": float("nan"), "success": True}}, "last_run.started is not a number"),
        ({"last_run": {"started": 1767322800000, "success": True}}, "is not in seconds since 1970"),
        ({"last_run": {"started": 1, "success": 1}}, "last_run.success is not true or false"),
        ({"last_run": {"started": 1, "success": False, "error": "a\x1bb"}}, "last_run.error is not a text"),
        ({"last_run": {"started": 1, "success": False, "error": "a" * 501}}, "last_run.error is not a text"),
        (
            {"last_success": {"started": 1, "finished": 2, "size_bytes": 1.5, "backup": "b"}},
            "last_success.size_bytes is not a whole number",
        ),
        ({"last_success": {"started": 1, "size_bytes": 1, "backup": "b"}}, "last_success.finished is not a"),
        (
            {"last_success": {"started": 1, "finished": 2, "size_bytes": 10**18, "backup": "b"}},
            "last_success.size_bytes is not a number",
        ),
        ({"current_run": {"started": 1}}, "current_run.time_limit is not a number"),
    ],
)
def test_types_are_strict(change: dict[str, Any], why: str) -> None:
    with pytest.raises(MarkerError, match=re.escape(why)):
        parse_marker(json.dumps(json.loads(good()) | change), "db")


@pytest.mark.parametrize("text", ["", "{", "[" * 60_000, "[]", "5", b"\xff\xfe{", " " * 70_000])
def test_what_is_no_marker(text: str | bytes) -> None:
    with pytest.raises(MarkerError):
        parse_marker(text)


def test_nothing_is_written_that_would_be_refused() -> None:
    with pytest.raises(MarkerError, match="backup is not a text"):
        end_run(begun(), now=1001.0, backup="two\nlines")


def test_markers_come_change_and_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "markers"
    backups = Backups(BackupsPlan(str(folder), ("db", "files")))
    with caplog.at_level(logging.WARNING):
        refreshed(backups)
        refreshed(backups)
    assert (backups.markers, backups.unreadable) == ({}, {})
    assert [message[:22] for message in caplog.messages] == ["there is no folder " + str(folder)[:3]]
    update_marker(folder, "db", begun)
    assert refreshed(backups).markers["db"].last_run is None
    update_marker(folder, "db", lambda old: end_run(str(old), now=1001.0, backup="b"))
    first = refreshed(backups).markers["db"]
    assert first.last_run is not None
    assert refreshed(backups).markers["db"] is first, "it was read again although it had not changed"
    assert (folder / "db.json").stat().st_mode & 0o777 == 0o644
    (folder / "db.json").unlink()
    assert refreshed(backups).markers == {}


def test_what_cannot_be_read_is_said_once_and_nothing_else_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("db", "broken", "large", "folder", "pipe", "loop", "moved")
    (tmp_path / "db.json").write_text(good())
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "large.json").write_text(good() + " " * 70_000)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "moved.json").write_text(good())
    backups = Backups(BackupsPlan(str(tmp_path), names))
    with caplog.at_level(logging.WARNING):
        refreshed(backups)
        refreshed(backups)
    assert backups.markers.keys() == {"db"}
    assert backups.unreadable == {
        "broken": f"{tmp_path}/broken.json: it is not JSON",
        "large": f"{tmp_path}/large.json: it has more than 65536 bytes",
        "folder": f"{tmp_path}/folder.json: Is a directory",
        "pipe": f"{tmp_path}/pipe.json: it is a named pipe, not a regular file",
        "loop": f"{tmp_path}/loop.json: Too many levels of symbolic links",
        "moved": f"{tmp_path}/moved.json: it belongs to 'db', not to 'moved'",
    }
    assert len(caplog.messages) == 6
    (tmp_path / "broken.json").write_text(good().replace('"db"', '"broken"'))
    assert refreshed(backups).markers.keys() == {"db", "broken"}


def test_a_marker_of_the_future_is_given_as_it_is(tmp_path: Path) -> None:
    update_marker(tmp_path, "db", lambda _: good(now=9e9))
    marker = refreshed(Backups(BackupsPlan(str(tmp_path), ("db",)))).markers["db"]
    assert marker.run(1000.0) == Outcome(9e9, 9e9 + 10, success=True)


def full_disk() -> None:
    """Limit files of this process to 100 bytes, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


@pytest.mark.parametrize(
    ("before", "hindrance", "complaint"),
    [
        (full_disk, "", "File too large"),
        (None, "os.fsync = lambda _: os.kill(os.getpid(), 9)", ""),
    ],
    ids=["full disk", "killed in the middle"],
)
def test_the_old_marker_stays(
    tmp_path: Path, before: Callable[[], None] | None, hindrance: str, complaint: str
) -> None:
    update_marker(tmp_path, "db", lambda _: good())
    code = f"""
import os, sys
from pathlib import Path
from exporter.storage.backup_marker import begin_run, update_marker
{hindrance}
update_marker(Path(sys.argv[1]), "db", lambda old: begin_run(
    old, name="db", kind="store", environment="production", now=2000.0, time_limit=60))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode != 0
    assert complaint in done.stderr
    backups = Backups(BackupsPlan(str(tmp_path), ("db",)))
    assert refreshed(backups).markers == {"db": parse_marker(good())}
    update_marker(tmp_path, "db", lambda old: begun(old, 2000.0))
    assert refreshed(backups).markers["db"] == replace(
        parse_marker(good()), current_run=parse_marker(begun(None, 2000.0)).current_run
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [".db.lock", "db.json"]


def test_an_unreadable_marker_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "db.json").write_bytes(b"\xff")
    with pytest.raises(MarkerError):
        update_marker(tmp_path, "db", begun)
    assert (tmp_path / "db.json").read_bytes() == b"\xff"


def test_writers_take_turns(tmp_path: Path) -> None:
    """Let ten processes add a key each; no key is lost."""
    update_marker(tmp_path, "db", lambda _: good())
    code = """
import json, sys
from pathlib import Path
from exporter.storage.backup_marker import update_marker
update_marker(Path(sys.argv[1]), "db", lambda old: json.dumps(json.loads(old) | {sys.argv[2]: 1}))
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"key{number}"]) for number in range(10)
    ]
    assert [writer.wait(30) for writer in writers] == [0] * 10
    kept = json.loads((tmp_path / "db.json").read_text())
    assert {f"key{number}" for number in range(10)} <= kept.keys()
