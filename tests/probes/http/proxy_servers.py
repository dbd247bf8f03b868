"""Proxies that forward, tunnel and refuse. Real ones do not refuse or lie on demand, so these are
part of the tests."""

from __future__ import annotations

import contextlib
import select
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.probes.servers import Connection, Request


@dataclass
class Proxy:
    """The script of a `Server`: HTTP CONNECT and absolute URLs. `authorization`: what it requires from clients."""

    authorization: str | None = None
    refusal: bytes | None = None
    """Sent in answer to every CONNECT instead of opening a tunnel."""
    extra: bytes = b""
    """Sent after the tunnel is accepted, in place of the server's first bytes."""
    seen: list[Request] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        request = connection.request()
        self.seen.append(request)
        if self.authorization is not None and request.header("proxy-authorization") != self.authorization:
            connection.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            connection.until_closed()
        elif request.method != "CONNECT":
            self._forward(connection, request)
        elif self.refusal is not None:
            connection.send(self.refusal)
            connection.until_closed()
        else:
            host, _, port = request.path.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port))) as upstream:
                connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n" + self.extra)
                relay(connection.socket, upstream)

    def _forward(self, connection: Connection, request: Request) -> None:
        url = urlsplit(request.path)
        lines = [f"{request.method} {url.path}{'?' * bool(url.query)}{url.query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers if not name.startswith("proxy-")]
        with socket.create_connection((url.hostname, url.port or 80)) as upstream:
            upstream.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body)
            relay(connection.socket, upstream)


def socks(username: bytes, password: bytes, connection: Connection) -> None:
    """Run a SOCKS5 proxy (RFC 1928) that requires a name and a password (RFC 1929)."""
    client = connection.socket
    client.recv(262)
    client.sendall(b"\x05\x02")
    given = client.recv(513)
    if given != b"\x01" + bytes((len(username),)) + username + bytes((len(password),)) + password:
        client.sendall(b"\x01\x01")
        return
    client.sendall(b"\x01\x00")
    head = client.recv(4)
    host = socket.inet_ntoa(client.recv(4)) if head[3] == 1 else client.recv(client.recv(1)[0]).decode()
    port = int.from_bytes(client.recv(2), "big")
    with socket.create_connection((host, port)) as upstream:
        client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        relay(client, upstream)


def relay(one: socket.socket, other: socket.socket) -> None:
    """Forward bytes both ways until either side ends."""
    pairs = {one: other, other: one}
    while True:
        for ready in select.select(list(pairs), [], [])[0]:
            with contextlib.suppress(ConnectionResetError):
                data = ready.recv(65536)
                if data:
                    pairs[ready].sendall(data)
                    continue
            return
