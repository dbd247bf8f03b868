"""The gateway's timeouts, as rendered and with replicas that are slow or drop packets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from exporter.outputs.gateway import render
from tests.outputs.catalogs import catalog_of
from tests.outputs.gateway_server import DEBIAN, MODERN, Edge, replica

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

KINDS = pytest.mark.parametrize("kind", [DEBIAN, MODERN])
SHOP = "Host: shop.example.com"


def shop(folder: Path, port: int, gateway: str) -> Catalog:
    return catalog_of(
        folder,
        f"""
project: shop
services: {{web: {{image: "web:1", port: {port}}}}}
gateway: {{host: shop.example.com, {gateway}}}
""",
    )


@contextlib.contextmanager
def swallowing(host: str, port: int) -> Iterator[None]:
    """Listen on an address whose connection queue is full, so that the kernel drops packets that
    would open another."""
    waiting: list[socket.socket] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        try:
            for _ in range(16):
                client = socket.socket()
                waiting.append(client)
                client.settimeout(0.3)
                try:
                    client.connect((host, port))
                except TimeoutError:
                    break
            else:
                pytest.skip("this kernel accepts connections although the queue is full")
            yield
        finally:
            for client in waiting:
                client.close()


@contextlib.contextmanager
def silent(host: str) -> Iterator[int]:
    """Listen on a port that accepts connections and never answers."""
    with socket.create_server((host, 0)) as listener:
        taken: list[socket.socket] = []
        ended = threading.Event()

        def accept() -> None:
            listener.settimeout(0.05)
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    taken.append(listener.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            ended.set()
            thread.join(10)
            for connection in taken:
                connection.close()


def test_as_rendered(tmp_path: Path) -> None:
    gateway = (
        "routes: {/: web, /slow: {service: web, read_timeout: 5m}}, max_fails: 7, fail_timeout: 2s, "
        "timeouts: {connect: 250ms, read: 1500ms, send: 2s}"
    )
    [file] = render(shop(tmp_path, 80, gateway))
    lines = [line.strip() for line in file.text.splitlines()]
    for expected in (
        "proxy_connect_timeout 250ms;",
        "proxy_read_timeout 1500ms;",
        "proxy_send_timeout 2s;",
        "proxy_read_timeout 5m;",
        "proxy_next_upstream_timeout 750ms;",
    ):
        assert expected in lines, expected
    assert any("max_fails=7 fail_timeout=2s" in line for line in lines)


@KINDS
def test_a_replica_that_swallows_packets_costs_no_request(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as web, swallowing("127.0.0.4", web.port):
        catalog = shop(tmp_path, web.port, "routes: {/: web}, timeouts: {connect: 250ms}")
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.4", "127.0.0.2")}) as edge:
            for number in range(4):
                began = time.monotonic()
                assert edge.ask(f"/{number}", "-H", SHOP).status == 200
                assert time.monotonic() - began < 5
            assert "upstream timed out" in edge.errors()


@KINDS
def test_where_all_replicas_swallow_packets_the_answer_is_504_in_time(kind: str, tmp_path: Path) -> None:
    with replica("127.0.0.2") as other, swallowing("127.0.0.4", other.port):
        catalog = shop(tmp_path, other.port, "routes: {/: web}, timeouts: {connect: 250ms, read: 60s}")
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.4",)}) as edge:
            began = time.monotonic()
            assert edge.ask("/", "-H", SHOP).status == 504
            assert time.monotonic() - began < 5


@KINDS
def test_a_replica_that_never_answers_is_504_after_the_read_timeout(kind: str, tmp_path: Path) -> None:
    with silent("127.0.0.5") as port:
        catalog = shop(tmp_path, port, "routes: {/: web}, timeouts: {connect: 10s, read: 300ms}")
        with Edge(kind, catalog, tmp_path, {"web": ("127.0.0.5",)}) as edge:
            began = time.monotonic()
            assert edge.ask("/", "-H", SHOP).status == 504
            assert 0.3 <= time.monotonic() - began < 5
