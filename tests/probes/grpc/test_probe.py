"""gRPC probes of a real server (grpcio), and of servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest
import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from exporter.catalog.planning.specs import GrpcSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.grpc.call import MAX_FRAME_BYTES
from exporter.probes.grpc.probe import decode_response, encode_request
from exporter.probes.net.resolve import close_resolver
from tests.probes.certificates import Authority
from tests.probes.grpc.server import NOT_SERVING, SERVICE_UNKNOWN, SERVING, aborts, grpc_server, says
from tests.probes.prober import open_sockets, until
from tests.probes.servers import Connection, Script, Server, black_hole, silence
from tests.waiting import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.certificates import Certificate
    from tests.probes.net.name_server import NameServer
    from tests.probes.prober import Prober

TOKEN = "s3cret-t0ken-value"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
GONE = b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\x0b"
"""GOAWAY with ENHANCE_YOUR_CALM; no call was answered."""
RESET = b"\0\0\x04\x03\0\0\0\0\x01" + b"\0\0\0\x07"
"""RST_STREAM of the call with REFUSED_STREAM."""


def test_serving(prober: Prober) -> None:
    with grpc_server(says(SERVING)) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port))
    assert result.success, result.detail
    assert result.facts == {
        "ip_protocol": 4,
        "ip_addr": "127.0.0.1",
        "ssl": 0,
        "grpc_status_code": 0,
        "grpc_serving_status": "SERVING",
    }
    assert set(result.phases) == {"connect", "check"}


STATUSES = [
    pytest.param(NOT_SERVING, "NOT_SERVING", "the server is NOT_SERVING, expected SERVING", id="not-serving"),
    pytest.param(SERVICE_UNKNOWN, "SERVICE_UNKNOWN", "the server is SERVICE_UNKNOWN", id="service-unknown"),
    pytest.param(b"", "UNKNOWN", "the server is UNKNOWN", id="unknown"),
]


@pytest.mark.parametrize(("message", "status", "detail"), STATUSES)
def test_serving_status(message: bytes, status: str, detail: str, prober: Prober) -> None:
    with grpc_server(says(message)) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port))
    assert result.reason is Reason.STATUS
    assert detail in result.detail
    assert result.facts["grpc_serving_status"] == status


def test_one_service(prober: Prober) -> None:
    """Ask about one service, whose name may have any length."""
    name = "shop." + "Orders" * 40

    def check(request: bytes, _context: grpc.ServicerContext) -> bytes:
        return SERVING if request == b"\x0a\xf5\x01" + name.encode() else NOT_SERVING

    with grpc_server(check) as port:
        assert prober.run(GrpcSpec("127.0.0.1", port, name)).success
        result = prober.run(GrpcSpec("127.0.0.1", port, "shop.Carts"))
    assert result.detail == "shop.Carts is NOT_SERVING, expected SERVING"


CODES = [
    pytest.param(
        aborts(grpc.StatusCode.NOT_FOUND, "unknown service"),
        Reason.STATUS,
        "the server does not know the service: NOT_FOUND: 'unknown service'",
        id="not-found",
    ),
    pytest.param(
        aborts(grpc.StatusCode.UNAUTHENTICATED), Reason.LOGIN, "ended with UNAUTHENTICATED", id="login"
    ),
    pytest.param(
        aborts(grpc.StatusCode.PERMISSION_DENIED, "not\nyou, gr\u00fc\u00dfe"),
        Reason.LOGIN,
        "PERMISSION_DENIED: 'not\\nyou, gr\u00fc\u00dfe'",
        id="permission",
    ),
    pytest.param(
        aborts(grpc.StatusCode.UNAVAILABLE, "x" * 1000), Reason.ANSWER, "UNAVAILABLE: 'xxx", id="unavailable"
    ),
]


@pytest.mark.parametrize(("check", "reason", "detail"), CODES)
def test_status_code(check: object, reason: Reason, detail: str, prober: Prober) -> None:
    with grpc_server(check) as port:  # type: ignore[arg-type] # a parameter of a table
        result = prober.run(GrpcSpec("127.0.0.1", port, "shop.Orders"))
    assert result.reason is reason, result.detail
    assert detail in result.detail
    assert len(result.detail) < 200
    assert result.facts["grpc_status_code"] > 0  # type: ignore[operator] # this fact is a number
    assert "grpc_serving_status" not in result.facts


def test_no_health_service(prober: Prober) -> None:
    with grpc_server(says(SERVING), method="/shop.Orders/List") as port:
        result = prober.run(GrpcSpec("127.0.0.1", port))
    assert result.reason is Reason.ANSWER
    assert result.detail.startswith("the server has no health service (grpc.health.v1.Health): UNIMPLEMENTED")
    assert result.facts["grpc_status_code"] == 12


def test_name(prober: Prober, name_server: NameServer) -> None:
    """Check that the probe resolves the name and sends it as the authority."""
    name_server.names["orders.test"] = ("127.0.0.1",)
    with grpc_server(says(SERVING)) as port:
        result = prober.run(GrpcSpec("orders.test", port))
    assert result.success, result.detail
    assert set(result.phases) == {"resolve", "connect", "check"}


def test_ipv6(prober: Prober) -> None:
    with grpc_server(says(SERVING), host="[::1]") as port:
        result = prober.run(GrpcSpec("::1", port))
    assert result.success, result.detail
    assert result.facts["ip_protocol"] == 6


def test_proxies_of_the_environment_are_not_used(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with grpc_server(says(SERVING)) as port:
        assert prober.run(GrpcSpec("127.0.0.1", port)).success


# TLS


def test_tls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with grpc_server(says(SERVING), certificate=certificate) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port, tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.success, result.detail
    assert result.facts["ssl"] == 1
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert result.facts["tls_version"] == "TLS 1.3"
    assert set(result.phases) == {"connect", "tls", "check"}


def test_server_name(prober: Prober, authority: Authority) -> None:
    with grpc_server(says(SERVING), certificate=authority.issue("orders.test")) as port:
        tls = TlsSpec(ca_file=str(authority.ca_file), server_name="orders.test")
        assert prober.run(GrpcSpec("127.0.0.1", port, tls=tls)).success
        result = prober.run(GrpcSpec("127.0.0.1", port, tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.reason is Reason.CERTIFICATE
    assert "127.0.0.1" in result.detail


def test_wrong_authority(prober: Prober, certificate: Certificate, tmp_path: Path) -> None:
    other = Authority(tmp_path, "Other CA")
    with grpc_server(says(SERVING), certificate=certificate) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port, tls=TlsSpec(ca_file=str(other.ca_file))))
    assert result.reason is Reason.CERTIFICATE
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert "grpc_status_code" not in result.facts


def test_expired(prober: Prober, authority: Authority) -> None:
    expired = authority.issue("127.0.0.1", expired=True)
    with grpc_server(says(SERVING), certificate=expired) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port, tls=TlsSpec(ca_file=str(authority.ca_file))))
        unjudged = prober.run(GrpcSpec("127.0.0.1", port, tls=TlsSpec(verify=False)))
    assert result.reason is Reason.CERTIFICATE
    assert result.detail == "certificate of 127.0.0.1: certificate has expired"
    assert result.facts["certificate_expiry"] == expired.not_after
    assert unjudged.success, unjudged.detail


def test_tls_of_a_server_without(prober: Prober) -> None:
    with grpc_server(says(SERVING)) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port, tls=TlsSpec()))
    assert result.reason is Reason.TLS, result.detail


def test_tls_without_http2(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with Server(silence, tls=certificate.server_context()) as server:
        result = prober.run(GrpcSpec("127.0.0.1", server.port, tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.reason is Reason.PROTOCOL
    assert "ALPN" in result.detail


def test_no_tls_to_a_server_with(prober: Prober, certificate: Certificate) -> None:
    with grpc_server(says(SERVING), certificate=certificate) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port))
    assert result.reason in (Reason.DISCONNECT, Reason.PROTOCOL), result.detail


# Secrets


def test_secret_metadata(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that it reaches the server, and is not shown if the server repeats it."""
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    token = SecretText(("Bearer ", EnvironmentReference("TEST_TOKEN")))
    metadata = (("Authorization", token), ("x-tenant", "shop"))
    seen: list[tuple[str, str | bytes]] = []

    def check(_request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.extend(context.invocation_metadata())
        if len(seen) > 10:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"who is Bearer {TOKEN}, {TOKEN[:10]}?")
        return SERVING

    with grpc_server(check) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port, metadata=metadata))
        assert result.success, result.detail
        assert {("authorization", f"Bearer {TOKEN}"), ("x-tenant", "shop")} <= set(seen)
        seen *= 10
        result = prober.run(GrpcSpec("127.0.0.1", port, metadata=metadata))
    assert result.reason is Reason.LOGIN
    assert result.detail == "the call ended with UNAUTHENTICATED: 'who is Bearer ***, ***?'"


