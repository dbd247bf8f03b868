"""Redirects: their targets, and which method, body, credentials and cookies are sent there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from exporter.catalog.values.secret_text import SecretText
from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.cookies import Jar
from exporter.probes.http.head import utf8
from exporter.probes.http.request import Endpoint, Request, has_credentials, make_request, parse_url

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import HttpSpec
    from exporter.probes.http.answer import Answer
    from exporter.probes.measure import Run

REDIRECTS = {301, 302, 303, 307, 308}
KEEP_METHOD = {307, 308}
MAX_LOCATION_BYTES = 16 * 1024
"""Twice the URL length that servers accept."""
MIN_SECRET_CHARACTERS = 8
"""Length from which a cookie's value is redacted in peer text; the value `1` would hide every 1."""


class Trail:
    """The redirects followed in one run."""

    __slots__ = ("_endpoint", "_jar", "_origin", "_request", "_run", "_seen", "_spec", "hops")

    def __init__(self, spec: HttpSpec, request: Request, run: Run) -> None:
        self._spec = spec
        self._run = run
        self._request = request
        self._origin = request.endpoint
        self._jar = Jar()
        self._seen = {_key(request)}
        self.hops = 0

    def next(self, answer: Answer) -> tuple[Request, str]:
        """Return the next request, and the origin from which credentials are withheld; empty if they are not.

        Raises:
            ProbeFailure: `redirect`, `secret`.
        """
        spec, before = self._spec, self._request
        self.hops += 1
        if self.hops > spec.max_redirects:
            raise ProbeFailure(Reason.REDIRECT, f"more than {spec.max_redirects} redirects")
        endpoint = _target(before.endpoint, answer)
        self._jar.take(answer.values("set-cookie"), before.endpoint)
        keep = answer.status in KEEP_METHOD or before.method == "HEAD"
        method = before.method if keep else "GET"
        trusted = may_have_credentials(self._origin, endpoint)
        with_body = method == spec.method
        if with_body and isinstance(spec.body, SecretText) and not trusted:
            raise ProbeFailure(
                Reason.REDIRECT,
                "{} would receive the secret request body; redirect refused",
                _shown(endpoint),
            )
        cookies = self._jar.of(endpoint)
        for _, value in cookies:
            if len(value) >= MIN_SECRET_CHARACTERS:
                self._run.secrets.add(value)
        self._request = request = make_request(
            spec,
            endpoint,
            method,
            self._run.read,
            with_body=with_body,
            with_credentials=trusted,
            cookies=cookies,
        )
        if _key(request) in self._seen:
            raise ProbeFailure(Reason.REDIRECT, "redirect loop: {} was already requested", _shown(endpoint))
        self._seen.add(_key(request))
        withheld = not trusted and has_credentials(spec)
        return request, f"{endpoint.scheme}://{endpoint.authority}" if withheld else ""


def _key(request: Request) -> tuple[str, str, str]:
    """Return the key for detecting loops: the same URL with other cookies is not a loop."""
    cookies = next((value for name, value in request.headers.items() if name.lower() == "cookie"), "")
    return request.method, request.endpoint.url, cookies


def may_have_credentials(origin: Endpoint, endpoint: Endpoint) -> bool:
    """True if `endpoint` may receive the credentials for `origin`.

    It must be the same origin (RFC 9110 section 15.4), or the same host with TLS instead of plain text: it already
    received the credentials in plain text.
    """
    if endpoint.origin == origin.origin:
        return True
    return endpoint.host.lower() == origin.host.lower() and (origin.scheme, endpoint.scheme) == (
        "http",
        "https",
    )


def _target(endpoint: Endpoint, answer: Answer) -> Endpoint:
    location = next(iter(answer.values("location")), "")
    if not location:
        raise ProbeFailure(Reason.REDIRECT, f"status {answer.status} without a Location header")
    if len(location) > MAX_LOCATION_BYTES:
        raise ProbeFailure(Reason.REDIRECT, f"redirect to a URL longer than {MAX_LOCATION_BYTES} bytes")
    text = utf8(location)
    try:
        target = urljoin(endpoint.url, text)
    except ValueError:  # its message repeats text of the peer
        raise ProbeFailure(Reason.REDIRECT, "redirect to {}: the URL is not valid", PeerText(text)) from None
    try:
        return parse_url(target)
    except ValueError as error:
        raise ProbeFailure(Reason.REDIRECT, "redirect to {}: {}", PeerText(text), str(error)) from None


def _shown(endpoint: Endpoint) -> PeerText:
    return PeerText(endpoint.url)
