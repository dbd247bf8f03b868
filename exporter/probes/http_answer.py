"""Reading one HTTP/1.x answer from a connection, within limits on the size of its head and its body."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httptools

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.tls import said

if TYPE_CHECKING:
    from exporter.probes.measure import Run

MAX_HEAD_BYTES = 256 * 1024
"""Of status line and headers together, as in Go's net/http by the order of magnitude; a probe needs far less."""

NO_BODY = {204, 304}
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
RAW_DEFLATE = -zlib.MAX_WBITS
DECODED = {"gzip", "x-gzip", "deflate"}


@dataclass(slots=True)
class Answer:
    """What came back. `body` is decoded, and kept only where a condition will read it."""

    status: int = 0
    version: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    encoding: str = ""
    content_length: int | None = None
    received_bytes: int = 0
    decoded_bytes: int = 0
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header, several joined as RFC 9110 section 5.3 has it; `name` in lower case."""
        values = [value for known, value in self.headers if known == name]
        return ", ".join(values) if values else None


class Body:
    """Counts, decodes and keeps a body as it arrives.

    `max_bytes` bounds the body before and after it is decoded: a few kilobytes of gzip can hold gigabytes.
    """

    __slots__ = ("_answer", "_chunks", "_decoder", "_max_bytes", "_start")

    def __init__(self, answer: Answer, max_bytes: int, *, keep: bool) -> None:
        self._answer = answer
        self._max_bytes = max_bytes
        self._chunks: list[bytes] | None = [] if keep else None
        self._start: bytes | None = b""
        encoding = answer.encoding
        self._decoder = zlib.decompressobj(GZIP_OR_ZLIB) if encoding in DECODED else None

    def feed(self, data: bytes) -> None:
        """Take the next bytes off the wire.

        Raises:
            ProbeFailure: `size` or `encoding`.
        """
        answer = self._answer
        answer.received_bytes += len(data)
        if answer.received_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        if self._decoder is not None:
            data = self._decode(self._decoder, data)
        answer.decoded_bytes += len(data)
        if answer.decoded_bytes > self._max_bytes:
            raise ProbeFailure(Reason.SIZE, f"body is larger than {self._max_bytes} bytes once decompressed")
        if self._chunks is not None:
            self._chunks.append(data)

    def _decode(self, decoder: zlib._Decompress, data: bytes) -> bytes:
        if self._start is not None:
            data = self._start = self._start + data
            if len(data) < 2:
                return b""
            self._start = None
            if self._answer.encoding == "deflate" and not is_zlib(data):
                decoder = zlib.decompressobj(RAW_DEFLATE)
        decoded = []
        room = self._max_bytes - self._answer.decoded_bytes + 1
        try:
            while data and room > 0:
                if decoder.eof:
                    # A gzip body may have several members, which follow one another (RFC 1952 section 2.2).
                    decoder = zlib.decompressobj(GZIP_OR_ZLIB)
                decoded.append(decoder.decompress(data, room))
                room -= len(decoded[-1])
                data = decoder.unused_data
        except zlib.error:
            raise undecodable(self._answer.encoding) from None
        self._decoder = decoder
        return b"".join(decoded)

    def finish(self) -> None:
        """The body has ended.

        Raises:
            ProbeFailure: `encoding`, when the compressed stream has not.
        """
        if self._decoder is not None and not self._decoder.eof and self._answer.received_bytes:
            raise ProbeFailure(Reason.ENCODING, f"the {self._answer.encoding} body is cut short")
        if self._chunks is not None:
            self._answer.body = b"".join(self._chunks)


def is_zlib(start: bytes) -> bool:
    """Whether deflate has the wrapper that RFC 9110 section 8.4.1.2 asks for, by its first two bytes (RFC 1950
    section 2.2); some servers send it bare.
    """
    return start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0


def too_large(max_bytes: int) -> ProbeFailure:
    return ProbeFailure(Reason.SIZE, f"body is larger than {max_bytes} bytes")


def undecodable(encoding: str) -> ProbeFailure:
    return ProbeFailure(Reason.ENCODING, f"the body is not valid {encoding}")


class AnswerProtocol(asyncio.Protocol):
    """The client's end of one connection for one request. Await `done`, then read `answer`."""

    __slots__ = (
        "_body",
        "_head_bytes",
        "_keep",
        "_max_bytes",
        "_method",
        "_parser",
        "_run",
        "answer",
        "done",
    )

    def __init__(self, run: Run, method: str, max_bytes: int, *, keep: bool) -> None:
        self._run = run
        self._method = method
        self._max_bytes = max_bytes
        self._keep = keep
        self._head_bytes = 0
        self._body: Body | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.answer = Answer()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ask(self, transport: asyncio.Transport, request: bytes) -> asyncio.Future[None]:
        """Send the request; the future ends with the answer, or with a `ProbeFailure`."""
        self._run.enter("processing")
        transport.write(request)
        return self.done

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        if not self._head_bytes:
            self._run.enter("transfer")
        if self._body is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(ProbeFailure(Reason.PROTOCOL, "the server switched to another protocol"))
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, ProbeFailure):
                self._fail(cause)
            elif not self.done.done():
                self._fail(self._not_http(error))
        if self._body is None and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(ProbeFailure(Reason.PROTOCOL, f"the headers are larger than {MAX_HEAD_BYTES} bytes"))

    def _not_http(self, error: httptools.HttpParserError) -> ProbeFailure:
        if self._body is not None:
            return ProbeFailure(Reason.PROTOCOL, f"the body is not valid HTTP: {error}")
        return ProbeFailure(Reason.PROTOCOL, f"the answer is not valid HTTP: {error}")

    def eof_received(self) -> None:
        """A body that has neither a length nor chunks ends with the connection (RFC 9112 section 6.3)."""
        if self.done.done():
            return
        answer = self.answer
        chunked = "chunked" in (answer.header("transfer-encoding") or "").lower()
        if self._body is not None and answer.content_length is None and not chunked:
            self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
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
        if not self._head_bytes:
            return "before any answer"
        if self._body is None:
            return "within the headers"
        if answer.content_length is not None:
            return f"after {answer.received_bytes} of {answer.content_length} bytes of the body"
        return f"after {answer.received_bytes} bytes of the body, before its last chunk"

    def on_message_begin(self) -> None:
        self.answer.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        answer = self.answer
        answer.status = self._parser.get_status_code()
        if answer.status < 200:
            return  # an interim answer (RFC 9110 section 15.2); the real one follows
        answer.version = self._parser.get_http_version()
        for name, value in answer.headers:
            if name == "content-length" and value.isdecimal():
                answer.content_length = int(value)
            elif name == "content-encoding":
                answer.encoding = value.strip().lower()
        self._body = Body(answer, self._max_bytes, keep=self._keep)
        if self._method == "HEAD" or answer.status in NO_BODY:
            self._complete()
        elif answer.content_length is not None and answer.content_length > self._max_bytes:
            self._fail(too_large(self._max_bytes))

    def on_body(self, data: bytes) -> None:
        if self._body is not None and not self.done.done():
            self._body.feed(data)

    def on_message_complete(self) -> None:
        self._complete()

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
