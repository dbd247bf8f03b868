"""Handshakes that open a tunnel through a proxy: CONNECT (RFC 9110) and SOCKS5 (RFC 1928)."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, cast

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.head import MAX_INTERIM, HeadBudget, cut_head, parse_head

if TYPE_CHECKING:
    from exporter.probes.http.request import Endpoint

MAX_WAITING = 64 * 1024
"""Unread bytes from which on reading from the proxy is paused."""

SOCKS, NO_AUTHENTICATION, PASSWORD = 5, 0, 2
SOCKS_PASSWORD = 1
"""The version of the exchange of user name and password (RFC 1929)."""
CONNECT, IPV4, NAME, IPV6 = 1, 1, 3, 4
SOCKS_REFUSALS = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


class Handshake(asyncio.Protocol):
    """The client side of a connection to a proxy until the tunnel is open; `whom` names the proxy in messages."""

    def __init__(self, whom: str) -> None:
        self.transport: asyncio.Transport
        self._whom = whom
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    @property
    def unread(self) -> bytes:
        """Return the bytes received after the handshake."""
        return bytes(self._buffer)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_WAITING:
            self.transport.pause_reading()
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._ended = True
        self._wake()

    def eof_received(self) -> None:
        self.connection_lost(None)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _more(self) -> None:
        if self._ended:
            raise ProbeFailure(
                Reason.DISCONNECT, f"{self._whom} closed the connection before the answer was complete"
            )
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    async def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._buffer) < count:
            await self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def head(self, budget: HeadBudget) -> bytes:
        """Return the next HTTP head, without the empty line that ends it."""
        searched = 0
        while (head := cut_head(self._buffer, budget, searched)) is None:
            searched = len(self._buffer)
            await self._more()
        return head


async def open_tunnel(handshake: Handshake, endpoint: Endpoint, headers: dict[str, str], proxy: str) -> None:
    """Make an HTTP proxy connect to `endpoint`.

    Raises:
        ProbeFailure: `connect` if it refuses, `protocol`, `disconnect`.
    """
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    authority = f"{host}:{endpoint.port}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": authority, **headers}.items())
    handshake.transport.write(f"CONNECT {authority} HTTP/1.1\r\n{lines}\r\n".encode())
    budget = HeadBudget()
    for _ in range(MAX_INTERIM + 1):
        head = await handshake.head(budget)
        status, _, _ = parse_head(head)
        if status >= 200:
            break
    if not 200 <= status < 300:
        words = head.partition(b"\n")[0].split(b" ", 2)[2:]
        raise ProbeFailure(
            Reason.CONNECT,
            f"the {proxy} refused a tunnel to {authority}: {status} {{}}",
            PeerText(b"".join(words).strip()),
        )


async def open_socks(
    handshake: Handshake, endpoint: Endpoint, auth: tuple[str, str] | None, proxy: str
) -> None:
    """Make a SOCKS5 proxy connect to `endpoint`; the proxy resolves the name.

    Raises:
        ProbeFailure: `connect` if it refuses, `protocol`, `disconnect`.
    """
    wanted = NO_AUTHENTICATION if auth is None else PASSWORD
    handshake.transport.write(bytes((SOCKS, 1, wanted)))
    version, method = await handshake.exactly(2)
    if version != SOCKS:
        raise ProbeFailure(Reason.PROTOCOL, f"the {proxy} does not speak SOCKS5")
    if method != wanted:
        why = "it requires credentials" if auth is None else "it does not accept a user name and password"
        raise ProbeFailure(Reason.CONNECT, f"the {proxy} refused the connection: {why}")
    if auth is not None:
        handshake.transport.write(
            bytes((SOCKS_PASSWORD,)) + b"".join(_counted(part.encode()) for part in auth)
        )
        if (await handshake.exactly(2))[1]:
            raise ProbeFailure(Reason.CONNECT, f"the {proxy} refused the user name or the password")
    handshake.transport.write(
        bytes((SOCKS, CONNECT, 0)) + _address(endpoint.host) + endpoint.port.to_bytes(2, "big")
    )
    _, reply, _, kind = await handshake.exactly(4)
    if reply:
        why = SOCKS_REFUSALS.get(reply, f"code {reply}")
        raise ProbeFailure(Reason.CONNECT, f"the {proxy} refused a tunnel to {endpoint.authority}: {why}")
    sizes = {IPV4: 4, IPV6: 16}
    size = sizes[kind] if kind in sizes else (await handshake.exactly(1))[0]
    await handshake.exactly(size + 2)


def _counted(part: bytes) -> bytes:
    if len(part) > 255:
        raise ProbeFailure(Reason.SECRET, "the user name or password of the proxy is longer than 255 bytes")
    return bytes((len(part),)) + part


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return bytes((NAME,)) + _counted(host.encode())
    return bytes((IPV4 if address.version == 4 else IPV6,)) + address.packed
