"""Where an HTTP request goes, and its bytes, made once at load unless a secret or a redirect is in them."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from exporter import __version__
from exporter.catalog.hostnames import ascii_authority, ascii_host
from exporter.catalog.secrets import SecretError, SecretText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.catalog.specs import HttpSpec

USER_AGENT = f"pageforge-exporter/{__version__}"
DEFAULT_PORTS = {"http": 80, "https": 443}
PATH_SAFE = "/:@!$&'()*+,;=-._~%?"
"""What RFC 3986 lets stand unquoted in a path and query; `%` because a URL comes quoted already."""

SHOWN_START = 8
"""Characters by which a secret is known."""
REDACTED = "***"

CREDENTIAL_HEADERS = {"authorization", "cookie", "proxy-authorization"}
ORIGIN_HEADERS = CREDENTIAL_HEADERS | {"host"}
"""Headers that a person wrote for one origin."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of a URL that a connection and a request line need."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """`host[:port]` as the Host header wants it: without a scheme's own port, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials are for; they are not sent to another (RFC 9110 section 15.4)."""
        return self.scheme, self.host, self.port


def parse_url(url: str) -> Endpoint:
    """The endpoint of an absolute `http` or `https` URL.

    Raises:
        ValueError: one sentence that says what is wrong with the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"scheme {parts.scheme!r} is neither http nor https")
    if not parts.hostname:
        raise ValueError("no host in the URL")
    host = ascii_host(parts.hostname)
    path = quote(parts.path or "/", safe=PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=PATH_SAFE)
    port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]
    return Endpoint(parts.scheme, host, port, path)


def has_secrets(spec: HttpSpec) -> bool:
    """Whether the request must be made anew for each run, because a secret may have been rotated."""
    values = [spec.body, spec.bearer_token, *(value for _, value in spec.headers)]
    return spec.basic_auth is not None or any(isinstance(value, SecretText) for value in values)


def build_request(
    spec: HttpSpec, endpoint: Endpoint, method: str, *, with_body: bool, with_credentials: bool
) -> bytes:
    """The bytes of one HTTP/1.1 request.

    Raises:
        ProbeFailure: `secret`, when a reference cannot be read or its value cannot stand in a header.
    """
    body = read(spec.body).encode() if with_body and spec.body is not None else b""
    headers = request_headers(spec, with_credentials=with_credentials)
    own = {name.lower() for name in headers}
    if "host" not in own:
        headers = {"Host": endpoint.authority, **headers}
    if "connection" not in own:
        headers["Connection"] = "close"
    if (body or method in ("POST", "PUT", "PATCH")) and not own & {"content-length", "transfer-encoding"}:
        headers["Content-Length"] = str(len(body))
    head = f"{method} {endpoint.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return head.encode() + b"\r\n" + body


def request_headers(spec: HttpSpec, *, with_credentials: bool) -> dict[str, str]:
    """The headers that do not depend on the connection, a person's own over the defaults.

    Raises:
        ProbeFailure: as `build_request`.
    """
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    if spec.compression:
        headers["Accept-Encoding"] = spec.compression
    if with_credentials and spec.basic_auth is not None:
        pair = f"{spec.basic_auth.username}:{read(spec.basic_auth.password)}"
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


def read(value: str | SecretText) -> str:
    """The text, its references read now.

    Raises:
        ProbeFailure: `secret`.
    """
    if isinstance(value, str):
        return value
    try:
        return value.read()
    except SecretError as error:
        raise ProbeFailure(Reason.SECRET, str(error)) from None


def secret_values(spec: HttpSpec) -> list[str]:
    """What the references of a request hold now, also as basic authentication sends it."""
    texts = [spec.body, spec.bearer_token, spec.proxy, *(value for _, value in spec.headers)]
    values = []
    with suppress(SecretError):
        if spec.basic_auth is not None:
            password = spec.basic_auth.password.read()
            values += [password, base64.b64encode(f"{spec.basic_auth.username}:{password}".encode()).decode()]
        for text in texts:
            if isinstance(text, SecretText):
                values += [part.read() for part in text.parts if not isinstance(part, str)]
    return [value for value in values if value]


def redact(text: str, secrets: list[str]) -> str:
    """`text` without `secrets`, also where only the start of one is left because `text` was cut."""
    for secret in secrets:
        at = text.find(secret[:SHOWN_START])
        while at >= 0:
            end = at
            while end < len(text) and text[end] == secret[end - at : end - at + 1]:
                end += 1
            text = text[:at] + REDACTED + text[end:]
            at = text.find(secret[:SHOWN_START], at + len(REDACTED))
    return text
