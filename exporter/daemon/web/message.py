"""Parser of a request's head: httptools, then checks of what this server accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

MAX_BODY_BYTES = 16 * 1024
"""No path accepts a body; a small one is read and ignored."""

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z.~_-]+)?\]|[0-9A-Za-z._-]+)(?::[0-9]{0,5})?")


class RefusedError(Exception):
    """A request is answered with an error. `reason` is the label of the metric that counts it."""

    def __init__(self, status: int, sentence: str, reason: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.reason = reason
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Header names are lower-case; `host` is only the name, lower-case, without brackets."""

    method: str
    path: bytes
    query: bytes
    version: str
    headers: tuple[tuple[bytes, bytes], ...]
    authority: str
    host: str
    body_bytes: int = 0
    keep_alive: bool = True

    def values(self, name: bytes) -> list[str]:
        """Return each value of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key == name]


class _Head:
    """The callbacks of the parser."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parser = httptools.HttpRequestParser(self)
        self.complete = False
        self.keep_alive = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True
        self.keep_alive = (
            self.parser.should_keep_alive()
        )  # after the message's end the parser no longer knows


def read_head(raw: bytes) -> Request:
    """Parse one head, including its empty line.

    Raises:
        RefusedError: it is not HTTP, or asks for something that is not supported.
    """
    head = _Head()
    parser = head.parser
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # a server may ignore the offer, for example h2c; WebSocket is refused below
    except httptools.HttpParserError:
        raise _malformed("this is not an HTTP/1.1 request") from None
    version = parser.get_http_version()
    if not head.complete or version not in ("1.0", "1.1"):
        raise _malformed("this is not an HTTP/1.1 request")
    headers = tuple(head.headers)
    path, query, named = _target(head.url)
    authority, host = _host([value for name, value in headers if name == b"host"], version)
    if named is not None:  # RFC 9112 section 3.2.2: a complete URL takes precedence over the Host header
        authority, host = _host([named], version)
    if any(b"websocket" in value.lower() for name, value in headers if name == b"upgrade"):
        raise _malformed("WebSocket is not served here")
    return Request(
        method=parser.get_method().decode("ascii"),
        path=path,
        query=query,
        version=version,
        headers=headers,
        authority=authority,
        host=host,
        body_bytes=_body_bytes(headers),
        keep_alive=version == "1.1" and head.keep_alive,
    )


def _target(url: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return path, query, and the host if a complete URL was sent."""
    if url == b"*":  # for OPTIONS
        return url, b"", None
    named = None
    if not url.startswith(b"/"):
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _malformed("the requested address is not a URL") from None
        if parts.scheme not in (b"http", b"https") or b"@" in parts.netloc:
            raise _malformed("the requested address is not a path")
        named = parts.netloc
        url = (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
    path, _, query = url.partition(b"?")
    return path.partition(b"#")[0], query.partition(b"#")[0], named


def _host(written: list[bytes], version: str) -> tuple[str, str]:
    """Return the requested authority, and only its name; both empty for HTTP/1.0 without Host."""
    if not written and version == "1.0":
        return "", ""
    if len(written) != 1:
        raise _malformed(f"a request must have one Host header; this one has {len(written) or 'none'}")
    match = _HOST.fullmatch(written[0].decode("latin-1"))
    if match is None:
        raise _malformed("the Host header is not a host name")
    return match[0].lower(), match["name"].strip("[]").lower().removesuffix(".")


def _body_bytes(headers: tuple[tuple[bytes, bytes], ...]) -> int:
    lengths = [value for name, value in headers if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in headers):
        raise RefusedError(411, "send a Content-Length; bodies are ignored", "malformed")
    if len(lengths) > 1 or not all(value.isdigit() for value in lengths):
        raise _malformed("a request must have only one Content-Length, which is a number")
    if not lengths:
        return 0
    if len(lengths[0]) > 10 or int(lengths[0]) > MAX_BODY_BYTES:
        raise RefusedError(413, f"the body is larger than {MAX_BODY_BYTES} bytes", "too_large")
    return int(lengths[0])


def _malformed(sentence: str) -> RefusedError:
    return RefusedError(400, sentence, "malformed")
