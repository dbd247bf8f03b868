"""Reader of one HTTP/1 answer. Bytes after the answer belong to no request and are not read."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.body import Body
from exporter.probes.http.chunks import Chunks
from exporter.probes.http.head import (
    END,
    FRAMING,
    MAX_INTERIM,
    NOTED,
    Fields,
    HeadBudget,
    check_start,
    content_length,
    is_chunked,
    parse_head,
)
from exporter.probes.tls.handshake import said

if TYPE_CHECKING:
    from exporter.probes.measure import Run

SWITCHING_PROTOCOLS = 101
NO_BODY = {204, 304}
STEPS_AT_A_TIME = 500
"""Parts of a message read before the event loop gets a turn: a few ms with chunks of one byte."""


@dataclass(slots=True)
class Answer:
    """The answer of the server. `body` is decompressed, and kept only if a condition reads it."""

    status: int = 0
    version: str = ""
    headers: Fields = field(default_factory=list)
    encoding: str = ""
    content_length: int | None = None
    received_bytes: int = 0
    decoded_bytes: int = 0
    body: bytes = b""
    last_modified: str | None = None
    withheld: str = ""
    """The origin that got no credentials because they belong to another one; empty if they were sent."""

    def header(self, name: str) -> str | None:
        """Return the value of a header, several lines joined (RFC 9110 section 5.3); `name` in lower case."""
        values = self.values(name)
        return ", ".join(values) if values else None

    def values(self, name: str) -> list[str]:
        """Return the value of each line of a header; `name` in lower case."""
        return [value for known, value in self.headers if known == name]

    def take(self, status: int, version: str, fields: Fields) -> Fields:
        """Store the head of the final answer, and return the fields that determine the length of the body."""
        self.status, self.version, self.headers = status, version, fields
        framing = []
        for name, value in fields:
            if name in NOTED:
                if name in FRAMING:
                    framing.append((name, value))
                elif name == "last-modified":
                    self.last_modified = value
                else:
                    self.encoding = ", ".join(filter(None, (self.encoding, value.lower())))
        return framing


class AnswerProtocol(asyncio.Protocol):
    """The client side of a connection for one request. Await `ask`, then read `answer`."""

    _body: Body | None = None
    _chunks: Chunks | None = None
    _heard = False
    _interim = 0
    _left: int | None = None
    """Bytes of the body still to come; None if the body ends only with the connection."""
    _plain = False
    """True while the body arrives without chunks."""
    _searched = 0
    _transport: asyncio.Transport | None = None
    _waiting = False
    """True while the rest of the buffer waits for the next turn of the loop."""

    def __init__(self, run: Run, method: str, max_bytes: int, *, keep: bool) -> None:
        self._run = run
        self._method = method
        self._max_bytes = max_bytes
        self._keep = keep
        self._buffer = bytearray()
        self._budget = HeadBudget()
        self._step = AnswerProtocol._take_head
        """Takes the next part off the buffer; returns False if it needs more bytes. A bound method would be a cycle."""
        self.answer = Answer()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def unread(self) -> bytes:
        """Return the bytes received before the request was sent."""
        return bytes(self._buffer)

    def ask(self, transport: asyncio.Transport, request: bytes) -> asyncio.Future[None]:
        """Send the request; the future ends with the answer, or with a `ProbeFailure`."""
        self._run.enter("processing")
        self._transport = transport
        transport.write(request)
        if self._buffer:
            self.data_received(b"")
        return self.done

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        if self._plain:
            self._take_body(data)
            return
        self._buffer += data
        if self._transport is None or self._waiting:
            return
        if not self._heard:
            self._heard = True
            self._run.enter("transfer")
        self._read(self._transport)

    def _read(self, transport: asyncio.Transport) -> None:
        steps = STEPS_AT_A_TIME
        try:
            while self._step(self):
                steps -= 1
                if not steps:
                    break
            else:
                return
        except ProbeFailure as failure:
            self._fail(failure)
            return
        self._waiting = True
        transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_on, transport)

    def _read_on(self, transport: asyncio.Transport) -> None:
        if self.done.done() or transport.is_closing():
            return  # the rest is read in connection_lost
        self._waiting = False
        transport.resume_reading()
        self._read(transport)

    def _read_rest(self) -> None:
        """Read the rest of the buffer when the connection ends: it was received before the end."""
        try:
            while not self.done.done() and self._waiting and self._step(self):
                pass
        except ProbeFailure as failure:
            self._fail(failure)

    def _take_head(self) -> bool:
        buffer = self._buffer
        match = END.search(buffer, self._searched)
        if match is None:
            check_start(buffer)
            self._searched = max(0, len(buffer) - 2)
            self._budget.check(len(buffer))
            return False
        start, end = match.span()
        del match  # it holds the buffer, which then could not shrink
        self._budget.spend(end)
        head = parse_head(bytes(buffer[:start]))
        del buffer[:end]
        self._searched = 0
        if head[0] >= 200:
            self._begin(*head)
            return not self._plain and not self.done.done()
        if head[0] == SWITCHING_PROTOCOLS:
            raise ProbeFailure(Reason.PROTOCOL, "the server switched to another protocol")
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise too_many_interim()
        return bool(buffer)

    def _begin(self, status: int, version: str, fields: Fields) -> None:
        """Store the head of the final answer and find out how its body ends (RFC 9112 section 6.3)."""
        answer = self.answer
        framing = answer.take(status, version, fields)
        chunked = False
        if framing:
            chunked = is_chunked(framing, version)
            answer.content_length = None if chunked else content_length(framing)
        self._body = body = Body(answer, self._max_bytes, keep=self._keep)
        if self._method == "HEAD" or status in NO_BODY or answer.content_length == 0:
            self._complete()
        elif chunked:
            self._chunks = Chunks(body, self._budget)
            self._step = AnswerProtocol._take_chunk
        else:
            self._left = answer.content_length
            body.expect(self._left or 0)
            self._plain = True
            self._take_body(bytes(self._buffer))

    def _take_body(self, data: bytes) -> None:
        """Take the next bytes of a body without chunks. They need no buffer."""
        assert self._body is not None  # noqa: S101 - `_begin` made it
        try:
            if self._left is None:
                self._body.feed(data)
                return
            if len(data) > self._left:
                data = data[: self._left]
            self._left -= len(data)
            self._body.feed(data)
        except ProbeFailure as failure:
            self._fail(failure)
        if not self._left:
            self._complete()

    def _take_chunk(self) -> bool:
        assert self._chunks is not None  # noqa: S101 - `_begin` made it
        ended = self._chunks.step(self._buffer)
        if ended:
            self._complete()
        return ended is False

    def eof_received(self) -> None:
        """End a body without length and chunks: it ends with the connection (RFC 9112 section 6.3)."""
        self._read_rest()
        if not self.done.done() and self._plain and self._left is None:
            self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_rest()
        if self.done.done():
            return
        if isinstance(exc, ssl.SSLError):
            self._fail(ProbeFailure(Reason.TLS, f"TLS failed after the handshake: {said(exc)}"))
            return
        if exc is None:
            self.eof_received()
        how = "closed" if exc is None else "reset"
        self._fail(ProbeFailure(Reason.DISCONNECT, f"connection {how} {self._when()}"))

    def _when(self) -> str:
        answer = self.answer
        if not self._heard:
            return "before any answer"
        if self._body is None:
            return "within the headers"
        if answer.content_length is not None:
            return f"after {answer.received_bytes} of {answer.content_length} bytes of the body"
        last = ", before its last chunk" if self._chunks is not None else ""
        return f"after {answer.received_bytes} bytes of the body{last}"

    def _complete(self) -> None:
        if self._body is not None and not self.done.done():
            try:
                self._body.finish()
            except ProbeFailure as failure:
                self._fail(failure)
            else:
                self.done.set_result(None)

    def _fail(self, failure: ProbeFailure) -> None:
        if not self.done.done():
            self.done.set_exception(failure)
            # A probe that ended at its deadline no longer waits here; without this asyncio would log the failure.
            self.done.exception()


def too_many_interim() -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, f"the server sent more than {MAX_INTERIM} interim answers (1xx)")
