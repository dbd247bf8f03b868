"""HTTP and HTTPS through a proxy: the request and the conditions of the straight way, carried by httpcore.

httpcore is the engine inside httpx. It is used without httpx around it, because only so can its network be
replaced by ours (see `http_tunnel`) through a public name.
"""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any

import anyio._backends._asyncio  # noqa: F401 - anyio would load it in the first run and hold up every probe for 50 ms
import httpcore

from exporter.catalog.specs import TlsSpec
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http import ALPN, HttpProbe, note
from exporter.probes.http_answer import Answer, Body, too_large
from exporter.probes.http_conditions import SHOWN_TEXT
from exporter.probes.http_request import read
from exporter.probes.http_tunnel import Proxy, TunnelOpen, Tunnels, parse_proxy

if TYPE_CHECKING:
    import asyncio

    from exporter.catalog.specs import HttpSpec
    from exporter.probes.compile import Shared
    from exporter.probes.http_request import Endpoint
    from exporter.probes.measure import Run
    from exporter.probes.tls import Tls

PROXY_AUTHENTICATION_REQUIRED = 407

# At its debug level httpcore writes a SOCKS proxy's password.
logging.getLogger("httpcore").setLevel(logging.WARNING)

_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""httpcore must be given one, or makes its own of all the system's certificates; `TunnelStream` has its own."""


