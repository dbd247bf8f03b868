"""The network under httpcore for a probe through a proxy: our names, connections and TLS in place of its own.

httpcore's own backend asks getaddrinfo in a thread that cannot be cancelled, knows nothing of the address family
that the catalog wants, gives a tunnelled server no name but the URL's, and tells no certificate that it distrusts.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import httpcore

from exporter.catalog.hostnames import HostNameError, ascii_host
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.connect import connect
from exporter.probes.tls import TLS_FACTS, said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from exporter.catalog.specs import IpProtocol
    from exporter.probes.measure import Run
    from exporter.probes.tls import Tls

PORTS = {"http": 80, "https": 443, "socks5": 1080}
READ_AHEAD = 256 * 1024
"""Bytes that may wait to be read before the peer is made to wait; the body's own limit is counted above."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and who we are to it."""

    scheme: str
    host: str
    port: int
    auth: tuple[bytes, bytes] | None = field(repr=False)

    def __str__(self) -> str:
        return f"proxy {self.host} port {self.port}"


def parse_proxy(url: str) -> Proxy:
    """The proxy that a URL names.

    Raises:
        ValueError: it names none. The sentence holds nothing of the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the proxy's URL is not valid") from None
    if parts.scheme not in PORTS or not host:
        raise ValueError("the proxy's URL is not http://host:port, https://host:port or socks5://host:port")
    try:
        host = ascii_host(host)
    except HostNameError as error:
        raise ValueError(f"the host of the proxy's URL is not valid: {error}") from None
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username).encode(), unquote(parts.password or "").encode())
    return Proxy(parts.scheme, host, port or PORTS[parts.scheme], auth)


@dataclass(slots=True)
class Tunnels(httpcore.AsyncNetworkBackend):
    """The connections of one exchange. `close` them in any case."""

    run: Run
    proxy: Proxy
    ip_protocol: IpProtocol
    proxy_tls: Tls | None
    host: str
    tls: Tls | None
    """Of the server `host` behind the proxy; None for plain HTTP, and for a tunnel that is only opened."""
    reopen: Callable[[], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]]
    streams: list[TunnelStream] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the run has one deadline
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            _, stream = await connect(lambda: TunnelStream(self), host, port, self.ip_protocol, self.run)
        except ProbeFailure as failure:
            raise ProbeFailure(failure.reason, f"the proxy: {failure.detail}") from None
        self.run.peer = str(self.proxy)
        self.streams.append(stream)
        return stream

    def close(self) -> None:
        """Drop every connection."""
        for stream in self.streams:
            stream.transport.abort()


class TunnelOpen(Exception):  # noqa: N818 - not an error: how an opened tunnel leaves httpcore
    """The tunnel stands and TLS could begin."""

    def __init__(self, stream: TunnelStream) -> None:
        self.stream = stream


class TunnelStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection as httpcore wants it."""

    def __init__(self, tunnels: Tunnels) -> None:
        self._tunnels = tunnels
        self._proxy_secured = tunnels.proxy_tls is None
        self._buffer = bytearray()
        self._failure: ProbeFailure | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.ended = False
        self.transport: asyncio.Transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as in `connect_tcp`
        while not self._buffer and not self.ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._buffer and self._failure is not None:
            raise self._failure
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        if not self.ended:
            self.transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as in `connect_tcp`
        self.transport.write(buffer)

    async def aclose(self) -> None:
        """Nothing: `Tunnels.close` does it, since a tunnel that `TunnelOpen` carries away must outlive its pool."""

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002 - `Tls` has its own
        server_hostname: str | None = None,  # noqa: ARG002 - httpcore gives it without regard to the catalog's
        timeout: float | None = None,  # noqa: ARG002 - as in `connect_tcp`
    ) -> httpcore.AsyncNetworkStream:
        tunnels = self._tunnels
        if self._buffer:
            raise ProbeFailure(Reason.PROTOCOL, f"the {tunnels.proxy} sent bytes where TLS should begin")
        if not self._proxy_secured:
            await self._secure_proxy()
        elif tunnels.tls is None:
            raise TunnelOpen(self)
        else:
            tls, run = tunnels.tls, tunnels.run
            self.transport = await tls.start(self.transport, self, tunnels.host, run, tunnels.reopen)
            run.facts["ssl"] = 1
        return self

    async def _secure_proxy(self) -> None:
        """TLS to the proxy itself, whose certificate is not what the probe reports."""
        tunnels = self._tunnels
        assert tunnels.proxy_tls is not None  # noqa: S101 - or the proxy would count as secured

        async def no_second_look() -> tuple[asyncio.Transport, asyncio.Protocol]:
            raise ProbeFailure(Reason.CONNECT, "not looked at")

        known = {fact: tunnels.run.facts[fact] for fact in TLS_FACTS if fact in tunnels.run.facts}
        try:
            self.transport = await tunnels.proxy_tls.start(
                self.transport, self, tunnels.proxy.host, tunnels.run, no_second_look
            )
        except ProbeFailure as failure:
            raise ProbeFailure(Reason.CONNECT, f"the proxy: {failure.detail}") from None
        for fact in TLS_FACTS:
            tunnels.run.facts.pop(fact, None)
        tunnels.run.facts.update(known)
        tunnels.run.enter("connect")
        self._proxy_secured = True

    def get_extra_info(self, info: str) -> Any:
        return self.transport.get_extra_info(info)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > READ_AHEAD:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended and isinstance(exc, ssl.SSLError):
            self._failure = ProbeFailure(Reason.TLS, f"TLS failed after the handshake: {said(exc)}")
        elif not self.ended and exc is not None:
            self._failure = ProbeFailure(Reason.DISCONNECT, "connection reset before the answer was complete")
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
