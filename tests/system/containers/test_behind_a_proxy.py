"""A real engine behind HAProxy, configured like docker-socket-proxy: idle streams are cut, and paths are refused."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from exporter.containers import discovery
from exporter.containers.endpoint import resolve_endpoint
from tests.components import require
from tests.containers.watching import Watching
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docker_engine import DockerEngine

CONFIG = """
global
    maxconn 4000
defaults
    mode http
    option httpclose
    timeout connect 5s
    timeout client {idle}
    timeout server {idle}
frontend socket
    bind 127.0.0.1:{port}
    http-request deny unless METH_GET
    {deny}
    default_backend engine
backend engine
    server engine {socket}
"""
NO_INSPECT = "http-request deny if { path,url_dec -m reg -i ^(/v[\\d\\.]+)?/containers/[^/]+/json$ }"


@contextlib.contextmanager
def haproxy(engine: DockerEngine, folder: Path, idle: str, deny: str = "") -> Iterator[str]:
    """Run a proxy in front of the engine and return its address."""
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(idle=idle, port=port, deny=deny, socket=engine.socket))
    process = subprocess.Popen([require("haproxy"), "-f", str(config), "-db"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), "the proxy")
        yield f"tcp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


def test_idle_streams_are_cut_and_no_container_is_lost(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "RELIST_GAP", 0.5)
    stays = engine.run("--name", "stays")
    with haproxy(engine, tmp_path, "1s") as address, Watching(resolve_endpoint(address)) as watching:
        watching.until_up()
        scrapes = 0
        while watching.discovery.events.lost < 5:
            assert watching.discovery.up
            assert watching.seen(stays)
            scrapes += 1
            time.sleep(0.02)
        assert scrapes > 50
        comes = engine.create("--name", "comes")
        watching.until_seen(comes, bool, "there", 10)
        engine.docker("rename", "comes", "came")
        watching.until_seen(comes, lambda seen: seen.identity.name == "came", "renamed", 10)
        engine.remove(comes)
        watching.until_gone(comes)
        assert [each for each in watching.changes if each[1] is None] == [(comes, None)]
        engine.stop()
        watching.until_down()
        engine.start()
        watching.until_up(60)


def test_a_refused_inspect(engine: DockerEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = [engine.create() for _ in range(3)]
    with (
        haproxy(engine, tmp_path, "10s", NO_INSPECT) as address,
        Watching(resolve_endpoint(address)) as watching,
        caplog.at_level(logging.WARNING),
    ):
        watching.until_up()
        until(lambda: watching.discovery.unknown == len(made), "all that are unknown")
        assert list(watching.engine.refused) == ["/containers/{id}/json"]
    (said,) = [each.getMessage() for each in caplog.records if each.name == "exporter.containers.known"]
    assert "GET /containers/{id}/json must be allowed" in said
