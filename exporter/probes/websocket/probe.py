"""Probe of WebSockets (RFC 6455): the handshake must succeed, and an expected message must arrive."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.catalog.planning.specs import HttpSpec, TlsSpec
from exporter.patterns import Pattern
from exporter.peer_text import PeerText, Sentence
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.answer import Answer, too_many_interim
from exporter.probes.http.head import MAX_INTERIM, HeadBudget, latin1, parse_head, utf8
from exporter.probes.http.request import (
    literal_credentials,
    make_request,
    parse_url,
)
from exporter.probes.http.request_path import resolved
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.net.connect import connect
from exporter.probes.websocket.frames import CLOSE, NORMAL, TEXT, Closed, WebSocketStream, encode

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import WebSocketSpec
    from exporter.probes.compile import Shared
    from exporter.probes.http.request import Endpoint

ALPN = ("http/1.1",)
ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The server appends this to the key before hashing, to prove that it knows WebSockets (RFC 6455 section 1.3)."""
SWITCHING_PROTOCOLS = 101
FAREWELL_SECONDS = 0.25
FAREWELL_SHARE = 0.1
"""Limits in seconds and as share of the remaining time to wait for an answer to the close frame."""


class WebSocketProbe(MeasuredProbe):
    """One handshake, and optionally one message in each direction.

    Raises:
        ValueError: the URL or the expression cannot be used.
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_endpoint", "_expect", "_http", "_literal", "_spec", "_tls")

    def __init__(self, spec: WebSocketSpec, shared: Shared) -> None:
        self._spec = spec
        # A WebSocket begins with an HTTP request, so URL, headers and credentials work as in HTTP.
        url = "http" + spec.url.removeprefix("ws")
        self._endpoint = parse_url(url)
        self._http = HttpSpec(
            url,
            headers=spec.headers,
            body=spec.send,
            basic_auth=spec.basic_auth,
            bearer_token=spec.bearer_token,
            request_path=spec.request_path,
        )
        self._literal = literal_credentials(spec.headers)
        self._expect = None if spec.expect is None else Pattern(spec.expect)
        secured = self._endpoint.scheme == "https"
        self._tls = shared.tls(spec.tls, ALPN) if secured or spec.tls != TlsSpec() else None

    async def ask(self, run: Run) -> None:
        spec, endpoint = self._spec, self._endpoint
        for value in self._literal:
            run.secrets.add(value)
        key = base64.b64encode(os.urandom(16)).decode()
        request = self._request(key, resolved(endpoint, spec.request_path, run.read), run)
        send = None if spec.send is None else run.read(spec.send).encode()
        stream = await self._open(run)
        try:
            if endpoint.scheme == "https" and self._tls is not None:
                await stream.start_tls(self._tls, endpoint.host, run, lambda: self._open(run))
            run.enter("handshake")
            stream.send(request)
            self._judge(await _answer(stream), key, run)
            if send is not None or self._expect is not None:
                run.enter("message")
            if send is not None:
                stream.send(encode(TEXT, send))
                run.awaited = "the server to accept the message"
                await stream.flush()
            if self._expect is not None:
                await _expected(stream, self._expect, run)
            await _farewell(stream, run)
        finally:
            stream.close()

    async def _open(self, run: Run) -> WebSocketStream:
        endpoint = self._endpoint
        _, stream = await connect(
            lambda: WebSocketStream(run), endpoint.host, endpoint.port, self._spec.ip_protocol, run
        )
        return stream

    def _request(self, key: str, endpoint: Endpoint, run: Run) -> bytes:
        """Return the bytes of the handshake. Its headers come last, so that the catalog cannot replace them.

        Raises:
            ProbeFailure: `secret`.
        """
        asked = self._spec.subprotocols
        headers = (
            ("Origin", f"{endpoint.scheme}://{endpoint.authority}"),
            *self._spec.headers,
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            *([("Sec-WebSocket-Protocol", ", ".join(asked))] if asked else ()),
        )
        spec = replace(self._http, headers=headers)
        return make_request(spec, endpoint, "GET", run.read, with_body=False).http1()

    def _judge(self, answer: Answer, key: str, run: Run) -> None:
        """Check the server's side of the handshake (RFC 6455 section 4.1)."""
        run.facts["status_code"] = answer.status
        if answer.status != SWITCHING_PROTOCOLS:
            location = answer.header("location") if 300 <= answer.status < 400 else None
            leads = Sentence(" to {}", PeerText(utf8(location))) if location else Sentence("")
            raise ProbeFailure(
                Reason.STATUS,
                f"the handshake was answered with status {answer.status}{leads.template}, expected 101",
                *leads.words,
            )
        if (answer.header("upgrade") or "").lower() != "websocket" or "upgrade" not in _tokens(
            answer, "connection"
        ):
            raise ProbeFailure(Reason.PROTOCOL, "the server answers 101 without the upgrade to a WebSocket")
        accept = base64.b64encode(hashlib.sha1(key.encode() + ACCEPT_SUFFIX, usedforsecurity=False).digest())
        if answer.header("sec-websocket-accept") != accept.decode():
            raise ProbeFailure(Reason.PROTOCOL, "the Sec-WebSocket-Accept header does not match the key sent")
        if answer.header("sec-websocket-extensions"):
            raise ProbeFailure(Reason.PROTOCOL, "the server chose an extension, but none was offered")
        self._judge_subprotocol(answer.header("sec-websocket-protocol"), run)

    def _judge_subprotocol(self, chosen: str | None, run: Run) -> None:
        asked = self._spec.subprotocols
        if chosen in asked and chosen is not None:
            run.facts["websocket_subprotocol"] = chosen
        elif chosen is not None:
            raise ProbeFailure(
                Reason.PROTOCOL,
                "the server chose the subprotocol {}, which was not offered",
                latin1(chosen),
            )
        elif asked:
            raise ProbeFailure(
                Reason.HEADER, f"the server chose none of the offered subprotocols: {', '.join(asked)}"
            )


