"""Probe of HTTP and HTTPS through a proxy: as `HttpProbe`, but on another connection.

An HTTP proxy receives the full URL of a plain request, and opens a tunnel by CONNECT for TLS and HTTP/2. A SOCKS5 proxy
(RFC 1928) opens a tunnel for everything.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from exporter.catalog.planning.specs import TlsSpec
from exporter.catalog.values.hostnames import ascii_host
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.probe import HttpProbe
from exporter.probes.http.proxy_handshake import Handshake, open_socks, open_tunnel
from exporter.probes.net.connect import connect
from exporter.probes.tls.handshake import TLS_FACTS

if TYPE_CHECKING:
    import asyncio

    from exporter.catalog.planning.specs import HttpSpec
    from exporter.probes.compile import Shared
    from exporter.probes.http.answer import Answer, AnswerProtocol
    from exporter.probes.http.request import Endpoint, Request
    from exporter.probes.measure import Run
    from exporter.probes.tls.handshake import Tls

PORTS = {"http": 80, "https": 443, "socks5": 1080}
PROXY_AUTHENTICATION_REQUIRED = 407


@dataclass(frozen=True, slots=True)
class Proxy:
    """Address and credentials of a proxy."""

    scheme: str
    host: str
    port: int
    auth: tuple[str, str] | None = field(repr=False)

    def __str__(self) -> str:
        return f"proxy {self.host} port {self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers for an HTTP proxy."""
        if self.auth is None:
            return {}
        pair = ":".join(self.auth).encode()
        return {"Proxy-Authorization": "Basic " + base64.b64encode(pair).decode()}


def parse_proxy(url: str) -> Proxy:
    """Return the proxy in a URL.

    Raises:
        ValueError: the URL is not that of a proxy. The message repeats no part of it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the proxy's URL is not valid") from None
    if parts.scheme not in PORTS or not host:
        raise ValueError("the proxy's URL is not http://host:port, https://host:port or socks5://host:port")
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(parts.scheme, ascii_host(host), port or PORTS[parts.scheme], auth)


class ProxiedHttpProbe(HttpProbe):
    """An `HttpProbe` that makes each connection through the proxy.

    Phase `connect` is the connection to the proxy, including its answer.

    Raises:
        ValueError: the URL of the target or of the proxy cannot be used.
    """

    __slots__ = ("_proxy",)

    def __init__(self, spec: HttpSpec, shared: Shared) -> None:
        super().__init__(spec, shared)
        self._proxy = parse_proxy(spec.proxy) if isinstance(spec.proxy, str) else None
        if self._proxy is None or self._proxy.scheme == "https":
            self._tls_of_proxy()  # now, since it reads files and takes 40 ms

    def _this_proxy(self, run: Run) -> Proxy:
        """Return the proxy, with its secrets read now."""
        proxy = self._proxy
        if proxy is None:
            assert self._spec.proxy is not None  # noqa: S101 - otherwise the spec has another probe
            try:
                proxy = parse_proxy(run.read(self._spec.proxy))
            except ValueError as error:
                raise ProbeFailure(Reason.SECRET, str(error)) from None
        if proxy.auth is not None:
            run.secrets.add(proxy.auth[1])
        return proxy

    def _tunnels(self, proxy: Proxy, endpoint: Endpoint) -> bool:
        """True if the proxy must open a tunnel to `endpoint` instead of forwarding requests."""
        return proxy.scheme == "socks5" or endpoint.scheme == "https" or self._spec.http2_prior_knowledge

    async def _open(self, request: Request, run: Run) -> tuple[asyncio.Transport, AnswerProtocol]:
        proxy, endpoint = self._this_proxy(run), request.endpoint
        protocol = self._protocol(request, run)()
        if not self._tunnels(proxy, endpoint):
            transport, handshake = await self._reach(proxy, run)
        else:
            transport, handshake = await self._reach(proxy, run)
            try:
                if proxy.scheme == "socks5":
                    await open_socks(handshake, endpoint, proxy.auth, str(proxy))
                else:
                    await open_tunnel(handshake, endpoint, proxy.headers, str(proxy))
            except BaseException:
                transport.abort()
                raise
        transport.set_protocol(protocol)
        if (
            endpoint.scheme != "https"
        ):  # with TLS the server does not send first, so these bytes are not from it
            protocol.data_received(handshake.unread)
        run.peer = f"{endpoint.host} port {endpoint.port} through the {proxy}"
        return transport, protocol

    async def _reach(self, proxy: Proxy, run: Run) -> tuple[asyncio.Transport, Handshake]:
        """Return a connection to the proxy itself."""
        try:
            transport, handshake = await connect(
                lambda: Handshake(f"the {proxy}"), proxy.host, proxy.port, self._spec.ip_protocol, run
            )
            run.peer = str(proxy)
            if proxy.scheme == "https":
                transport = await self._secure_proxy(proxy, transport, handshake, run)
        except ProbeFailure as failure:
            sentence = failure.sentence
            raise ProbeFailure(failure.reason, f"the proxy: {sentence.template}", *sentence.words) from None
        handshake.transport = transport
        return transport, handshake

    async def _secure_proxy(
        self, proxy: Proxy, transport: asyncio.Transport, handshake: Handshake, run: Run
    ) -> asyncio.Transport:
        """Start TLS with the proxy itself; the probe does not report its certificate."""

        async def no_second_look() -> tuple[asyncio.Transport, asyncio.Protocol]:
            raise ProbeFailure(Reason.CONNECT, "not examined")

        known = {fact: run.facts[fact] for fact in TLS_FACTS if fact in run.facts}
        tls = self._tls_of_proxy()
        try:
            transport = await tls.start(transport, handshake, proxy.host, run, no_second_look)
        except ProbeFailure as failure:
            raise ProbeFailure(Reason.CONNECT, failure.sentence.template, *failure.sentence.words) from None
        for fact in TLS_FACTS:
            run.facts.pop(fact, None)
        run.facts.update(known)
        run.enter("connect")
        return transport

    def _http1(self, request: Request, run: Run) -> bytes:
        proxy = self._this_proxy(run)
        if self._tunnels(proxy, request.endpoint):
            return request.http1()
        return request.http1(request.endpoint.url, proxy.headers)

    def _tls_of_proxy(self) -> Tls:
        return self._shared.tls(TlsSpec(ca_file=self._spec.tls.ca_file))

    def _check(self, answer: Answer, run: Run) -> None:
        if answer.status == PROXY_AUTHENTICATION_REQUIRED:
            proxy = self._this_proxy(run)
            raise ProbeFailure(
                Reason.CONNECT, f"the {proxy} refused the request: 407, it requires credentials"
            )