class ProxiedHttpProbe(HttpProbe):
    """As `HttpProbe`, but each exchange goes through the proxy. Phase `connect` is the way to the proxy, and
    includes its consent.

    Raises:
        ValueError: the URL of the target or of the proxy cannot be used.
    """

    __slots__ = ("_proxy",)

    def __init__(self, spec: HttpSpec, shared: Shared) -> None:
        super().__init__(spec, shared)
        self._proxy = parse_proxy(spec.proxy) if isinstance(spec.proxy, str) else None
        if self._proxy is None or self._proxy.scheme == "https":
            self._tls_of_proxy()  # now, since it reads files, and takes 40 ms

    def _this_proxy(self) -> Proxy:
        """The proxy, its references read now."""
        if self._proxy is not None:
            return self._proxy
        assert self._spec.proxy is not None  # noqa: S101 - or this would not be the probe of the spec
        try:
            return parse_proxy(read(self._spec.proxy))
        except ValueError as error:
            raise ProbeFailure(Reason.SECRET, str(error)) from None

    async def _exchange(self, endpoint: Endpoint, method: str, request: bytes, run: Run) -> Answer:
        proxy = self._this_proxy()
        tls = self._shared.tls(self._spec.tls, ALPN) if endpoint.scheme == "https" else None
        only_opened: list[Tunnels] = []

        async def reopen() -> tuple[asyncio.Transport, asyncio.Protocol]:
            other = self._tunnels(proxy, endpoint, None, run, reopen)
            only_opened.append(other)
            return await _open(proxy, endpoint, other)

        tunnels = self._tunnels(proxy, endpoint, tls, run, reopen)
        answer = Answer()
        run.facts["ssl"] = 0
        try:
            await self._carry(proxy, endpoint, method, request, tunnels, answer)
        except httpcore.ProxyError as error:
            raise ProbeFailure(
                Reason.CONNECT, f"the {proxy} refused a tunnel to {endpoint.authority}: {_cut(error)}"
            ) from None
        except httpcore.RemoteProtocolError as error:
            raise _broken(answer, tunnels, error) from None
        except httpcore.LocalProtocolError:
            raise ProbeFailure(Reason.PROTOCOL, "the request cannot be written as HTTP/1.1") from None
        finally:
            for opened in (tunnels, *only_opened):
                opened.close()
            note(answer, run)
        return answer

    def _tls_of_proxy(self) -> Tls:
        return self._shared.tls(TlsSpec(ca_file=self._spec.tls.ca_file))

    def _tunnels(self, proxy: Proxy, endpoint: Endpoint, tls: Any, run: Run, reopen: Any) -> Tunnels:
        proxy_tls = self._tls_of_proxy() if proxy.scheme == "https" else None
        return Tunnels(run, proxy, self._spec.ip_protocol, proxy_tls, endpoint.host, tls, reopen)

    async def _carry(
        self, proxy: Proxy, endpoint: Endpoint, method: str, request: bytes, tunnels: Tunnels, answer: Answer
    ) -> None:
        run = tunnels.run
        head, _, content = request.partition(b"\r\n\r\n")
        headers = [
            (name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        ]

        async def trace(event: str, info: dict[str, Any]) -> None:
            if event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
                run.enter("processing")
                run.peer = f"{endpoint.host} port {endpoint.port} through the {proxy}"

        async with (
            _pool(proxy, tunnels) as pool,
            pool.stream(
                method, _url(endpoint), headers=headers, content=content or None, extensions={"trace": trace}
            ) as response,
        ):
            run.enter("transfer")
            _take_head(response, answer)
            if answer.status == PROXY_AUTHENTICATION_REQUIRED:
                raise ProbeFailure(
                    Reason.CONNECT, f"the {proxy} refused the request: 407, it asks for credentials"
                )
            limit = self._spec.max_body_bytes
            if method != "HEAD" and answer.content_length is not None and answer.content_length > limit:
                raise too_large(limit)
            body = Body(answer, limit, keep=self._conditions.reads_body)
            async for chunk in response.aiter_stream():
                body.feed(chunk)
            body.finish()


async def _open(
    proxy: Proxy, endpoint: Endpoint, tunnels: Tunnels
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    """A tunnel as far as where TLS begins."""
    try:
        async with _pool(proxy, tunnels) as pool:
            await pool.request("GET", _url(endpoint))
    except TunnelOpen as opened:
        return opened.stream.transport, opened.stream
    except (httpcore.ProxyError, httpcore.ProtocolError):
        pass
    raise ProbeFailure(Reason.CONNECT, f"the {proxy} opened no second tunnel")


def _pool(proxy: Proxy, tunnels: Tunnels) -> httpcore.AsyncConnectionPool:
    """One for each exchange: the connection is part of what is probed, so none is kept."""
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    url = f"{proxy.scheme}://{host}:{proxy.port}"
    if proxy.scheme == "socks5":
        return httpcore.AsyncSOCKSProxy(
            url, proxy_auth=proxy.auth, ssl_context=_UNUSED, network_backend=tunnels
        )
    return httpcore.AsyncHTTPProxy(
        url,
        proxy_auth=proxy.auth,
        ssl_context=_UNUSED,
        proxy_ssl_context=_UNUSED if proxy.scheme == "https" else None,
        network_backend=tunnels,
    )


def _url(endpoint: Endpoint) -> httpcore.URL:
    return httpcore.URL(scheme=endpoint.scheme, host=endpoint.host, port=endpoint.port, target=endpoint.path)


def _take_head(response: httpcore.Response, answer: Answer) -> None:
    answer.status = response.status
    answer.version = response.extensions["http_version"].decode("ascii").removeprefix("HTTP/")
    answer.headers = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in response.headers]
    answer.encoding = (answer.header("content-encoding") or "").strip().lower()
    length = answer.header("content-length") or ""
    answer.content_length = int(length) if length.isdecimal() else None


def _broken(answer: Answer, tunnels: Tunnels, error: Exception) -> ProbeFailure:
    """An end of the connection where HTTP has none, or bytes that are not HTTP; httpcore has one error for both."""
    if not all(stream.ended for stream in tunnels.streams):
        return ProbeFailure(Reason.PROTOCOL, f"the answer is not valid HTTP: {_cut(error)}")
    when = (
        f"after {answer.received_bytes} bytes of the body"
        if answer.version
        else "before the answer was complete"
    )
    return ProbeFailure(Reason.DISCONNECT, f"connection closed {when}")


def _cut(error: Exception) -> str:
    """httpcore's sentence, which may repeat the peer's own words."""
    return str(error)[:SHOWN_TEXT]
