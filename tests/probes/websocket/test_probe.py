"""WebSocket probes of a real server (the package websockets), and of servers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import threading
import time
from typing import TYPE_CHECKING

import pytest
import uvloop
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from exporter.catalog.planning.specs import BasicAuth, TlsSpec, WebSocketSpec
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net.resolve import close_resolver
from exporter.probes.websocket.frames import encode
from tests.probes.certificates import Authority
from tests.probes.prober import open_sockets, until
from tests.probes.servers import (
    Connection,
    Request,
    Script,
    Server,
    answer,
    hang_up,
    pours,
    redirect,
    says,
    says_and_closes,
    silence,
    trickles,
)
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from websockets.http11 import Request as HandshakeRequest
    from websockets.http11 import Response

    from tests.probes.certificates import Certificate
    from tests.probes.net.name_server import NameServer
    from tests.probes.prober import Prober

SECRET = "s3cret-t0ken-value"
BIG = 70_000


# A real server


@contextlib.contextmanager
def websocket_server(talk: Callable[[ServerConnection], None], **options: Any) -> Iterator[int]:
    """Run a server that holds the conversation `talk` on each connection, and return its port."""
    with serve(talk, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join(5)


class Talk:
    """A conversation that echoes, and records how each connection began and ended."""

    def __init__(self) -> None:
        self.requests: list[HandshakeRequest] = []
        self.closed: list[int | None] = []

    def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.requests.append(connection.request)
        with contextlib.suppress(ConnectionClosed):
            while True:
                connection.send(connection.recv())
        self.closed.append(connection.close_code)


def test_handshake(prober: Prober) -> None:
    talk = Talk()
    with websocket_server(talk) as port:
        result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/events?since=1"))
    assert result.success, result.detail
    assert result.facts == {"ip_protocol": 4, "ip_addr": "127.0.0.1", "status_code": 101}
    assert set(result.phases) == {"connect", "handshake", "close"}
    (request,) = talk.requests
    assert request.path == "/events?since=1"
    assert request.headers["Host"] == f"127.0.0.1:{port}"
    assert request.headers["Origin"] == f"http://127.0.0.1:{port}"
    assert request.headers["User-Agent"].startswith("pageforge-exporter/")
    assert talk.closed == [1000]


def test_message(prober: Prober) -> None:
    with websocket_server(Talk()) as port:
        spec = WebSocketSpec(f"ws://127.0.0.1:{port}/", send="gr\u00fc\u00df dich", expect="^gr\u00fc\u00df")
        result = prober.run(spec)
    assert result.success, result.detail
    assert set(result.phases) == {"connect", "handshake", "message", "close"}
    assert result.facts["failed_due_to_regex"] == 0


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 900_000])
def test_sizes_of_messages(size: int, prober: Prober) -> None:
    """Check each of the three encodings of the length, in both directions."""
    with websocket_server(Talk()) as port:
        spec = WebSocketSpec(f"ws://127.0.0.1:{port}/", send="x" * size, expect="^x+$" if size else "^$")
        result = prober.run(spec)
    assert result.success, result.detail


def test_send_alone(prober: Prober) -> None:
    got: list[str | bytes] = []
    with websocket_server(lambda connection: got.append(connection.recv())) as port:
        result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/", send="x" * BIG))
    assert result.success, result.detail
    assert got == ["x" * BIG]


def test_others_are_passed_over(prober: Prober) -> None:
    """Check that unmatched messages, binary messages and pings are skipped, and that fragments form one message."""

    def talk(connection: ServerConnection) -> None:
        connection.send("welcome")
        connection.send(b"ready")
        connection.ping("are you there?").wait(5)
        connection.send(["rea", "dy ", "now"])

    with websocket_server(talk) as port:
        result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/", expect="^ready now$"))
    assert result.success, result.detail


def test_no_message_that_matches(prober: Prober) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.send("welcome")
        connection.close(1008, "not you")

    with websocket_server(talk) as port:
        result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/", expect="ready"))
    assert result.reason is Reason.DISCONNECT
    assert result.detail == (
        "the server closed the WebSocket (code 1008, policy violation: 'not you') before a message that matches "
        "'ready'; the last message was 'welcome'"
    )
    assert result.facts["failed_due_to_regex"] == 1
    assert result.facts["status_code"] == 101


def test_message_that_never_comes(prober: Prober) -> None:
    with websocket_server(Talk()) as port:
        result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/", send="hello", expect="^ready"), 0.5)
    assert result.reason is Reason.TIMEOUT
    assert "waiting for a message that matches '^ready'; the last message was 'hello'" in result.detail


def test_subprotocol(prober: Prober) -> None:
    with websocket_server(Talk(), subprotocols=["v2.shop", "mqtt"]) as port:
        url = f"ws://127.0.0.1:{port}/"
        result = prober.run(WebSocketSpec(url, subprotocols=("v1.shop", "v2.shop")))
        assert result.success, result.detail
        assert result.facts["websocket_subprotocol"] == "v2.shop"
        result = prober.run(WebSocketSpec(url, subprotocols=("v3.shop",)))
    assert not result.success
    assert "websocket_subprotocol" not in result.facts


def test_no_subprotocol(prober: Prober) -> None:
    with websocket_server(Talk()) as port:
        result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/", subprotocols=("v1", "v2")))
    assert result.reason is Reason.HEADER
    assert result.detail == "the server chose none of the offered subprotocols: v1, v2"


def test_own_headers(prober: Prober) -> None:
    """Check that they replace the probe's default headers, but not those of the handshake."""
    talk = Talk()
    headers = (("Origin", "https://shop.test"), ("host", "shop.test"), ("X-Tenant", "a"), ("Upgrade", "none"))
    with websocket_server(talk) as port:
        assert prober.run(WebSocketSpec(f"ws://127.0.0.1:{port}/", headers=headers)).success
    sent = talk.requests[0].headers
    assert (sent["Origin"], sent["Host"], sent["X-Tenant"]) == ("https://shop.test", "shop.test", "a")
    assert sent["Upgrade"] == "websocket"


