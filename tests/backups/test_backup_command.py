"""`exporter backup` as a user runs it, without a Docker engine that answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.backups.folders import CATALOG

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    place = tmp_path / "deploy" / "staging"
    place.mkdir(parents=True)
    (place / "compose.yaml").write_text("services: {}\n")
    # Folders that are named only in .env.
    (place / ".env").write_text(f"BACKUP_FOLDER={tmp_path}/elsewhere\nSECRETS_FOLDER='{tmp_path}/secrets'\n")
    (tmp_path / "config.yaml").write_text(CATALOG.format(backups=tmp_path / "backups", more=""))
    return tmp_path


def exporter(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_FOLDER")}
    return subprocess.run(
        [sys.executable, "-m", "exporter", *words],
        cwd=site,
        env={**environment, "DOCKER_HOST": f"unix://{site}/no.sock", "STATE_FOLDER": str(site / "state")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_docker_engine_that_does_not_answer_is_said_and_marked(site: Path) -> None:
    done = exporter(site, "backup", "first", "-e", "staging")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    marker = json.loads((site / "elsewhere/staging/markers/first.json").read_text())
    assert "does not answer" in marker["last_run"]["error"]


@pytest.mark.parametrize(
    "words", [("$(id)",), ("unknown",), ("--time-limit", "0"), ("--time-limit", "x"), ("-x",)]
)
def test_wrong_usage_changes_nothing(site: Path, words: tuple[str, ...]) -> None:
    done = exporter(site, "backup", *words)
    assert done.returncode == 2
    assert not (site / "elsewhere").exists()


def test_the_schedule_is_shown_for_programs_too(site: Path) -> None:
    done = exporter(site, "backups", "schedule", "--json")
    told = json.loads(done.stdout)
    assert [turn["name"] for turn in told["turns"]] == ["first", "second"]
    assert told["installed"] is False
    assert done.returncode == 1


def test_what_is_due_is_saved_and_then_no_longer_due(site: Path) -> None:
    first = exporter(site, "backups", "run-due")
    assert (first.returncode, first.stderr) == (0, "")  # the first scheduled time is still ahead
    state = site / "state" / "backups.tried"
    state.write_text(f":since={time.time() - 3 * 86400:.0f}\n")
    due = exporter(site, "backups", "run-due")
    assert due.returncode == 1
    assert "does not answer" in due.stderr
    assert "failed: backup; see the errors above" in due.stderr
    assert exporter(site, "backups", "run-due").returncode == 0
