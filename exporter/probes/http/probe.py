"""Probe of HTTP and HTTPS. Each run opens a new connection, since the connection is part of the check."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.catalog.planning.specs import TlsSpec
from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.answer import Answer, AnswerProtocol
from exporter.probes.http.conditions import conditions_of, last_modified
from exporter.probes.http.redirects import REDIRECTS, Trail
from exporter.probes.http.request import (
    Request,
    has_secrets,
    literal_credentials,
    make_request,
    parse_url,
)
from exporter.probes.http.request_path import resolved
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.net.connect import connect
from exporter.probes.tls.handshake import TLS_FACTS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from exporter.catalog.planning.specs import HttpSpec
    from exporter.probes.compile import Shared
    from exporter.probes.http.http2 import Http2Answer

HTTP2 = "2"
H2 = "h2"
"""The ALPN name of HTTP/2 (RFC 9113 section 3.1)."""
OF_ANSWER = (
    "status_code",
    "version",
    "content_length",
    "body_bytes",
    "last_modified",
    *TLS_FACTS,
)
"""Facts of one answer, removed before the next one, which may never arrive."""


def offered(spec: HttpSpec) -> tuple[str, ...]:
    """Return the ALPN names of the versions that a TLS handshake offers.

    Both by default, as in browsers, curl and Go: some servers speak only HTTP/2, and a server whose HTTP/2 is broken
    is broken for its users.
    """
    if spec.http2_prior_knowledge or spec.versions == (HTTP2,):
        return (H2,)
    if spec.versions and HTTP2 not in spec.versions:
        return ("http/1.1",)
    return (H2, "http/1.1")


def make_probe(spec: HttpSpec, shared: Shared) -> HttpProbe:
    """Return the probe of a spec; the proxy module is loaded only if the spec has a proxy."""
    if spec.proxy is None:
        return HttpProbe(spec, shared)
    from exporter.probes.http.proxy import ProxiedHttpProbe

    return ProxiedHttpProbe(spec, shared)


class HttpProbe(MeasuredProbe):
    """One request directly to the server; follows redirects if the catalog says so."""

    __slots__ = ("_alpn", "_conditions", "_endpoint", "_literal", "_request", "_shared", "_spec", "_wire")

    def __init__(self, spec: HttpSpec, shared: Shared) -> None:
        self._spec = spec
        self._shared = shared
        self._alpn = offered(spec)
        self._conditions = conditions_of(spec, shared)
        self._endpoint = parse_url(spec.url)
        self._literal = literal_credentials(spec.headers)
        self._request: Request | None = None
        self._wire = b""
        secure = spec.url.startswith("https:")
        if not has_secrets(spec):
            self._request = make_request(spec, self._endpoint, spec.method, str)
            self._wire = self._request.http1()
        if secure or spec.tls != TlsSpec():
            shared.tls(spec.tls, self._alpn)  # now, so that an unusable file is an error at load
        if H2 in self._alpn and (secure or spec.follow_redirects or spec.http2_prior_knowledge):
            import exporter.probes.http.http2  # noqa: F401 - now, since it would delay a run by 50 ms

    async def ask(self, run: Run) -> None:
        spec = self._spec
        for value in self._literal:
            run.secrets.add(value)
        request = self._request
        if request is None:
            endpoint = resolved(self._endpoint, spec.request_path, run.read)
            request = make_request(spec, endpoint, spec.method, run.read)
        answer = await self._exchange(request, run)
        hops = 0
        if spec.follow_redirects and answer.status in REDIRECTS:
            trail = Trail(spec, request, run)
            while answer.status in REDIRECTS:
                run.facts["redirects"] = hops = trail.hops + 1
                request, withheld = trail.next(answer)
                for fact in OF_ANSWER:
                    run.facts.pop(fact, None)
                answer = await self._redirected(request, run)
                answer.withheld = withheld
        run.facts["redirects"] = hops
        self._conditions.judge_head(answer, run)
        if self._conditions.reads_body:
            await self._conditions.hold_body(answer, run)

    async def _redirected(self, request: Request, run: Run) -> Answer:
        """Call `_exchange` for a host that the peer chose; messages do not name it if it holds a secret."""
        host = request.endpoint.host
        if run.secrets.shown(PeerText(host)) == repr(host):
            return await self._exchange(request, run)
        try:
            return await self._exchange(request, run)
        except ProbeFailure as failure:
            raise ProbeFailure(failure.reason, "after a redirect: {}", PeerText(failure.detail)) from None
        finally:
            run.peer = "after a redirect to a host that holds a secret of the request"

    async def _exchange(self, request: Request, run: Run) -> Answer:
        spec, endpoint = self._spec, request.endpoint
        transport, protocol = await self._open(request, run)
        conversation: AnswerProtocol | Http2Answer = protocol
        run.facts["ssl"] = 0
        version = H2 if spec.http2_prior_knowledge else None
        try:
            if endpoint.scheme == "https":
                if protocol.unread:
                    # Taken as the answer, it would look as if TLS had protected it (CVE-2011-0411).
                    raise ProbeFailure(Reason.TLS, "the server does not speak TLS: it began in plain text")
                tls = self._shared.tls(spec.tls, self._alpn)
                transport = await tls.start(
                    transport, protocol, endpoint.host, run, lambda: self._open(request, run)
                )
                run.facts["ssl"] = 1
                version = version or transport.get_extra_info("ssl_object").selected_alpn_protocol()
            if version == H2:
                conversation = await self._ask_http2(transport, protocol, request, run)
            else:
                await protocol.ask(transport, self._http1(request, run))
        finally:
            transport.abort()
            note(conversation.answer, run)
        self._check(conversation.answer, run)
        return conversation.answer

    def _protocol(self, request: Request, run: Run) -> Callable[[], AnswerProtocol]:
        return partial(
            AnswerProtocol, run, request.method, self._spec.max_body_bytes, keep=self._conditions.reads_body
        )

    def _open(
        self, request: Request, run: Run
    ) -> Coroutine[Any, Any, tuple[asyncio.Transport, AnswerProtocol]]:
        """Return a connection on which the request, or the TLS handshake, comes next."""
        spec, endpoint = self._spec, request.endpoint
        return connect(self._protocol(request, run), endpoint.host, endpoint.port, spec.ip_protocol, run)

    async def _ask_http2(
        self, transport: asyncio.Transport, protocol: AnswerProtocol, request: Request, run: Run
    ) -> Http2Answer:
        from exporter.probes.http.http2 import Http2Answer

        if protocol.done.done():
            await protocol.done
        conversation = Http2Answer(run, request, self._spec.max_body_bytes, keep=self._conditions.reads_body)
        transport.set_protocol(conversation)
        try:
            await conversation.ask(transport, protocol.unread)
        finally:
            note(conversation.answer, run)
        return conversation

    def _http1(self, request: Request, run: Run) -> bytes:  # noqa: ARG002 - the proxied probe needs it
        return self._wire if request is self._request else request.http1()

    def _check(self, answer: Answer, run: Run) -> None:
        """Check that the answer came from the server and not from a proxy."""


def note(answer: Answer, run: Run) -> None:
    """Note the facts of an answer, complete or not."""
    if not answer.version:
        return
    facts = run.facts
    facts["status_code"] = answer.status
    facts["version"] = float(answer.version)
    facts["body_bytes"] = answer.decoded_bytes
    if answer.content_length is not None:
        facts["content_length"] = answer.content_length
    modified = last_modified(answer)
    if modified is not None:
        facts["last_modified"] = modified