def test_credentials(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that they reach the server, and are not shown if it repeats them."""
    monkeypatch.setenv("TEST_SECRET", SECRET)
    secret = SecretText((EnvironmentReference("TEST_SECRET"),))
    expected = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()

    def check(connection: ServerConnection, request: HandshakeRequest) -> Response | None:
        fine = request.headers.get("Authorization") in (expected, f"Bearer {SECRET}")
        return None if fine else connection.respond(401, "who are you?")

    with websocket_server(Talk(), process_request=check) as port:
        url = f"ws://127.0.0.1:{port}/"
        assert prober.run(WebSocketSpec(url, basic_auth=BasicAuth("me", secret))).success
        assert prober.run(WebSocketSpec(url, bearer_token=secret)).success
        refused = prober.run(WebSocketSpec(url))
        repeated = prober.run(WebSocketSpec(url, bearer_token=secret, send=secret, expect="never"), 0.3)
    assert refused.reason is Reason.STATUS
    assert refused.detail == "the handshake was answered with status 401, expected 101"
    assert refused.facts["status_code"] == 401
    assert "the last message was '***'" in repeated.detail
    assert SECRET not in str(repeated)


def test_secret_that_cannot_be_read(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SECRET", raising=False)
    secret = SecretText((EnvironmentReference("TEST_SECRET"),))
    for spec in (
        WebSocketSpec("ws://127.0.0.1:1/", bearer_token=secret),
        WebSocketSpec("ws://127.0.0.1:1/", send=secret),
    ):
        result = prober.run(spec)
        assert result.reason is Reason.SECRET
        assert not result.phases


def test_name(prober: Prober, name_server: NameServer) -> None:
    name_server.names["events.test"] = ("127.0.0.1",)
    with websocket_server(Talk()) as port:
        result = prober.run(WebSocketSpec(f"ws://events.test:{port}/"))
    assert result.success, result.detail
    assert set(result.phases) == {"resolve", "connect", "handshake", "close"}


# TLS


def test_tls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    talk = Talk()
    with websocket_server(talk, ssl=certificate.server_context()) as port:
        tls = TlsSpec(ca_file=str(authority.ca_file))
        spec = WebSocketSpec(f"wss://127.0.0.1:{port}/", send="ready", expect="ready", tls=tls)
        result = prober.run(spec)
    assert result.success, result.detail
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert result.facts["tls_version"] == "TLS 1.3"
    assert "tls_cipher" in result.facts
    assert set(result.phases) == {"connect", "tls", "handshake", "message", "close"}
    assert talk.requests[0].headers["Origin"] == f"https://127.0.0.1:{port}"


def test_expired(prober: Prober, authority: Authority) -> None:
    expired = authority.issue("127.0.0.1", expired=True)
    with websocket_server(Talk(), ssl=expired.server_context()) as port:
        result = prober.run(
            WebSocketSpec(f"wss://127.0.0.1:{port}/", tls=TlsSpec(ca_file=str(authority.ca_file)))
        )
    assert result.reason is Reason.CERTIFICATE
    assert result.facts["certificate_expiry"] == expired.not_after
    assert "status_code" not in result.facts


def test_wrong_authority(prober: Prober, certificate: Certificate, tmp_path: Path) -> None:
    other = Authority(tmp_path, "Other CA")
    with websocket_server(Talk(), ssl=certificate.server_context()) as port:
        result = prober.run(
            WebSocketSpec(f"wss://127.0.0.1:{port}/", tls=TlsSpec(ca_file=str(other.ca_file)))
        )
    assert result.reason is Reason.CERTIFICATE


def test_tls_of_a_server_without(prober: Prober) -> None:
    with websocket_server(Talk()) as port:
        result = prober.run(WebSocketSpec(f"wss://127.0.0.1:{port}/"))
    assert result.reason is Reason.TLS


# Faults of the handshake. No real server produces them on demand, so these servers are part of the tests.


def accepts(request: Request, *extra: str, key: str | None = None, upgrade: str = "websocket") -> bytes:
    """Return the response that turns a connection into a WebSocket."""
    asked = key or request.header("sec-websocket-key") or ""
    digest = hashlib.sha1(f"{asked}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324 - RFC 6455 requires it
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        f"Upgrade: {upgrade}",
        "Connection: keep-alive, Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
        *extra,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def shakes(*extra: str, before: bytes = b"", **wrong: str) -> Script:
    """Answer the handshake, and wait."""

    def script(connection: Connection) -> None:
        connection.send(before + accepts(connection.request(), *extra, **wrong))
        connection.until_closed()

    return script


HANDSHAKES = [
    pytest.param(shakes(key="another"), Reason.PROTOCOL, "does not match the key sent", id="accept"),
    pytest.param(shakes(upgrade="h2c"), Reason.PROTOCOL, "without the upgrade", id="another-upgrade"),
    pytest.param(
        says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        Reason.PROTOCOL,
        "without the upgrade",
        id="no-upgrade",
    ),
    pytest.param(
        shakes("Sec-WebSocket-Protocol: mqtt"),
        Reason.PROTOCOL,
        "the server chose the subprotocol 'mqtt', which was not offered",
        id="subprotocol-not-offered",
    ),
    pytest.param(
        shakes("Sec-WebSocket-Extensions: permessage-deflate"),
        Reason.PROTOCOL,
        "an extension",
        id="extension",
    ),
    pytest.param(says(answer(b"fine")), Reason.STATUS, "answered with status 200, expected 101", id="200"),
    pytest.param(says(answer(status="404 Not Found")), Reason.STATUS, "status 404, expected 101", id="404"),
    pytest.param(
        says(redirect("https://other.test/events", "301 Moved Permanently")),
        Reason.STATUS,
        "status 301 to 'https://other.test/events', expected 101",
        id="301",
    ),
    pytest.param(hang_up, Reason.DISCONNECT, "closed before any answer", id="closes"),
    pytest.param(
        says_and_closes(b"HTTP/1.1 101 Switching"),
        Reason.DISCONNECT,
        "within the headers",
        id="closes-mid-head",
    ),
    pytest.param(says(b"220 mail.test ESMTP\r\n"), Reason.PROTOCOL, "begins with '220 mail", id="garbage"),
    pytest.param(
        says(b"HTTP/1.1 101 X\r\nno colon\r\n\r\n"), Reason.PROTOCOL, "not valid HTTP", id="garbage-in-head"
    ),
    pytest.param(
        pours(b"HTTP/1.1 101 X\r\nA: ", b"b" * 65536),
        Reason.PROTOCOL,
        "larger than 262144 bytes",
        id="endless",
    ),
]


@pytest.mark.parametrize(("script", "reason", "detail"), HANDSHAKES)
def test_handshake_that_fails(script: Script, reason: Reason, detail: str, prober: Prober) -> None:
    with Server(script) as server:
        result = prober.run(WebSocketSpec(server.url(scheme="ws")))
    assert result.reason is reason, result.detail
    assert detail in result.detail
    assert set(result.phases) == {"connect", "handshake"}


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.replace(b"\r\n", b"\n"),
        lambda head: head.replace(b"Upgrade: websocket", b"Upgrade:\r\n\twebsocket"),
        lambda head: head.replace(b"Upgrade: ", b"Upgrade : "),
    ],
    ids=["bare-line-feeds", "folded", "blank-after-the-name"],
)
def test_head_is_read_as_that_of_http(change: Callable[[bytes], bytes], prober: Prober) -> None:
    def script(connection: Connection) -> None:
        connection.send(change(accepts(connection.request())))
        connection.until_closed()

    with Server(script) as server:
        result = prober.run(WebSocketSpec(server.url(scheme="ws")))
    assert result.success, result.detail


def test_interim_answer(prober: Prober) -> None:
    with Server(shakes(before=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) as server:
        assert prober.run(WebSocketSpec(server.url(scheme="ws"))).success


def test_refused(prober: Prober) -> None:
    result = prober.run(WebSocketSpec(f"ws://127.0.0.1:{free_port()}/"))
    assert result.reason is Reason.CONNECT


@pytest.mark.parametrize(
    "script", [silence, trickles(b"HTTP/1.1 101 Switching Protocols\r\n", 0.05)], ids=["silent", "slow"]
)
def test_handshake_that_takes_too_long(script: Script, prober: Prober) -> None:
    with Server(script) as server:
        result = prober.run(WebSocketSpec(server.url(scheme="ws")), 0.3)
    assert result.reason is Reason.TIMEOUT
    assert "waiting for the answer to the handshake" in result.detail


def test_peer_that_ignores_the_end(prober: Prober) -> None:
    """Check that it costs a moment and is not a failure."""

    def script(connection: Connection) -> None:
        connection.send(accepts(connection.request()))
        connection.pause(1)

    with Server(script) as server:
        result = prober.run(WebSocketSpec(server.url(scheme="ws")))
    assert result.success, result.detail
    assert result.phases["close"] < 0.9


# Faults in frames


def frame(first: int, payload: bytes = b"") -> bytes:
    """Return an unmasked frame of up to 125 bytes."""
    return bytes([first, len(payload)]) + payload


def frames(*parts: bytes, close: bool = False) -> Script:
    """Answer the handshake and send these frames in the same packet."""

    def script(connection: Connection) -> None:
        connection.send(accepts(connection.request()) + b"".join(parts))
        if not close:
            connection.until_closed()

    return script


FRAMES = [
    pytest.param(frames(close=True), Reason.DISCONNECT, "connection closed before a message", id="closes"),
    pytest.param(
        frames(b"\x81\x7e\x01", close=True),
        Reason.DISCONNECT,
        "connection closed before",
        id="closes-mid-frame",
    ),
    pytest.param(
        frames(frame(0x88)),
        Reason.DISCONNECT,
        "(no code) before a message that matches",
        id="close-without-code",
    ),
    pytest.param(
        frames(frame(0x88, b"\x0f\xa0")), Reason.DISCONNECT, "(code 4000) before", id="close-own-code"
    ),
    pytest.param(
        frames(frame(0x81, b"one"), frame(0x88, b"\x03\xf3a\nb")),
        Reason.DISCONNECT,
        "(code 1011, internal error: 'a\\nb') before a message that matches 'ready'; the last message was 'one'",
        id="close-with-reason",
    ),
    pytest.param(frames(frame(0xC1, b"ready")), Reason.PROTOCOL, "of an unknown kind", id="reserved-bit"),
    pytest.param(frames(frame(0x83)), Reason.PROTOCOL, "of an unknown kind", id="opcode"),
    pytest.param(frames(encode(0x1, b"ready")), Reason.PROTOCOL, "a masked frame", id="masked"),
    pytest.param(frames(frame(0x09)), Reason.PROTOCOL, "a control frame", id="ping-in-fragments"),
    pytest.param(frames(b"\x89\x7e\x01\x00"), Reason.PROTOCOL, "a control frame", id="long-ping"),
    pytest.param(
        frames(frame(0x80, b"ready")), Reason.PROTOCOL, "a continuation without a message", id="continuation"
    ),
    pytest.param(
        frames(frame(0x01, b"rea"), frame(0x81, b"dy")), Reason.PROTOCOL, "within another", id="interleaved"
    ),
    pytest.param(frames(frame(0x81, b"\xff")), Reason.PROTOCOL, "not UTF-8", id="not-utf-8"),
    pytest.param(
        frames(b"\x81\x7f" + b"\x7f" * 8), Reason.SIZE, "larger than 1048576 bytes", id="huge-frame"
    ),
    pytest.param(
        frames(frame(0x01), *[frame(0x00, b"x" * 125)] * 8400), Reason.SIZE, "larger than", id="huge-message"
    ),
    pytest.param(frames(frame(0x89, b"x" * 125) * 10_000), Reason.SIZE, "larger than", id="pings-for-ever"),
]


@pytest.mark.parametrize(("script", "reason", "detail"), FRAMES)
def test_frames_that_break_the_rules(script: Script, reason: Reason, detail: str, prober: Prober) -> None:
    with Server(script) as server:
        result = prober.run(WebSocketSpec(server.url(scheme="ws"), expect="ready"))
    assert result.reason is reason, result.detail
    assert detail in result.detail
    assert set(result.phases) == {"connect", "handshake", "message"}


def test_ping_within_a_message(prober: Prober) -> None:
    """Check a control frame between fragments; the pong must have the ping's payload."""
    pongs: list[bytes] = []

    def script(connection: Connection) -> None:
        connection.send(accepts(connection.request()) + frame(0x01, b"rea") + frame(0x89, b"p1ng"))
        head = connection.socket.recv(6)
        mask, masked = head[2:], connection.socket.recv(4)
        pongs.append(head[:2] + bytes(a ^ b for a, b in zip(masked, mask, strict=True)))
        connection.send(frame(0x80, b"dy"))
        connection.until_closed()

    with Server(script) as server:
        result = prober.run(WebSocketSpec(server.url(scheme="ws"), expect="^ready$"))
    assert result.success, result.detail
    assert pongs == [b"\x8a\x84p1ng"]


def test_many_small_messages_hold_up_nobody(prober: Prober) -> None:
    """Check that the loop continues while they are read."""
    gaps: list[float] = []

    async def main() -> Any:
        ticking = asyncio.create_task(tick())
        try:
            spec = WebSocketSpec(server.url(scheme="ws"), expect="ready")
            return await compile_probe(spec, prober.shared).run(time.monotonic() + 20)
        finally:
            ticking.cancel()

    async def tick() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            gaps.append(time.thread_time() - before)

    with Server(frames(frame(0x81, b"x") * 100_000, frame(0x81, b"ready"))) as server:
        result = prober.wait(main())
    assert result.success, result.detail
    assert max(gaps) < 0.1


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("script", [silence, shakes()], ids=["handshake", "message"])
def test_cancelled(script: Script, scheme: str, certificate: Certificate) -> None:
    """Cancel at each of the first steps of the loop, and once after the probe has come as far as it can."""

    async def main() -> None:
        context = certificate.server_context() if scheme == "wss" else None
        with Server(script, tls=context) as server:
            before = open_sockets()
            for steps in range(12):
                url = server.url(scheme=scheme, host="localhost")
                spec = WebSocketSpec(url, expect="ready", tls=TlsSpec(verify=False))
                running = asyncio.create_task(compile_probe(spec, Shared()).run(time.monotonic() + 30))
                for _ in range(steps):
                    await asyncio.sleep(0 if steps < 10 else 0.01)
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
                await close_resolver()
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
            await until(lambda: open_sockets() <= before, "sockets are left open")

    uvloop.run(main())
