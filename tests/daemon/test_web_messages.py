"""Requests to the web server: framing, limits, and headers of every response."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from exporter.daemon.web import connection
from exporter.daemon.web.connection import MAX_HEAD_BYTES
from exporter.daemon.web.message import MAX_BODY_BYTES
from tests.daemon.web_client import BIG, Served, exchange, get, request, served
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "Host: localhost\r\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served() as running:
        yield running


ANSWERS: dict[str, tuple[bytes, list[int]]] = {
    "plain": (request("GET /small"), [200]),
    "HTTP/1.0 without Host": (b"GET /small HTTP/1.0\r\n\r\n", [200]),
    "no Host": (request("GET /small", host=None), [400]),
    "two Hosts": (request("GET /small", "Host: localhost"), [400]),
    "two different Hosts": (request("GET /small", "Host: 127.0.0.1"), [400]),
    "empty Host": (request("GET /small", host=""), [400]),
    "Host with a path": (request("GET /small", host="a/b"), [400]),
    "Host with a user": (request("GET /small", host="a@b"), [400]),
    "two names in one Host": (request("GET /small", host="a, b"), [400]),
    "IPv6 Host": (request("GET /small", host="[::1]:9877"), [200]),
    "whole URL": (request("GET http://localhost/small"), [200]),
    "whole URL of another name": (request("GET http://evil.example/small"), [421]),
    "two at once": (f"GET /small HTTP/1.1\r\n{HOST}\r\n".encode() + request("GET /small"), [200, 200]),
    "an ignored body": (request("POST /change", "Content-Length: 3") + b"abc", [200]),
    "a body of its limit": (
        request("POST /change", f"Content-Length: {MAX_BODY_BYTES}") + bytes(MAX_BODY_BYTES),
        [200],
    ),
    "a body above its limit": (request("POST /change", f"Content-Length: {MAX_BODY_BYTES + 1}"), [413]),
    "a body that is expected": (
        request("POST /change", "Expect: 100-continue", "Content-Length: 3") + b"abc",
        [200],
    ),
    "chunks": (request("POST /change", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", [411]),
    "length and chunks": (
        request("POST /change", "Content-Length: 3", "Transfer-Encoding: chunked") + b"abc",
        [400],
    ),
    "two lengths": (request("POST /change", "Content-Length: 3", "Content-Length: 4") + b"abc", [400]),
    "no number": (request("POST /change", "Content-Length: x"), [400]),
    "a negative length": (request("POST /change", "Content-Length: -1"), [400]),
    "an offer of h2c": (request("GET /small", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), [200]),
    "WebSocket": (request("GET /small", "Upgrade: websocket", "Sec-WebSocket-Key: x"), [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
    "bare line ends": (b"GET /small HTTP/1.1\nHost: localhost\n\n", [400]),
    "an empty line before": (b"\r\n\r\n" + request("GET /small"), [200]),
    "folded header": (request("GET /small", "X: a\r\n b"), [400]),
    "space before a colon": (request("GET /small", "X : a"), [400]),
    "NUL in a header": (request("GET /small", "X: \0"), [400]),
    "HEAD": (request("HEAD /small"), [200]),
    "TRACE": (request("TRACE /small"), [405]),
    "OPTIONS": (request("OPTIONS /small", "Origin: http://localhost"), [405]),
    "OPTIONS of all": (request("OPTIONS *"), [404]),
    "CONNECT": (request("CONNECT evil.example:80"), [400]),
    "no such path": (request("GET /none"), [404]),
    "a defect": (request("GET /broken"), [500]),
    "a head of its limit": (
        request("GET /small", "X: " + "a" * (MAX_HEAD_BYTES - len(request("GET /small", "X: ")))),
        [200],
    ),
    "a head above its limit": (request("GET /small", "X: " + "a" * MAX_HEAD_BYTES), [431]),
    "a head of 40 MB": (request("GET /small", "X: " + "a" * 40_000_000), [431]),
    "40 MB without an end of line": (b"a" * 40_000_000, [431]),
    "40 MB of zeros": (bytes(40_000_000), [400]),
    "many headers": (request("GET /small", *["X: a"] * 10_000), [431]),
}


@pytest.mark.parametrize(("sent", "statuses"), ANSWERS.values(), ids=ANSWERS)
def test_each_request_gets_its_answer(site: Served, sent: bytes, statuses: list[int]) -> None:
    replies = [reply for reply in exchange(site.port, sent) if reply.status != 100]
    assert [reply.status for reply in replies] == statuses
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert not [name for name in reply.headers if name.startswith("access-control")]
    assert replies[-1].seconds < 5


def test_a_head_needs_only_come_whole_and_not_at_once(site: Served) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 10) as client:
        for byte in request("GET /small"):
            client.sendall(bytes([byte]))
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_has_closed_its_side_is_answered(site: Served) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 10) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        received = 0
        while chunk := client.recv(1 << 20):
            received += len(chunk)
        assert received > len(BIG)


def test_a_connection_is_kept_between_requests(site: Served) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 10) as client:
        for _ in range(3):
            client.sendall(b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(65536).endswith(b"small\n")


@pytest.mark.parametrize(
    "sent", [b"", b"G", b"GET /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab"]
)
def test_a_request_has_its_time(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the time is counted from the first byte: sending a byte now and then does not extend it."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.5)
    with served() as site, socket.create_connection(("127.0.0.1", site.port), 10) as client:
        client.sendall(sent)
        began = time.monotonic()
        client.settimeout(0.1)
        answer = None
        while answer is None:
            try:
                answer = client.recv(65536)
            except TimeoutError:
                if sent == b"G":
                    client.sendall(b"E")
            assert time.monotonic() - began < 10
        assert answer.startswith(b"HTTP/1.1 408" if sent else b"")
        assert site.refused.get("timeout", 0) == bool(sent)


def test_an_answer_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_SECONDS", 0.5)
    with served() as site, _never_reads(site.port):
        until(lambda: site.refused.get("timeout") == 1, "the client that does not read to go")
        until(lambda: len(site.server.crowd) == 0, "its connection to go")


def test_pipelined_requests_wait_for_their_turn(site: Served) -> None:
    """Check that a client that sends ten thousand requests and reads no response holds at most one response."""
    with socket.create_connection(("127.0.0.1", site.port), 1) as client:
        sent = 0
        chunk = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
        try:
            while sent < 50_000_000:
                sent += client.send(chunk)
        except TimeoutError:
            pass
        assert sent < 50_000_000
        assert get(site.port, "/small").status == 200


def _never_reads(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client
