"""Start and end of the process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.daemon.running import running_daemon
from tests.daemon.services import services
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from pathlib import Path

STOP_SECONDS = 2.0
"""The documented limit; container runtimes kill after ten seconds."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time_with_probes_and_scrapes_under_way(tmp_path: Path, number: int) -> None:
    with services() as server:
        server.answering.clear()
        text = f"""
project: test
defaults: {{probe: {{interval: 10s, timeout: 10s}}}}
services: {{hanging: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/health"}}}}]}}}}
"""
        with running_daemon(tmp_path, text) as daemon:
            until(lambda: daemon.value("exporter_probes_running") == 1, "the probe to hang")
            started = time.monotonic()
            assert daemon.stop(number) == 0
            assert time.monotonic() - started < STOP_SECONDS
            assert "Traceback" not in daemon.log


def test_without_a_catalog_it_says_so_and_ends_with_2(tmp_path: Path) -> None:
    result = run("run", "--config", str(tmp_path / "none.yaml"))
    assert result.returncode == 2
    assert "none.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_address_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    catalog = tmp_path / "config.yaml"
    catalog.write_text("project: test\nservices: {web: {image: x, port: 80}}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("run", "--config", str(catalog), "--listen", address)
    assert result.returncode == 1
    assert f"cannot listen on {address}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_logs_are_json_for_machines(tmp_path: Path) -> None:
    text = f'project: test\nservices: {{web: {{probes: [{{name: p, tcp: "127.0.0.1:{free_port()}"}}]}}}}\n'
    with running_daemon(tmp_path, text, "--log-format", "json") as daemon:
        until(lambda: "is down" in daemon.log, "the failure to be logged")
        records = [json.loads(line) for line in daemon.log.splitlines()]
    assert {record["level"] for record in records} == {"info", "warning"}
    always = {"time", "level", "logger", "message"}
    assert all(set(record) >= always for record in records)
    down = next(record for record in records if "is down" in record["message"])
    assert set(down) == always | {"service", "probe", "reason"}
    assert (down["service"], down["probe"], down["reason"]) == ("web", "p", "connect")


def test_health_check_asks_the_running_daemon(tmp_path: Path) -> None:
    text = "project: test\nservices: {web: {image: x, port: 80}}\n"
    with running_daemon(tmp_path, text) as daemon:
        address = daemon.url.removeprefix("http://")
        assert run("healthcheck", "--listen", address).returncode == 0
        daemon.catalog.write_text(f"{text}exporter: {{listen: '{address}'}}\n")
        assert run("healthcheck", "--config", str(daemon.catalog)).returncode == 0
    result = run("healthcheck", "--listen", address)
    assert result.returncode == 1
    assert "no answer" in result.stderr
