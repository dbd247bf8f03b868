"""HTTP and HTTPS on a connection of its own for each run, since it is the connection that is being checked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from exporter.catalog.secrets import SecretText
from exporter.catalog.specs import TlsSpec
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.connect import connect
from exporter.probes.http_answer import Answer, AnswerProtocol
from exporter.probes.http_conditions import SHOWN_TEXT, last_modified
from exporter.probes.http_request import (
    Endpoint,
    build_request,
    has_secrets,
    parse_url,
    redact,
    secret_values,
)
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.tls import TLS_FACTS

if TYPE_CHECKING:
    import asyncio

    from exporter.catalog.specs import HttpSpec
    from exporter.probes.compile import Shared

REDIRECTS = {301, 302, 303, 307, 308}
KEEP_METHOD = {307, 308}
ALPN = ("http/1.1",)
OF_ANSWER = (
    "status_code",
    "version",
    "content_length",
    "body_bytes",
    "last_modified",
    *TLS_FACTS,
)
"""Facts of one answer, not to be taken for those of the next when that does not come."""


class HttpProbe(MeasuredProbe):
    """One request straight to its server, following redirects where the catalog says so."""

    __slots__ = ("_conditions", "_endpoint", "_request", "_shared", "_spec")

    def __init__(self, spec: HttpSpec, shared: Shared) -> None:
        self._spec = spec
        self._shared = shared
        self._endpoint = parse_url(spec.url)
        self._conditions = shared.conditions(spec)
        self._request = None if has_secrets(spec) else self._first_request()
        if self._endpoint.scheme == "https" or spec.tls != TlsSpec():
            shared.tls(spec.tls, ALPN)  # now, since a file that cannot be used is an error of the catalog

    def _first_request(self) -> bytes:
        spec = self._spec
        return build_request(spec, self._endpoint, spec.method, with_body=True, with_credentials=True)

    def redact(self, detail: str) -> str:
        """As `MeasuredProbe.redact`."""
        return detail if self._request is not None else redact(detail, secret_values(self._spec))

    async def ask(self, run: Run) -> None:
        spec = self._spec
        endpoint, method = self._endpoint, spec.method
        request = self._request or self._first_request()
        answer = await self._exchange(endpoint, method, request, run)
        hops = 0
        seen = {(method, endpoint.url)} if answer.status in REDIRECTS else set()
        while spec.follow_redirects and answer.status in REDIRECTS:
            hops += 1
            run.facts["redirects"] = hops
            endpoint = next_endpoint(endpoint, answer, hops, spec.max_redirects)
            if answer.status not in KEEP_METHOD and method != "HEAD":
                method = "GET"
            if (method, endpoint.url) in seen:
                raise ProbeFailure(Reason.REDIRECT, f"redirect loop: {endpoint.url} was asked before")
            seen.add((method, endpoint.url))
            same_origin = endpoint.origin == self._endpoint.origin
            with_body = method == spec.method
            if with_body and isinstance(spec.body, SecretText) and not same_origin:
                raise ProbeFailure(Reason.REDIRECT, f"{endpoint.url} is not to have the secret in the body")
            request = build_request(spec, endpoint, method, with_body=with_body, with_credentials=same_origin)
            for fact in OF_ANSWER:
                run.facts.pop(fact, None)
            answer = await self._exchange(endpoint, method, request, run)
        run.facts["redirects"] = hops
        self._conditions.judge(answer, run)

    async def _exchange(self, endpoint: Endpoint, method: str, request: bytes, run: Run) -> Answer:
        spec = self._spec

        def factory() -> AnswerProtocol:
            return AnswerProtocol(run, method, spec.max_body_bytes, keep=self._conditions.reads_body)

        async def open_connection() -> tuple[asyncio.Transport, AnswerProtocol]:
            return await connect(factory, endpoint.host, endpoint.port, spec.ip_protocol, run)

        transport, protocol = await open_connection()
        run.facts["ssl"] = 0
        try:
            if endpoint.scheme == "https":
                tls = self._shared.tls(spec.tls, ALPN)
                transport = await tls.start(transport, protocol, endpoint.host, run, open_connection)
                run.facts["ssl"] = 1
            await protocol.ask(transport, request)
        finally:
            transport.abort()
            note(protocol.answer, run)
        return protocol.answer


def next_endpoint(endpoint: Endpoint, answer: Answer, hops: int, max_redirects: int) -> Endpoint:
    """Where a redirect leads.

    Raises:
        ProbeFailure: `redirect`.
    """
    if hops > max_redirects:
        raise ProbeFailure(Reason.REDIRECT, f"more than {max_redirects} redirects")
    location = answer.header("location")
    if not location:
        raise ProbeFailure(Reason.REDIRECT, f"status {answer.status} without a Location header")
    try:
        return parse_url(urljoin(endpoint.url, utf8(location)))
    except ValueError as error:
        raise ProbeFailure(Reason.REDIRECT, f"redirect to {location[:SHOWN_TEXT]!r}: {error}") from None


def utf8(text: str) -> str:
    """Header bytes as the UTF-8 that a server means by them when it does not quote (they are read as Latin-1)."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def note(answer: Answer, run: Run) -> None:
    """Keep what is known of an answer, whole or not."""
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
