"""A peer's text is shown short, printable, and without the secret that was sent to it.

A marker with the secret in many spellings, escape sequences and 100 kB is put into every text that a peer can send in
every protocol. The servers are part of the tests, because no real one does that.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from exporter.catalog.planning.specs import (
    BasicAuth,
    Condition,
    Exchange,
    GrpcSpec,
    HeaderCondition,
    HttpSpec,
    JsonCondition,
    ProbeSpec,
    TcpSpec,
    TlsSpec,
    WebSocketSpec,
)
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.peer_text import SHOWN_CHARACTERS
from tests.probes.servers import Connection, Script, Server, says_and_closes
from tests.probes.tcp.servers import EHLO, converses, read_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.probes.prober import Prober

SECRET = 'hunter22 "s3cret"/ä+%'
REFERENCE = SecretText((EnvironmentReference("TEST_SECRET"),))
CODES = (
    SECRET,
    quote(SECRET, safe=""),
    base64.b64encode(b"user:" + SECRET.encode()).decode(),
    SECRET.encode().hex(),
)
WORDS = "\x1b[31m\x9b\u202e\x00\x7f" + " ".join(CODES) + "\u2028\x85"
MARKER = WORDS.encode() * 1000
LITERAL = (("Authorization", "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()),)
LATIN = b"\x1b[31m\x9b " + " ".join(CODES).encode() * 1000
"""For text in a header, which must stay within the limit for headers."""
HEAD_WORDS = LATIN[:6000]
LONGEST_DETAIL = 4 * SHOWN_CHARACTERS + 400


@dataclass(frozen=True)
class Row:
    """A server that sends the marker somewhere, and the probe of `host:port`."""

    script: Script
    spec: Callable[[str, int], ProbeSpec]


def line_of(text: bytes, limit: int = 8000) -> bytes:
    return text[:limit] + b"\r\n"


def hears_then(data: bytes) -> Script:
    """Read one line, send `data` and close."""

    def script(connection: Connection) -> None:
        read_line(connection)
        connection.send(data)

    return script


def frames(*sent: bytes) -> Script:
    """Run a WebSocket that sends frames after its handshake, and closes."""

    def script(connection: Connection) -> None:
        key = connection.request().header("sec-websocket-key") or ""
        accept = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False)
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accept.digest()) + b"\r\n\r\n"
        )
        connection.send(head + b"".join(sent))

    return script


def frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def http2(*payloads: tuple[int, int, int, bytes]) -> Script:
    """Send frames of HTTP/2 as (type, flags, stream, payload), after the client's preface."""

    def script(connection: Connection) -> None:
        connection.socket.recv(65536)
        for kind, flags, stream, payload in payloads:
            connection.send(
                len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
            )
        connection.until_closed()

    return script


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header field of HPACK that needs no table (RFC 7541 section 6.2.2), for lengths below 16 KiB."""
    return b"\x00" + _hpack(len(name)) + name + _hpack(len(value)) + value


def _hpack(size: int) -> bytes:
    if size < 127:
        return bytes([size])
    rest, encoded = size - 127, b"\x7f"
    while rest > 127:
        encoded += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return encoded + bytes([rest])


SETTINGS = (4, 0, 0, b"")


def call(*fields: tuple[bytes, bytes]) -> Script:
    """Return the answer to a gRPC call, consisting only of trailers."""
    block = b"".join(literal(name, value) for name, value in fields)
    return http2(SETTINGS, (1, 0x05, 1, block))


def tcp(expect: str = "^never$") -> Callable[[str, int], ProbeSpec]:
    return lambda host, port: TcpSpec(
        host, port, exchanges=(Exchange(send=REFERENCE), Exchange(expect=expect))
    )


def websocket(**options: object) -> Callable[[str, int], ProbeSpec]:
    return lambda host, port: WebSocketSpec(
        f"ws://{host}:{port}/",
        basic_auth=BasicAuth("user", REFERENCE),
        **options,  # type: ignore[arg-type] # a table of options
    )


def grpc(host: str, port: int) -> ProbeSpec:
    return GrpcSpec(host, port, metadata=(("authorization", REFERENCE),))


def http(**options: object) -> Callable[[str, int], ProbeSpec]:
    return lambda host, port: HttpSpec(
        f"http://{host}:{port}/",
        basic_auth=BasicAuth("user", REFERENCE),
        **options,  # type: ignore[arg-type] # a table of options
    )


def starttls(host: str, port: int) -> ProbeSpec:
    return TcpSpec(host, port, starttls="smtp", tls=TlsSpec())


def http_answer(head: bytes, body: bytes = b"") -> Script:
    return says_and_closes(b"HTTP/1.1 " + head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


ROWS = {
    "websocket: a literal header": Row(
        says_and_closes(MARKER), lambda host, port: WebSocketSpec(f"ws://{host}:{port}/", headers=LITERAL)
    ),
    "grpc: literal metadata": Row(
        call((b":status", b"200"), (b"grpc-status", b"13"), (b"grpc-message", quote(WORDS * 20).encode())),
        lambda host, port: GrpcSpec(host, port, metadata=LITERAL),
    ),
    "http: a literal header": Row(
        says_and_closes(MARKER), lambda host, port: HttpSpec(f"http://{host}:{port}/", headers=LITERAL)
    ),
    "tcp: a line": Row(hears_then(line_of(MARKER)), tcp()),
    "tcp: a long line": Row(hears_then(MARKER), tcp()),
    "tcp: the last line": Row(hears_then(MARKER[:5000]), tcp()),
    "smtp: greeting": Row(converses(line_of(MARKER)), starttls),
    "smtp: answer to EHLO": Row(converses(b"220 x\r\n", EHLO, line_of(MARKER)), starttls),
    "smtp: extensions": Row(converses(b"220 x\r\n", EHLO, b"250-x\r\n250 " + line_of(MARKER)), starttls),
    "smtp: answer to STARTTLS": Row(
        converses(b"220 x\r\n", EHLO, b"250-x\r\n250 STARTTLS\r\n", "STARTTLS\r\n", line_of(MARKER)), starttls
    ),
    "smtp: before TLS": Row(
        converses(b"220 x\r\n", EHLO, b"250-x\r\n250 STARTTLS\r\n", "STARTTLS\r\n", b"220 x\r\n" + MARKER), starttls
    ),
    "websocket: no HTTP": Row(says_and_closes(MARKER), websocket()),
    "websocket: phrase": Row(says_and_closes(b"HTTP/1.1 500 " + HEAD_WORDS + b"\r\n\r\n"), websocket()),
    "websocket: status": Row(says_and_closes(b"HTTP/1.1 " + HEAD_WORDS + b"\r\n\r\n"), websocket()),
    "websocket: header": Row(says_and_closes(b"HTTP/1.1 200 OK\r\n" + HEAD_WORDS + b": x\r\n\r\n"), websocket()),
    "websocket: location": Row(
        says_and_closes(b"HTTP/1.1 302 Found\r\nLocation: " + HEAD_WORDS + b"\r\n\r\n"), websocket()
    ),
    "websocket: message": Row(frames(frame(1, (WORDS * 300).encode())), websocket(expect="^never$")),
    "websocket: reason": Row(
        frames(frame(8, b"\x03\xe8" + WORDS.encode()[:120])), websocket(expect="^never$")
    ),
    "grpc: no HTTP/2": Row(http2((0, 0, 1, MARKER[:16_000])), grpc),
    "grpc: message": Row(
        call((b":status", b"200"), (b"grpc-status", b"13"), (b"grpc-message", quote(WORDS * 20).encode())),
        grpc,
    ),
    "grpc: status": Row(call((b":status", b"200"), (b"grpc-status", HEAD_WORDS)), grpc),
    "grpc: many digits": Row(call((b":status", b"200"), (b"grpc-status", b"1" * 6000)), grpc),
    "grpc: status of HTTP": Row(call((b":status", b"9" * 6000), (b"x", HEAD_WORDS)), grpc),
    "grpc: header name": Row(call((b":status", b"200"), (HEAD_WORDS, b"x")), grpc),
    "grpc: goaway": Row(http2(SETTINGS, (7, 0, 0, bytes(8) + MARKER[:8000])), grpc),
    "http: no HTTP": Row(says_and_closes(MARKER), http()),
    "http: phrase": Row(http_answer(b"500 " + HEAD_WORDS), http()),
    "http: status": Row(http_answer(HEAD_WORDS), http()),
    "http: version": Row(says_and_closes(b"HTTP/" + HEAD_WORDS + b"\r\n\r\n"), http()),
    "http: header name": Row(http_answer(b"200 OK\r\n" + HEAD_WORDS + b": x"), http()),
    "http: header": Row(
        http_answer(b"200 OK\r\nX-Key: " + HEAD_WORDS), http(header_conditions=(HeaderCondition("X-Key", "^never$"),))
    ),
    "http: unwanted header": Row(
        http_answer(b"200 OK\r\nX-Key: " + HEAD_WORDS),
        http(header_conditions=(HeaderCondition("X-Key", "hunter", present=False),)),
    ),
    "http: location": Row(http_answer(b"302 Found\r\nLocation: http://[" + HEAD_WORDS), http()),
    "http: location's scheme": Row(http_answer(b"302 Found\r\nLocation: x" + HEAD_WORDS + b"://y"), http()),
    "http: loop": Row(http_answer(b"302 Found\r\nLocation: /" + quote(SECRET).encode() + b"?" + b"x" * 5000), http()),
    "http: encoding": Row(
        http_answer(b"200 OK\r\nContent-Encoding: " + HEAD_WORDS, b"x"), http(body_conditions=(Condition("x"),))
    ),
    "http: length": Row(http_answer(b"200 OK\r\nContent-Length: " + HEAD_WORDS), http()),
    "http: transfer": Row(http_answer(b"200 OK\r\nTransfer-Encoding: " + HEAD_WORDS), http()),
    "http: chunk": Row(
        says_and_closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + HEAD_WORDS + b"\r\n"), http()
    ),
    "http: body": Row(http_answer(b"200 OK", MARKER), http(body_conditions=(Condition("^never$"),))),
    "http: JSON": Row(
        http_answer(b"200 OK", b'{"a": "' + MARKER + b'"}'), http(json_conditions=(JsonCondition("$.a", equals='"x"'),))
    ),
    "http: value in JSON": Row(
        http_answer(b"200 OK", json.dumps({"a": WORDS}).encode()),
        http(json_conditions=(JsonCondition("$.a", equals='"x"'),)),
    ),
    "http: proxy": Row(
        http_answer(b"500 " + HEAD_WORDS),
        lambda host, port: HttpSpec(
            "https://x.test/", proxy=SecretText(("http://user:", *REFERENCE.parts, f"@{host}:{port}"))
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_peers_words(
    row: Row, prober: Prober, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_SECRET", SECRET)
    with Server(row.script) as server:
        result = prober.run(row.spec("127.0.0.1", server.port), 3.0)
    assert not result.success
    facts = " ".join(value for value in result.facts.values() if isinstance(value, str))
    for text in (result.detail, facts, caplog.text.replace("\n", "")):
        assert text.isprintable(), repr(text)
        assert len(text) <= LONGEST_DETAIL
        if row.spec is not starttls:  # it has no secret to send
            assert not any(code.lower() in text.lower() for code in CODES), text
            assert not re.search("hunter22|s3cret", text), text
