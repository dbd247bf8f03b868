"""A signal ends the daemon within two seconds, even if something hangs, from its first import on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.daemon.running import running_daemon
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP_SECONDS = 2.0
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"

STUCK = {
    "a run that does not cancel": """
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                pass
""",
    "a thread of the loop's own": "        await asyncio.to_thread(time.sleep, 1000)\n",
    "the loop, in a call of the system": "        time.sleep(1000)\n",
    "the loop, in Python": "        while True: pass\n",
    "a failure while it is cancelled": """
        try:
            await asyncio.sleep(1000)
        finally:
            raise ValueError
""",
}


@contextlib.contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Return the exit status and the output. Assert that it ended in time."""
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    took = time.monotonic() - began
    assert took < STOP_SECONDS, f"ended after {took:.2f} s"
    return process.returncode, said


@pytest.mark.parametrize("what", STUCK)
def test_whatever_is_stuck(what: str, tmp_path: Path) -> None:
    catalog = tmp_path / "config.yaml"
    catalog.write_text('project: test\nservices: {web: {probes: [{name: p, tcp: "127.0.0.1:1"}]}}\n')
    reached = tmp_path / "reached"
    code = f"""
import asyncio, pathlib, sys, time
from exporter.cli import app
from exporter.probes.tcp.probe import TcpProbe
async def ask(self, run):
        pathlib.Path({str(reached)!r}).touch()
{STUCK[what]}
TcpProbe.ask = ask
app(["run", "-c", {str(catalog)!r}, "--listen", "127.0.0.1:0"])
"""
    with started(sys.executable, "-c", code) as process:
        until(reached.exists, "the probe to be stuck", 60)
        status, said = end(process)
    assert status == 0
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("demo", [False, True], ids=["catalog", "demo"])
@pytest.mark.parametrize("after", [0.0, 0.1, 0.4, 0.9, 1.6])
def test_at_any_time_of_its_start(number: int, demo: bool, after: float, tmp_path: Path) -> None:
    catalog = tmp_path / "config.yaml"
    catalog.write_text("project: test\nservices: {web: {image: x, port: 80}}\n")
    which = ("--demo", "-c", str(EXAMPLE)) if demo else ("-c", str(catalog))
    listen = f"127.0.0.1:{free_port()}"
    with started(sys.executable, "-m", "exporter", "run", *which, "--listen", listen) as process:
        until(lambda: catches(process.pid, number), "the first line of its code", 60)
        time.sleep(after)
        status, said = end(process, number)
    assert status in (0, 128 + number)
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def catches(pid: int, number: int) -> bool:
    """True if the process has its own handler for the signal. Python's default handler for Ctrl-C does not count."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:")
    )
    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1) and number in (
        signal.SIGTERM,
        signal.SIGINT,
    )


def test_ctrl_c_of_a_terminal_reaches_the_reader_of_the_catalog_through_the_daemon_alone(
    tmp_path: Path,
) -> None:
    """Send Ctrl-C to the whole process group, as the terminal does. The child must not answer with a traceback."""
    catalog = tmp_path / "config.yaml"
    services = "\n".join(f"  web-{number}: {{image: x, port: 80}}" for number in range(3000))
    catalog.write_text(f"project: test\nservices:\n{services}\n")
    command = [sys.executable, "-m", "exporter", "run", "-c", str(catalog), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def children() -> list[str]:
        return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    child = int(until(children, "the child", 60)[0])
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in said) == (0, False)
    until(lambda: not Path(f"/proc/{child}").exists(), "the child's end")


def test_hundreds_of_reloads_are_pending(tmp_path: Path) -> None:
    text = "project: test\nservices: {web: {image: x, port: 80}}\n"
    with running_daemon(tmp_path, text) as daemon, contextlib.ExitStack() as stack:
        port = int(daemon.url.rpartition(":")[2])
        for _ in range(300):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
        until(lambda: daemon.log.count("watching") > 1, "a reload")
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < STOP_SECONDS
        assert "Traceback" not in daemon.log, daemon.log[-6000:]
