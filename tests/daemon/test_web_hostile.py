"""The daemon with hostile clients: it answers other clients, probes stay on time, and memory stays bounded."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import services
from tests.daemon.web_client import get
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CATALOG = """
project: test
exporter: {{containers: off}}
defaults: {{probe: {{interval: 2s, timeout: 1900ms}}}}
services:
  web: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{port}/health"}}}}]}}
"""
RELOADS = 300


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    with (
        services() as server,
        running_daemon(tmp_path_factory.mktemp("web"), CATALOG.format(port=server.port)) as running,
    ):
        running.wait_until_ready()
        yield running


def port_of(daemon: RunningDaemon) -> int:
    return int(daemon.url.rpartition(":")[2])


@contextlib.contextmanager
def opened(port: int, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(sent)
        yield clients


def drip(clients: list[socket.socket]) -> None:
    for client in clients:
        with contextlib.suppress(OSError):
            client.send(b"a")


ATTACKS: dict[str, tuple[int, bytes]] = {
    "one byte": (520, b"G"),
    "half requests": (520, b"GET /metrics HTTP/1.1\r\nHost: "),
    "never reading": (100, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 200),
    "requests in a row": (20, b"GET /api/v1/services HTTP/1.1\r\nHost: a\r\n\r\n" * 500),
}


@pytest.mark.parametrize(("count", "sent"), ATTACKS.values(), ids=ATTACKS)
def test_it_answers_and_its_target_stays_up(daemon: RunningDaemon, count: int, sent: bytes) -> None:
    port = port_of(daemon)
    before = daemon.value("probe_results_total", 'result="success"')
    with opened(port, count, sent) as clients:
        seconds = []
        for _ in range(5):
            drip(clients)
            reply = get(port, "/-/healthy")
            assert reply.status == 200
            seconds.append(reply.seconds)
            assert b"probe_success" in get(port, "/metrics").body
        assert min(seconds) < 1
        until(lambda: daemon.value("probe_results_total", 'result="success"') > before, "probes to go on")
    assert daemon.value("probe_results_total", 'result="failure"') == 0
    assert psutil.Process(daemon.process.pid).memory_info().rss < 200_000_000


def test_reloads_whose_clients_hung_up_do_not_hold_the_next_one_back(daemon: RunningDaemon) -> None:
    port = port_of(daemon)
    with opened(port, RELOADS, b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"):
        pass
    one = _seconds(lambda: daemon.http.post("/-/reload", timeout=60))
    daemon.process.send_signal(1)
    alone = _seconds(lambda: daemon.http.post("/-/reload", timeout=60))
    assert one < 10 * max(alone, 1)


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_descriptors_are_kept_for_probes(tmp_path: Path) -> None:
    """Check with 128 descriptors that half-open requests leave most of them to the probes."""
    with services() as server:
        text = CATALOG.format(port=server.port)
        with running_daemon(tmp_path, text, limits={"NOFILE": 128}) as daemon:
            daemon.wait_until_ready()
            with opened(port_of(daemon), 300, b"GET /metrics HTTP/1.1\r\n"):
                before = daemon.value("probe_results_total", 'result="success"')
                until(
                    lambda: daemon.value("probe_results_total", 'result="success"') > before + 1,
                    "probes to go on",
                )
                assert daemon.value("probe_results_total", 'result="failure"') == 0
                assert psutil.Process(daemon.process.pid).num_fds() < 80
