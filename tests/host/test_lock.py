"""One command at a time, including old scripts, killed commands and nested calls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from exporter.host import lock
from exporter.host.failures import OperationError
from exporter.host.lock import holder, is_locked, locked
from exporter.host.state import StateFolder
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import subprocess, sys, time
from pathlib import Path
from exporter.host.lock import locked
from exporter.host.state import StateFolder
with locked(StateFolder(Path(sys.argv[1])), "deploy", "shop in staging"):
    child = subprocess.Popen(["sleep", sys.argv[2]], close_fds=False, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


def take(state: StateFolder) -> list[str]:
    """Take the lock once and return what was printed while waiting."""
    said: list[str] = []
    with locked(state, "backup", "shop in staging", said.append):
        assert is_locked(state)
        with locked(state, "deploy", "shop in staging"):
            pass
        assert state.fields("lock.holder")["command"] == "backup"
        assert os.environ[lock.HELD] == str(state.path)
    assert lock.HELD not in os.environ
    assert not is_locked(state)
    return said


def test_it_is_taken_shared_by_nested_calls_and_given_back(state: StateFolder) -> None:
    assert not is_locked(state)
    assert take(state) == []
    assert take(state) == []


def test_another_one_is_named(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ON_BEHALF_OF", "eve@far \x1b[2J")
    holding = subprocess.Popen([sys.executable, "-c", HOLD, state.path, "0"], stdout=subprocess.PIPE)
    try:
        assert holding.stdout is not None
        holding.stdout.readline()
        with pytest.raises(OperationError) as error:
            take(state)
        expected = f"shop in staging is locked by deploy, process {holding.pid} of eve@far \\x1b[2J on "
        assert str(error.value).startswith(expected)
        assert "try again when it has finished" in str(error.value)
    finally:
        holding.kill()
        holding.communicate()
    assert take(state) == []


def test_what_a_killed_command_left_running_is_waited_for(state: StateFolder) -> None:
    holding = subprocess.Popen([sys.executable, "-c", HOLD, state.path, "2.5"], stdout=subprocess.PIPE)
    assert holding.stdout is not None
    holding.stdout.readline()
    holding.kill()
    holding.communicate()
    began = time.monotonic()
    [said] = take(state)
    assert said.startswith("waiting for programs that a killed command left running: deploy, process")
    assert time.monotonic() - began > 0.5


def test_an_old_script_excludes_it_and_is_excluded(state: StateFolder) -> None:
    with locked(state, "deploy", "shop in staging"):
        flock = ["flock", "--nonblock", str(state.path / "lock"), "true"]
        # Its own processes hold the lock's descriptor; other processes have a different one.
        assert subprocess.run(flock).returncode == 1
    state.write_fields(
        "lock.holder", {"pid": str(os.getpid()), "host": os.uname().nodename, "command": "deploy.sh"}
    )
    script = subprocess.Popen(["flock", state.path / "lock", "sleep", "20"], start_new_session=True)
    try:
        until(lambda: is_locked(state), "the script to lock")
        with pytest.raises(OperationError, match=r"locked by deploy\.sh"):
            take(state)
    finally:
        os.killpg(script.pid, signal.SIGKILL)
        script.wait()
    assert holder(state) is not None
