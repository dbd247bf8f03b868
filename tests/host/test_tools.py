"""Programs of the host: ended by a deadline, with bounded output, and never run by a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from exporter.host.failures import OperationError
from exporter.host.tools import run
from tests.waiting import until


def test_its_output_and_its_last_words() -> None:
    done = run(
        ("sh", "-c", 'cat; echo "$A $0" >&2; printf "\\033[2Jbad" >&2; exit 3', "a $(id)"),
        input=b"given",
        env={"A": "b"},
    )
    assert (done.status, done.output, done.good) == (3, b"given", False)
    assert done.complaint == ("b a $(id)", "\\x1b[2Jbad")
    assert done.reason == "\\x1b[2Jbad"


def test_a_log_has_the_command_and_both_streams(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    done = run(("sh", "-c", "echo out; echo err >&2; exit 1"), log=log)
    assert log.read_text() == "before\n$ sh -c echo out; echo err >&2; exit 1\nout\nerr\n"
    assert (done.output, done.complaint) == (b"", ("out", "err"))


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("not-there",), "not-there is not installed"),
        (("/etc/passwd",), "cannot be started"),
        (("sleep", "30"), "sleep did not finish within 1 s"),
        (("yes", "x" * 1000), "yes wrote more than 16 MiB"),
    ],
)
def test_what_cannot_go_on_is_one_sentence(argv: tuple[str, ...], sentence: str) -> None:
    began = time.monotonic()
    with pytest.raises(OperationError, match=sentence):
        run(argv, seconds=1 if argv[0] == "sleep" else 20)
    assert time.monotonic() - began < 15


def test_large_input_and_output_do_not_block_each_other() -> None:
    data = os.urandom(3_000_000)
    assert run(("cat",), input=data).output == data
    assert run(("true",), input=data).good


def test_progress_is_shown_while_it_runs() -> None:
    calls: list[int] = []
    run(("sleep", "1.2"), watch=lambda: calls.append(1))
    assert len(calls) >= 2


INTERRUPTED = """
import sys
from pathlib import Path
from exporter.host.tools import run
run(("sh", "-c", "echo $$ >&2; sleep 100 & echo $! >&2; wait"), log=Path(sys.argv[1]))
"""


def test_ctrl_c_ends_what_was_started(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, log], stderr=subprocess.DEVNULL)
    until(lambda: log.exists() and len(log.read_text().splitlines()) == 3, "both to start")
    _, *pids = log.read_text().splitlines()
    process.send_signal(signal.SIGINT)
    process.wait(25)
    for pid in map(int, pids):
        until(partial(_ended, pid), "what it started to end")


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
