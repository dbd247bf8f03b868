"""Failures of the exporter itself are not reported as outages of its targets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import Plan
from exporter.daemon.daemon import Daemon
from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import services
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.daemon.services import Services


@pytest.fixture
def server() -> Iterator[Services]:
    with services() as running:
        yield running


def successes(daemon: RunningDaemon, service: str) -> float:
    return daemon.value("probe_results_total", f'service="{service}"', 'result="success"')


def test_a_stopped_process_takes_nobody_for_down(tmp_path: Path, server: Services) -> None:
    text = f"""
project: test
services:
  web: {{probes: [{{name: page, interval: 2s, timeout: 1900ms, http: "http://127.0.0.1:{server.port}/health"}}]}}
"""
    with running_daemon(tmp_path, text) as daemon:
        daemon.wait_until_ready()
        before = successes(daemon, "web")
        until(lambda: successes(daemon, "web") > before, "the end of a run, long before the next")
        server.answering.clear()
        server.requests.clear()
        until(lambda: server.requests, "a run under way")
        daemon.process.send_signal(signal.SIGSTOP)
        until(lambda: "T (stopped)" in Path(f"/proc/{daemon.process.pid}/status").read_text(), "the stop")
        time.sleep(2.5)  # longer than the timeout: there is no event to wait for
        server.answering.set()
        daemon.process.send_signal(signal.SIGCONT)
        until(lambda: daemon.value("exporter_probes_void_total", "stall") >= 1, "the void run")
        until(lambda: successes(daemon, "web") > before + 1, "the next run")
        assert daemon.value("probe_results_total", 'result="failure"') == 0
        assert daemon.service("web")["state"] == "up"
        assert daemon.value("exporter_event_loop_stall_seconds_sum") >= 1
        assert "is down" not in daemon.log
        assert "runs are void: the exporter's event loop stalled" in daemon.log
        assert "the event loop stood still for" in daemon.log


def test_without_descriptors_nobody_is_down(tmp_path: Path, server: Services) -> None:
    text = f"""
project: test
defaults: {{probe: {{interval: 500ms, timeout: 400ms}}}}
services:
  address: {{probes: [{{name: page, http: "http://127.0.0.1:{server.port}/health"}}]}}
  name: {{probes: [{{name: page, http: "http://localhost:{server.port}/health"}}]}}
"""
    with running_daemon(tmp_path, text) as daemon:
        daemon.wait_until_ready()  # on a persistent connection
        pid = daemon.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        failures = [daemon.value("probe_results_total", name, "failure") for name in ("address", "name")]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        until(lambda: daemon.value("exporter_probes_void_total", "descriptors") >= 6, "void runs")
        assert daemon.value("exporter_resource_exhausted", "descriptors") == 1
        assert {line.rsplit(" ", 1)[1] for line in daemon.lines("probe_success{")} == {"1"}
        assert daemon.log.count("the exporter is out of file descriptors") == 1
        before = successes(daemon, "name")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: successes(daemon, "name") > before + 1, "valid runs")
        after = [daemon.value("probe_results_total", name, "failure") for name in ("address", "name")]
        assert after == failures
        assert "is down" not in daemon.log


def test_a_secret_that_becomes_a_pipe_stops_nobody_else(tmp_path: Path, server: Services) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    url = f"http://127.0.0.1:{server.port}/health"
    text = f"""
project: test
defaults: {{probe: {{interval: 500ms, timeout: 400ms}}}}
services:
  plain: {{probes: [{{name: page, http: "{url}"}}]}}
  secret: {{probes: [{{name: page, http: {{url: "{url}", bearer_token: {{file: token}}}}}}]}}
"""
    with running_daemon(tmp_path, text) as daemon:
        daemon.wait_until_ready()
        token.unlink()
        os.mkfifo(token)
        until(lambda: daemon.service("secret")["reason"] == "secret", "the failure")
        detail = daemon.service("secret")["detail"]
        assert detail == f"secret file {token} cannot be read: it is a named pipe, not a regular file"
        before = successes(daemon, "plain")
        until(lambda: successes(daemon, "plain") > before + 1, "the other service's runs")
        # A reload also reads the secret, but a check of another service does not.
        assert daemon.http.post("/-/reload").status_code == 400
        check = [sys.executable, "-m", "exporter", "check", "--config", str(daemon.catalog)]
        assert subprocess.run([*check, "plain"], timeout=60, capture_output=True).returncode == 0
        refused = subprocess.run([*check, "secret"], timeout=60, capture_output=True, text=True)
        assert refused.returncode == 2
        assert "it is a named pipe" in refused.stderr
        token.unlink()
        token.write_text("two\n")
        until(lambda: daemon.service("secret")["state"] == "up", "the end of the failure")
        assert "secret/page is up again after" in daemon.log


@pytest.mark.parametrize(
    "command",
    [
        ["run", "-c"],
        ["check", "-c"],
        ["validate"],
        ["gen", "--check", "-c"],
        ["healthcheck", "-c"],
    ],
    ids=lambda command: command[0],
)
def test_a_catalog_that_is_a_pipe_is_one_sentence(command: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    arguments = [sys.executable, "-m", "exporter", *command, str(tmp_path / "config.yaml")]
    done = subprocess.run(arguments, timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "config.yaml: cannot be read: it is a named pipe, not a regular file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_that_nobody_reads_stops_nobody(tmp_path: Path) -> None:
    """Check with thousands of lines and a pipe that holds a few hundred."""
    services_ = "\n".join(
        f'  s{n}: {{probes: [{{name: p, interval: 60s, tcp: "127.0.0.1:1"}}]}}' for n in range(800)
    )
    text = f"project: {'x' * 20}\nservices:\n{services_}\n"
    reader, writer = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reader)
        daemon = stack.enter_context(running_daemon(tmp_path, text, stderr=writer))
        os.close(writer)
        daemon.wait_until_ready()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 2


def test_what_the_start_itself_needs_is_no_stall() -> None:
    async def load() -> Plan:
        time.sleep(0.5)  # noqa: ASYNC251 - like imports, before anything is watched or served
        return Plan("shop", "test", "127.0.0.1", 0, (), ())

    async def run() -> float:
        daemon = Daemon(load)
        await daemon.start()
        try:
            await asyncio.sleep(0.3)  # several checks of the loop
            return float(daemon.own.event_loop_stall_seconds._sum.get())
        finally:
            await daemon.stop()

    assert asyncio.run(run()) < 0.4
