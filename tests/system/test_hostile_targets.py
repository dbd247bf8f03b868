"""Limits that the daemon keeps with one hostile target of each kind and hostile clients of its web server: healthy
targets are probed on time and stay up, it answers, its memory is bounded, and it stops when asked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import services
from tests.system.hostile_servers import hostile
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cret-of-the-bar"
HEALTHY = 8
WATCHED_SECONDS = 15.0
LATE_SECONDS = 0.1
ANSWER_SECONDS = 1.0
STOP_SECONDS = 2.0
WAITED_SECONDS = 0.05
"""Seconds for which the daemon's main thread waited for a core although it had work. Above this, the machine was
late. Delays that the daemon causes itself do not count."""
CLIENTS = 520
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
DEPLOYED = Path(__file__).parents[2] / "deploy/production/compose.monitoring.yaml"
PAGES = ("/", "/metrics", "/api/v1/services", "/-/healthy")


def memory_limit() -> int:
    """Return the memory limit in bytes that `gen` sets for the exporter's container."""
    limit: str = yaml.safe_load(DEPLOYED.read_text())["services"]["exporter"]["mem_limit"]
    return int(limit.removesuffix("m")) << 20


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Return the ports of the hostile servers, by service."""
    command = [sys.executable, "-m", "tests.system.hostile_servers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(20)


def catalog(ports: dict[str, int], healthy: int) -> str:
    """Return a catalog with healthy services, hostile ones and hostile stores, and one whose secret is a file."""
    url = f"http://127.0.0.1:{healthy}/health"
    lines = ["project: bar", "defaults: {probe: {interval: 2s, timeout: 1500ms}}", "services:"]
    lines += [
        f'  healthy-{n}: {{probes: [{{name: page, interval: 1s, timeout: 900ms, http: "{url}"}}]}}'
        for n in range(HEALTHY)
    ]
    lines.append(
        f'  pipe: {{probes: [{{name: page, http: {{url: "{url}", bearer_token: {{file: token}}}}}}]}}'
    )
    stores = []
    for name, kind in hostile().items():
        if kind.store:
            stores.append(f"  {name}: {{address: 127.0.0.1, port: {ports[name]}, {kind.probe}}}")
        else:
            probe = kind.probe.replace("{port}", str(ports[name]))
            lines.append(f"  {name}: {{probes: [{{name: page, {probe}}}]}}")
    return "\n".join([*lines, "stores:", *stores, ""])


class Moment(NamedTuple):
    """The daemon's values at one time. `late`: runs that started late; `failures`: of healthy targets; `waited`:
    seconds for which its main thread waited for a core."""

    late: float
    failures: float
    waited: float


def moment(daemon: RunningDaemon) -> Moment:
    lines = daemon.metrics().splitlines()
    in_time = f'exporter_probe_lateness_seconds_bucket{{le="{LATE_SECONDS}"}}'
    starts = total(lines, "exporter_probe_lateness_seconds_count")
    failures = total(lines, 'probe_results_total{service="healthy-', 'result="failure"')
    pid = daemon.process.pid
    waited = int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9
    return Moment(starts - total(lines, in_time), failures, waited)


def total(lines: list[str], start: str, part: str = "") -> float:
    """Return the sum of the samples that start like this."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start) and part in line)


def at_fault(before: Moment, after: Moment) -> bool:
    """True if a healthy target was probed late or reported as down, and the machine was not the cause."""
    worse = after.late > before.late or after.failures > before.failures
    return worse and after.waited - before.waited < WAITED_SECONDS


@contextlib.contextmanager
def hostile_clients(port: int) -> Iterator[None]:
    """Start 520 clients that send one byte, and one with a header of 40 MB."""

    def send_header() -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000_000)

    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(b"G")
        thread = threading.Thread(target=send_header)
        thread.start()
        stack.callback(thread.join, 30)
        yield


def watch(daemon: RunningDaemon) -> tuple[list[tuple[Moment, Moment]], float]:
    """Return the periods in which a healthy target suffered, and the longest response time of /-/healthy, over some
    seconds."""
    faults, slowest = [], 0.0
    before = moment(daemon)
    end = time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < end:
        for _ in range(10):
            began = time.monotonic()
            assert daemon.http.get("/-/healthy").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.1)  # the time in between is what is watched
        after = moment(daemon)
        if at_fault(before, after):
            faults.append((before, after))
        before = after
    return faults, slowest


def test_hostile_targets_and_clients_change_nothing_for_others(tmp_path: Path, ports: dict[str, int]) -> None:
    token = tmp_path / "token"
    token.write_text(f"{SECRET}\n")
    healthy = [f"healthy-{number}" for number in range(HEALTHY)]
    with (
        services() as server,
        running_daemon(tmp_path, catalog(ports, server.port), env={"TEST_SECRET": SECRET}) as daemon,
    ):
        until(lambda: all(daemon.service(name)["state"] == "up" for name in healthy), "a run of each")
        token.unlink()
        os.mkfifo(token)
        with hostile_clients(int(daemon.url.rsplit(":", 1)[1])):
            faults, slowest = watch(daemon)
        until(lambda: all(daemon.service(name)["state"] == "up" for name in healthy), "all to be up")
        states = {each["name"]: each for each in daemon.http.get("/api/v1/services").json()["services"]}
        pages = [daemon.http.get(path).text for path in PAGES]
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < STOP_SECONDS
        log = daemon.log
    assert not faults
    assert slowest < ANSWER_SECONDS
    (peak_kb,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert int(peak_kb) * 1024 < memory_limit()
    assert states["pipe"]["reason"] == "secret"
    assert "internal" not in {each["reason"] for each in states.values()}
    assert "Traceback" not in log
    for text in (log, *pages):
        assert SECRET not in text
        assert not CONTROL.search(text)