def _tokens(answer: Answer, name: str) -> set[str]:
    """Return the words of a header that is a list, in lower case."""
    return {word.strip().lower() for word in (answer.header(name) or "").split(",")}


async def _answer(stream: WebSocketStream) -> Answer:
    """Return the answer to the handshake; interim ones (RFC 9110 section 15.2) are skipped.

    Raises:
        ProbeFailure: those of `WebSocketStream.head`.
    """
    budget = HeadBudget()
    for _ in range(MAX_INTERIM + 1):
        status, version, fields = parse_head(await stream.head(budget))
        if status >= 200 or status == SWITCHING_PROTOCOLS:
            return Answer(status, version, fields)
    raise too_many_interim()


async def _expected(stream: WebSocketStream, pattern: Pattern, run: Run) -> None:
    """Wait for a text message that matches; others are skipped.

    Raises:
        ProbeFailure: `disconnect` if none arrived, and those of `WebSocketStream.message`.
    """
    run.facts["failed_due_to_regex"] = 0
    wanted = f"a message that matches {pattern.text!r}"
    run.awaited = wanted
    awaited = Sentence("{}; nothing was received", wanted)
    while isinstance(message := await stream.message(), bytes):
        try:
            message.decode()
        except UnicodeDecodeError:
            raise ProbeFailure(Reason.PROTOCOL, "the server sent a text message that is not UTF-8") from None
        if await pattern.found_soon(message):
            return
        run.awaited = awaited = Sentence("{}; the last message was {}", wanted, PeerText(message))
    run.facts["failed_due_to_regex"] = 1
    how = Sentence("connection closed") if message is None else _closing(message)
    raise ProbeFailure(
        Reason.DISCONNECT, f"{how.template} before {awaited.template}", *how.words, *awaited.words
    )


def _closing(closed: Closed) -> Sentence:
    if closed.reason:
        return Sentence("the server closed the WebSocket ({}: {})", closed.meaning, PeerText(closed.reason))
    return Sentence("the server closed the WebSocket ({})", closed.meaning)


async def _farewell(stream: WebSocketStream, run: Run) -> None:
    """Close in an orderly way, so that the server logs no error. Its answer is not checked."""
    run.enter("close")
    run.awaited = "the end of the connection"
    stream.send(encode(CLOSE, NORMAL.to_bytes(2, "big")))
    try:
        async with asyncio.timeout(min(FAREWELL_SECONDS, run.time_left() * FAREWELL_SHARE)):
            while isinstance(await stream.message(), bytes):
                pass
    except (TimeoutError, ProbeFailure):
        pass