def test_secret_in_a_broken_answer(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the message about an unreadable answer, which may quote part of it."""
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    metadata = (("x-token", SecretText((EnvironmentReference("TEST_TOKEN"),))),)
    with Server(reply(*GRPC, (f"{TOKEN} {TOKEN}", TOKEN), *OK)) as server:
        result = prober.run(GrpcSpec("127.0.0.1", server.port, metadata=metadata))
    assert result.reason is Reason.PROTOCOL
    assert TOKEN[:10] not in result.detail


@pytest.mark.parametrize("value", [None, "two\nlines", "gr\u00fc\u00df"])
def test_secret_that_cannot_be_sent(
    value: str | None, prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_TOKEN", value)
    metadata = (("authorization", SecretText((EnvironmentReference("TEST_TOKEN"),))),)
    result = prober.run(GrpcSpec("127.0.0.1", 1, metadata=metadata))
    assert result.reason is Reason.SECRET
    assert not result.phases
    assert value is None or value not in result.detail


# Faults. No real server produces these on demand, so these servers are part of the tests.


GRPC = ((":status", "200"), ("content-type", "application/grpc"))
OK = (("grpc-status", "0"),)


def says_bytes(*parts: bytes) -> Script:
    """Read something, send `parts`, and wait."""

    def script(connection: Connection) -> None:
        connection.socket.recv(65536)
        for part in parts:
            connection.send(part)
        connection.until_closed()

    return script


def closes_after(data: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.socket.recv(65536)
        connection.send(data)

    return script


def hangs_up(_connection: Connection) -> None:
    """Close without reading."""


def pours(data: bytes) -> Script:
    def script(connection: Connection) -> None:
        while True:
            connection.send(data)

    return script


def reply(*headers: tuple[str, str], body: bytes = b"", trailers: tuple[tuple[str, str], ...] = ()) -> Script:
    """Speak HTTP/2, and answer the call with this."""

    def script(connection: Connection) -> None:
        http2 = H2Connection(H2Configuration(client_side=False, validate_outbound_headers=False))
        http2.initiate_connection()
        connection.send(http2.data_to_send())
        events: list[object] = []
        while not any(isinstance(event, StreamEnded) for event in events):
            events += http2.receive_data(connection.socket.recv(65536))
        http2.send_headers(1, headers, end_stream=not body and not trailers)
        for start in range(0, len(body), MAX_FRAME_BYTES):
            last = start + MAX_FRAME_BYTES >= len(body)
            http2.send_data(1, body[start : start + MAX_FRAME_BYTES], end_stream=last and not trailers)
        if trailers:
            http2.send_headers(1, trailers, end_stream=True)
        connection.send(http2.data_to_send())
        connection.until_closed()

    return script


FAULTS = [
    pytest.param(closes_after(b""), Reason.DISCONNECT, "closed before any answer", id="closes"),
    pytest.param(hangs_up, Reason.DISCONNECT, "before any answer", id="closes-at-once"),
    pytest.param(closes_after(SETTINGS), Reason.DISCONNECT, "before the answer was complete", id="half-way"),
    pytest.param(
        says_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.PROTOCOL, "answers in HTTP/1", id="http1"
    ),
    pytest.param(says_bytes(b"220 mail.test ESMTP\r\n"), Reason.PROTOCOL, "not valid HTTP/2", id="garbage"),
    pytest.param(pours(SETTINGS), Reason.PROTOCOL, "more than 100 frames", id="endless-frames"),
    pytest.param(pours(b"\0" * 65536), Reason.PROTOCOL, "not valid HTTP/2", id="zeros"),
    pytest.param(
        says_bytes(SETTINGS, GONE), Reason.DISCONNECT, "ended the connection: ENHANCE_YOUR_CALM", id="goaway"
    ),
    pytest.param(
        says_bytes(SETTINGS, RESET), Reason.DISCONNECT, "reset the call: REFUSED_STREAM", id="reset"
    ),
    pytest.param(
        reply((":status", "404"), ("content-type", "text/html"), body=b"<html>"),
        Reason.PROTOCOL,
        "speaks HTTP/2 but not gRPC: HTTP status 404",
        id="no-grpc",
    ),
    pytest.param(reply((":status", "503")), Reason.STATUS, "HTTP status 503 instead", id="proxy"),
    pytest.param(reply((":status", "403")), Reason.LOGIN, "HTTP status 403 instead", id="proxy-login"),
    pytest.param(reply((":status", "teapot")), Reason.PROTOCOL, "", id="status-that-is-none"),
    pytest.param(
        reply(*GRPC, body=b"\0\0\0\0\x02\x08\x01"), Reason.PROTOCOL, "no gRPC status", id="no-status"
    ),
    pytest.param(
        reply(*GRPC, *OK), Reason.PROTOCOL, "not hold exactly one complete message", id="no-message"
    ),
    pytest.param(
        reply(*GRPC, body=b"\0\0\0\0\x09\x08\x01", trailers=OK),
        Reason.PROTOCOL,
        "exactly one complete message",
        id="cut",
    ),
    pytest.param(
        reply(*GRPC, body=b"\1\0\0\0\x02\x08\x01", trailers=OK),
        Reason.PROTOCOL,
        "compressed",
        id="compressed",
    ),
    pytest.param(
        reply(*GRPC, body=b"\0\0\0\0\x02\x08\x07", trailers=OK),
        Reason.PROTOCOL,
        "does not come from a health service",
        id="status-of-another-service",
    ),
    pytest.param(reply(*GRPC, body=b"\0" * 20000), Reason.SIZE, "larger than 16384 bytes", id="long-message"),
]


@pytest.mark.parametrize(("script", "reason", "detail"), FAULTS)
def test_fault(script: Script, reason: Reason, detail: str, prober: Prober) -> None:
    with Server(script) as server:
        result = prober.run(GrpcSpec("127.0.0.1", server.port))
    assert result.reason is reason, result.detail
    assert detail in result.detail
    assert "grpc_serving_status" not in result.facts


def test_last_call_of_a_connection(prober: Prober) -> None:
    """Use nginx with `keepalive_requests 1`, which announces the end of the connection before it answers."""
    going = b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\x01" + b"\0\0\0\0"
    answer = reply(*GRPC, body=b"\0\0\0\0\x02\x08\x01", trailers=OK)

    def script(connection: Connection) -> None:
        connection.send(SETTINGS + going)
        answer(connection)

    with Server(script) as server:
        result = prober.run(GrpcSpec("127.0.0.1", server.port))
    assert result.success, result.detail


def test_refused(prober: Prober) -> None:
    started = time.monotonic()
    result = prober.run(GrpcSpec("127.0.0.1", free_port()), 5.0)
    assert result.reason is Reason.CONNECT
    assert "Connection refused" in result.detail
    assert set(result.phases) == {"connect"}
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("phase", ["connect", "tls", "check"])
def test_silence(phase: str, prober: Prober) -> None:
    doing = {
        "connect": "connecting",
        "tls": "waiting for the TLS handshake",
        "check": "waiting for the answer",
    }
    with black_hole("127.0.0.1") as hole, Server(silence) as server:
        port = hole if phase == "connect" else server.port
        tls = TlsSpec() if phase == "tls" else None
        result = prober.run(GrpcSpec("127.0.0.1", port, tls=tls), 0.3)
    assert result.reason is Reason.TIMEOUT
    assert f"{doing[phase]} (127.0.0.1 port {port})" in result.detail
    assert max(result.phases, key=lambda name: result.phases[name]) == phase


def test_slow(prober: Prober) -> None:
    """Check that the server learns the probe's deadline, and that the probe waits no longer than that."""
    left: list[float] = []
    over = threading.Event()

    def check(_request: bytes, context: grpc.ServicerContext) -> bytes:
        left.append(context.time_remaining())
        over.wait(10)
        return SERVING

    with grpc_server(check) as port:
        result = prober.run(GrpcSpec("127.0.0.1", port), 0.5)
        over.set()
    assert result.reason is Reason.TIMEOUT
    assert "waiting for the answer" in result.detail
    assert 0 < left[0] <= 1.6


@pytest.mark.parametrize("tls", [None, TlsSpec()])
def test_cancelled(tls: TlsSpec | None) -> None:
    """Cancel at each of the first steps of the loop, and once after the probe has come as far as it can."""

    async def main() -> None:
        with Server(silence) as server:
            before = open_sockets()
            for steps in range(12):
                probe = compile_probe(GrpcSpec("localhost", server.port, tls=tls), Shared())
                running = asyncio.create_task(probe.run(time.monotonic() + 30))
                for _ in range(steps):
                    await asyncio.sleep(0 if steps < 10 else 0.01)
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
                await close_resolver()
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
            await until(lambda: open_sockets() <= before, "sockets are left open")

    uvloop.run(main())


# The two messages


@pytest.mark.parametrize(
    ("service", "message"),
    [("", b""), ("a", b"\x0a\x01a"), ("\u00fc" * 100, b"\x0a\xc8\x01" + b"\xc3\xbc" * 100)],
)
def test_request_message(service: str, message: bytes) -> None:
    assert encode_request(service) == message


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"", 0),
        (b"\x08\x01", 1),
        (b"\x08\x01\x08\x02", 2),  # the last one counts
        (b"\x12\x03abc\x08\x01\x1d1234\x2112345678\x30\x80\x01", 1),  # fields of a later version
    ],
)
def test_response_message(message: bytes, status: int) -> None:
    assert decode_response(message) == status


@pytest.mark.parametrize(
    "message",
    [b"\x08", b"\x08\x80", b"\x08" + b"\xff" * 11, b"\x12\x09abc", b"\x1d12", b"\x0b\x01", b"\x08\x04"],
)
def test_response_that_is_none(message: bytes) -> None:
    with pytest.raises(ProbeFailure) as caught:
        decode_response(message)
    assert caught.value.reason is Reason.PROTOCOL
