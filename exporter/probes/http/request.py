"""Endpoint and content of an HTTP request, made once at load unless it holds a secret or follows a redirect."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from exporter import __version__
from exporter.catalog.values.hostnames import ascii_authority, ascii_host
from exporter.catalog.values.secret_text import SecretText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.catalog.planning.specs import HttpSpec

USER_AGENT = f"pageforge-exporter/{__version__}"
DEFAULT_PORTS = {"http": 80, "https": 443}
PATH_SAFE = "/:@!$&'()*+,;=-._~%?"
"""Characters that RFC 3986 allows unquoted in a path and query, and `%`, because the URL is already quoted."""

SHOWN_START = 8
"""Minimum length of a redacted secret."""

CREDENTIAL_HEADERS = {"authorization", "cookie", "proxy-authorization"}
ORIGIN_HEADERS = CREDENTIAL_HEADERS | {"host"}
"""Headers meant for one origin only."""
OF_THE_CONNECTION = {
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
}
"""Headers that HTTP/2 forbids or replaces (RFC 9113 section 8.2.2)."""


Read = Callable[[str | SecretText], str]
"""Returns a text with its secrets read: `Run.read`, which also makes sure that their values are not shown."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of a URL needed for a connection and a request line."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the value of the Host header, `host[:port]`: without the default port, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return the origin; its credentials are sent to no other origin (RFC 9110 section 15.4)."""
        return self.scheme, self.host, self.port


def parse_url(url: str) -> Endpoint:
    """Return the endpoint of an absolute `http` or `https` URL.

    Raises:
        ValueError: one clause that says what is wrong. It repeats no part of the URL, which may come from a peer.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the URL or its port is not valid") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("the scheme is neither http nor https")
    if not host:
        raise ValueError("no host in the URL")
    host = ascii_host(host)
    path = quote(parts.path or "/", safe=PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=PATH_SAFE)
    return Endpoint(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, path)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, independent of the HTTP version."""

    endpoint: Endpoint
    method: str
    headers: dict[str, str]
    """Includes the Host header of the catalog, if there is one."""
    body: bytes

    def http1(self, target: str = "", extra: Mapping[str, str] | None = None) -> bytes:
        """Return the request in HTTP/1.1. For a proxy, `target` replaces the path and `extra` adds headers."""
        headers = {**self.headers, **(extra or {})}
        own = {name.lower() for name in headers}
        if "host" not in own:
            headers = {"Host": self.endpoint.authority, **headers}
        if "connection" not in own:
            headers["Connection"] = "close"
        if "transfer-encoding" not in own:
            headers |= self._length(own)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{self.method} {target or self.endpoint.path} HTTP/1.1\r\n{lines}\r\n"
        return head.encode() + self.body

    def http2(self) -> list[tuple[str, str]]:
        """Return the fields of the request in HTTP/2 (RFC 9113 section 8.3.1)."""
        plain = {name.lower(): value for name, value in self.headers.items()}
        plain |= {name.lower(): value for name, value in self._length(set(plain)).items()}
        return [
            (":method", self.method),
            (":scheme", self.endpoint.scheme),
            (":authority", plain.get("host", self.endpoint.authority)),
            (":path", self.endpoint.path),
            *((name, value) for name, value in plain.items() if name not in OF_THE_CONNECTION),
        ]

    def _length(self, own: set[str]) -> dict[str, str]:
        wanted = (self.body or self.method in ("POST", "PUT", "PATCH")) and "content-length" not in own
        return {"Content-Length": str(len(self.body))} if wanted else {}


def has_secrets(spec: HttpSpec) -> bool:
    """True if the request must be rebuilt for each run, because a secret may have been rotated."""
    values = [spec.request_path, spec.body, spec.bearer_token, *(value for _, value in spec.headers)]
    return spec.basic_auth is not None or any(isinstance(value, SecretText) for value in values)


def has_credentials(spec: HttpSpec) -> bool:
    """True if part of the request is meant only for its own origin."""
    return bool(
        spec.basic_auth is not None
        or spec.bearer_token is not None
        or any(
            isinstance(value, SecretText) or name.lower() in CREDENTIAL_HEADERS
            for name, value in spec.headers
        )
    )


def make_request(
    spec: HttpSpec,
    endpoint: Endpoint,
    method: str,
    read: Read,
    *,
    with_body: bool = True,
    with_credentials: bool = True,
    cookies: tuple[tuple[str, str], ...] = (),
) -> Request:
    """Return one request of `spec`; `cookies`: those set by servers in this run.

    Raises:
        ProbeFailure: `secret`, if a value is not valid in a header; those of `read`.
    """
    body = read(spec.body).encode() if with_body and spec.body is not None else b""
    headers = request_headers(spec, read, with_credentials=with_credentials)
    if cookies:
        name = next((name for name in headers if name.lower() == "cookie"), "Cookie")
        set_since = {key for key, _ in cookies}
        written = (pair.strip() for pair in headers.get(name, "").split(";"))
        own = (pair for pair in written if pair and pair.partition("=")[0] not in set_since)
        headers[name] = "; ".join((*own, *(f"{key}={value}" for key, value in cookies)))
    return Request(endpoint, method, headers, body)


def request_headers(spec: HttpSpec, read: Read, *, with_credentials: bool) -> dict[str, str]:
    """Return the headers that do not depend on the connection; those of the catalog replace the defaults.

    Raises:
        ProbeFailure: those of `make_request`.
    """
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    if spec.compression:
        headers["Accept-Encoding"] = spec.compression
    if with_credentials and spec.basic_auth is not None:
        pair = f"{read(spec.basic_auth.username)}:{read(spec.basic_auth.password)}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if with_credentials and spec.bearer_token is not None:
        headers["Authorization"] = "Bearer " + read(spec.bearer_token)
    for name, value in spec.headers:
        secret = isinstance(value, SecretText) or name.lower() in ORIGIN_HEADERS
        if with_credentials or not secret:
            canonical = next((known for known in headers if known.lower() == name.lower()), name)
            written_host = isinstance(value, str) and name.lower() == "host"
            headers[canonical] = ascii_authority(read(value)) if written_host else read(value)
    for name, text in headers.items():
        if "\r" in text or "\n" in text or "\0" in text:
            raise ProbeFailure(Reason.SECRET, f"the value of the header {name} holds a line break")
    return headers


def literal_credentials(headers: Iterable[tuple[str, str | SecretText]]) -> tuple[str, ...]:
    """Return the credentials that are written in the catalog as plain text."""
    values = [
        value for name, value in headers if name.lower() in CREDENTIAL_HEADERS and isinstance(value, str)
    ]
    words = [word for value in values for word in value.replace(";", " ").split()]
    return tuple(word for word in (*words, *map(_basic_password, words)) if len(word) >= SHOWN_START)


def _basic_password(word: str) -> str:
    """Return the password in the base64 text of basic authentication; empty if there is none."""
    try:
        return base64.b64decode(word, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
