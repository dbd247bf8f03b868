"""One hostile server of each kind, in a separate process with a lower priority than the daemon's.

python -m tests.system.hostile_servers     # writes the ports as JSON; ends with its standard input
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hyperframe.frame import ContinuationFrame, PingFrame, SettingsFrame

from tests.probes.dns.servers import DnsServer, drips, records
from tests.probes.http.http2_servers import SETTINGS, head, sends
from tests.probes.mongodb.server import Mongod
from tests.probes.redis.server import answers as redis_says
from tests.probes.servers import Server, answer, pours, says, silence, trickles
from tests.probes.stores.fed import PG_LOGIN, pg
from tests.probes.tcp.servers import drips as drips_bytes
from tests.probes.tcp.servers import pours_lines
from tests.probes.tls.test_hostile import HANDSHAKE, floods, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.probes.dns.servers import Reply
    from tests.probes.servers import Connection, Script

GIBIBYTE = 1 << 30
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTROLS = b"\x1b[31m\x9b2J\x07\xc2\x9b"
"""Terminal control characters: ESC, CSI as one byte and as UTF-8, and the bell."""
MAX_BODY = 10 * 1024 * 1024


@dataclass(frozen=True)
class Hostile:
    """A hostile server. `probe`: the keys of a probe in the catalog, with {port} in it; or of a
    store, with `store`."""

    serve: Script | Reply
    probe: str
    store: bool = False
    dns: bool = False


def echoes(start: bytes, end: bytes = b"") -> Script:
    """Echo everything, with terminal control sequences."""

    def script(connection: Connection) -> None:
        said = connection.socket.recv(65536)
        connection.send(start + CONTROLS + said.replace(b"\r\n", b" ") + CONTROLS + end)
        connection.until_closed()

    return script


def websocket(frames: bytes) -> Script:
    """Accept a WebSocket, then send `frames` forever."""

    def script(connection: Connection) -> None:
        key = connection.request().header("sec-websocket-key") or ""
        said = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False)
        accept = base64.b64encode(said.digest()).decode()
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while True:
            connection.send(frames)

    return script


def page(body: bytes, *headers: str) -> Script:
    return says(answer(body, *headers))


def deep(size: int) -> bytes:
    """Return JSON with as many values as fit."""
    return b"[" + b"[1,[{}]]," * (size // 9) + b"1]"


def _bomb() -> bytes:
    one = gzip.compress(bytes(64 * 1024 * 1024), 9)
    return one * 20


def hostile() -> dict[str, Hostile]:
    """Return all servers, by the name of the service that each imitates."""

    def web(more: str = "") -> str:
        return 'http: {url: "http://127.0.0.1:{port}/"' + (f", {more}" if more else "") + "}"

    line = b"a " * 150_000
    return {
        "one-line": Hostile(page(line), web("body: {matches: '.*Welcome.*'}")),
        "words": Hostile(page(b"a" * 40 + b"!"), web(r"body: {matches: '^(\w+\s?)*$'}")),
        "many-states": Hostile(page(b"a" * (MAX_BODY - 1)), web("body: {matches: '(a?){500}(a|b){400}c$'}")),
        "not-utf8": Hostile(
            page(b"\xff" * (MAX_BODY - 1), "Content-Type: text/html; charset=utf-7"),
            web("body: {matches: 'x$', contains: y, not_matches: '^z'}"),
        ),
        "large-json": Hostile(page(deep(7_800_000)), web('json: "$..status"')),
        "largest-json": Hostile(page(deep(1_048_000)), web('json: "$..status", max_json: 1Mi')),
        "quadratic-json": Hostile(
            page(b"[" + b"1," * 500_000 + b"1]"), web('json: "$[?count($..*) > 3]", max_json: 1Mi')
        ),
        "nested-json": Hostile(page(b"[" * 500_000), web('json: "$..status", max_json: 1Mi')),
        "digits-json": Hostile(page(b"9" * 1_000_000), web('json: {path: "$", equals: 1}, max_json: 1Mi')),
        "headers": Hostile(pours(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000), web()),
        "one-header": Hostile(pours(b"HTTP/1.1 200 OK\r\nA: ", b"b" * 60_000), web()),
        "folded": Hostile(pours(b"HTTP/1.1 200 OK\r\nA: b\r\n", b" c\r\n" * 1000), web()),
        "cookies": Hostile(pours(b"HTTP/1.1 200 OK\r\n", b"Set-Cookie: a=b\r\n" * 500), web()),
        "trailers": Hostile(pours(CHUNKED + b"0\r\n", b"A: b\r\n" * 1000), web()),
        "one-trailer": Hostile(pours(CHUNKED + b"0\r\nA: ", b"b" * 60_000), web()),
        "chunks": Hostile(pours(CHUNKED, b"1\r\nx\r\n" * 10_000), web()),
        "chunk-extensions": Hostile(pours(CHUNKED + b"1", b";a=b" * 10_000), web()),
        "interim": Hostile(pours(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000), web()),
        "piecemeal": Hostile(trickles(answer(b"x" * 1000), 0.001), web()),
        "gzip": Hostile(page(_bomb(), "Content-Encoding: gzip"), web("body: x")),
        "gzip-members": Hostile(
            page(gzip.compress(b"") * 100_000, "Content-Encoding: gzip"), web("body: {matches: x}")
        ),
        "redirects": Hostile(
            says(answer(b"", "Location: /" + "a" * 8000, "Set-Cookie: a=" + "b" * 4000, status="302 Found")),
            web(),
        ),
        "h2-pings": Hostile(sends(SETTINGS, again=[PingFrame(0)] * 100), web("http2_prior_knowledge: true")),
        "h2-settings": Hostile(
            sends(SETTINGS, again=[SettingsFrame(0, {3: 100})] * 100), web("http2_prior_knowledge: true")
        ),
        "h2-continuations": Hostile(
            sends(SETTINGS, head(b"\x88", "END_STREAM"), again=[ContinuationFrame(1, b"x" * 16000)] * 5),
            web("http2_prior_knowledge: true"),
        ),
        "tls-silence": Hostile(silence, 'http: {url: "https://127.0.0.1:{port}/"}'),
        "tls-handshake": Hostile(
            floods(record(HANDSHAKE, bytes(4))), 'http: {url: "https://127.0.0.1:{port}/"}'
        ),
        "tls-empty": Hostile(floods(record(HANDSHAKE, b"")), 'tcp: {address: "127.0.0.1:{port}", tls: true}'),
        "lines": Hostile(
            pours_lines(b"x" * 900 + b"\r\n"), 'tcp: {address: "127.0.0.1:{port}", exchanges: [{expect: ^y}]}'
        ),
        "one-line-tcp": Hostile(
            pours(b"", b"x" * 60_000), 'tcp: {address: "127.0.0.1:{port}", exchanges: [{expect: ^y}]}'
        ),
        "smtp": Hostile(
            pours(b"220-", b"mx.test\r\n220-" * 1000),
            'tcp: {address: "127.0.0.1:{port}", starttls: smtp}',
        ),
        "smtp-drips": Hostile(
            drips_bytes(b"220-" + b"x" * 5000, 0.001), 'tcp: {address: "127.0.0.1:{port}", starttls: smtp}'
        ),
        "grpc-settings": Hostile(pours(b"", SETTINGS * 1000), 'grpc: "127.0.0.1:{port}"'),
        "grpc-pings": Hostile(pours(SETTINGS, PingFrame(0).serialize() * 1000), 'grpc: "127.0.0.1:{port}"'),
        "websocket": Hostile(
            websocket(b"\x81\x01a" * 10_000),
            'websocket: {url: "ws://127.0.0.1:{port}/", expect: ^never$}',
        ),
        "websocket-pings": Hostile(
            websocket(b"\x89\x7d" + b"p" * 125), 'websocket: {url: "ws://127.0.0.1:{port}/", expect: ^never$}'
        ),
        "websocket-parts": Hostile(
            websocket(b"\x00\x01a" * 10_000), 'websocket: {url: "ws://127.0.0.1:{port}/", expect: ^never$}'
        ),
        "dns": Hostile(
            records(*(f"liar.test. 300 IN TXT {'x' * 200}{n}" for n in range(250))),
            'dns: {name: liar.test, type: TXT, transport: tcp, server: "127.0.0.1:{port}", answers: ".*y.*"}',
            dns=True,
        ),
        "dns-drips": Hostile(
            drips(records("other.test. 300 IN A 192.0.2.1"), 0.01),
            'dns: {name: liar.test, transport: tcp, server: "127.0.0.1:{port}"}',
            dns=True,
        ),
        "dns-lies": Hostile(
            records("other.test. 300 IN A 192.0.2.1"),
            'dns: {name: liar.test, server: "127.0.0.1:{port}"}',
            dns=True,
        ),
        "pg-row": Hostile(
            pours(PG_LOGIN + pg("T", b"\0\0") + b"D" + struct.pack("!I", GIBIBYTE), bytes(60_000)),
            "engine: postgresql",
            store=True,
        ),
        "pg-notices": Hostile(pours(b"", pg("N", b"\0") * 5000), "engine: postgresql", store=True),
        "redis-number": Hostile(
            redis_says(b"+OK\r\n", b"+PONG\r\n", b":300000000\r\n"),
            "engine: redis, password: {env: TEST_SECRET}",
            store=True,
        ),
        "redis-nested": Hostile(pours(b"", b"*9\r\n" * 10_000), "engine: redis", store=True),
        "redis-echo": Hostile(
            echoes(b"-ERR ", b"\r\n"), "engine: redis, password: {env: TEST_SECRET}", store=True
        ),
        "mongo-iterations": Hostile(
            Mongod({"probe": "s3cret-of-the-bar"}, iterations=100_000_000),
            "engine: mongodb, username: probe, password: {env: TEST_SECRET}",
            store=True,
        ),
        "mongo-work": Hostile(
            Mongod({"probe": "s3cret-of-the-bar"}, iterations=1_000_000),
            "engine: mongodb, username: probe, password: {env: TEST_SECRET}",
            store=True,
        ),
        "echo": Hostile(
            echoes(b"HTTP/1.1 503 ", b"\r\nX: y\r\n\r\n"), web("bearer_token: {env: TEST_SECRET}")
        ),
        "echo-location": Hostile(
            echoes(b"HTTP/1.1 302 Found\r\nLocation: gopher://", b"\r\nX: y\r\n\r\n"),
            web("bearer_token: {env: TEST_SECRET}"),
        ),
        "echo-garbage": Hostile(echoes(b"", b"\r\n\r\n"), web("bearer_token: {env: TEST_SECRET}")),
    }


def _servers(kinds: Iterable[tuple[str, Hostile]], stack: contextlib.ExitStack) -> dict[str, int]:
    ports = {}
    for name, kind in kinds:
        server = DnsServer(kind.serve) if kind.dns else Server(kind.serve)  # type: ignore[arg-type] # by `dns`
        stack.enter_context(server)
        ports[name] = server.port
    return ports


def main() -> None:
    """Serve until the other end of standard input is closed."""
    os.nice(19)
    with contextlib.ExitStack() as stack:
        print(json.dumps(_servers(hostile().items(), stack)), flush=True)
        sys.stdin.read()
        os._exit(0)  # flooding threads do not end by themselves


if __name__ == "__main__":
    main()
