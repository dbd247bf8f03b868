"""Answers, and the headers that each answer has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from exporter.daemon.web.message import RefusedError, Request

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Scope]]
    Send = Callable[[Scope], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Headers = tuple[tuple[bytes, bytes], ...]

SAFE_HEADERS: Headers = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Default headers of each answer: no other site may read, frame, run or store any of it."""
NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. Header names are lower-case; the length is not among them."""

    status: int
    headers: Headers
    body: bytes = b""


def refusing(refusal: RefusedError) -> Answer:
    """Return the answer with the reason of a refusal."""
    headers = ((b"content-type", b"text/plain; charset=utf-8"), *refusal.headers)
    return Answer(refusal.status, headers, f"{refusal.sentence}\n".encode())


def head_of(answer: Answer, extra: Headers, *, keep_alive: bool) -> bytes:
    """Return the head of an answer. `extra` overrides the answer's headers, and these override `SAFE_HEADERS`."""
    headers = dict(SAFE_HEADERS) | {b"date": _date(int(time.time()))}
    if answer.status not in NO_BODY:
        headers[b"content-length"] = str(len(answer.body)).encode()
    if not keep_alive:
        headers[b"connection"] = b"close"
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}".encode()]
    replaced = {name for name, _ in extra}
    said = [pair for pair in answer.headers if pair[0] not in replaced]
    said += extra
    known = {name for name, _ in said}
    lines += [name + b": " + value for name, value in headers.items() if name not in known]
    lines += [name + b": " + value for name, value in said]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def ask(
    application: Application, request: Request, client: tuple[str, int] | None, *, secure: bool
) -> Answer:
    """Send a request to an ASGI application. It gets no body, since no handler reads one."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.version,
        "method": request.method,
        "scheme": "https" if secure else "http",
        "path": unquote_to_bytes(request.path).decode("utf-8", "replace"),
        "raw_path": request.path,
        "query_string": request.query,
        "root_path": "",
        "headers": list(request.headers),
        "client": client,
        "server": None,
    }
    status = 500
    headers: Headers = ()
    parts: list[bytes] = []

    async def receive() -> Scope:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Scope) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = _without_length(message["headers"])
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await application(scope, receive, send)
    return Answer(status, headers, parts[0] if len(parts) == 1 else b"".join(parts))


def _without_length(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name, value) for name, value in headers if name != b"content-length")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
