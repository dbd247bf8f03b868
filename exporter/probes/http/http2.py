"""Reader of one HTTP/2 answer (RFC 9113) from a connection that carries nothing else.

h2 implements the protocol: states, HPACK, flow control. This module limits what a peer can make it do: it splits the
input into frames before h2 sees them, to stop a flood of small ones and to give other tasks turns during a large body.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING

from h2.events import DataReceived, InformationalResponseReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.answer import NO_BODY, Answer, too_many_interim
from exporter.probes.http.body import Body
from exporter.probes.http.h2_connection import WINDOW_BYTES, error_name, new_connection
from exporter.probes.http.head import MAX_FIELDS, MAX_INTERIM, Fields, content_length, latin1
from exporter.probes.http.request import OF_THE_CONNECTION
from exporter.probes.tls.handshake import said

if TYPE_CHECKING:
    from h2.events import Event

    from exporter.probes.http.request import Request
    from exporter.probes.measure import Run

STREAM = 1
"""The first stream that a client opens."""
MAX_IDLE_FRAMES = 1000
"""Limit of frames without a byte of the body; a dozen are usual."""
FRAMES_AT_A_TIME = 50
"""Frames read before the event loop gets a turn; h2 takes up to 0.1 ms for each. An interim answer, whose fields can
take 7 ms, also ends the turn."""
HEADER_BYTES = 9
MAX_FRAME_BYTES = 16 * 1024
"""The largest frame that a peer may send by default (RFC 9113 section 4.2)."""
DATA, GOAWAY = 0, 7
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_NO_TEXT = re.compile("[\0\r\n]")


class Http2Answer(asyncio.Protocol):
    """The client side of a connection for one request. Await `ask`, then read `answer`."""

    __slots__ = (
        "_body",
        "_buffer",
        "_connection",
        "_heard",
        "_idle_frames",
        "_interim",
        "_keep",
        "_lost",
        "_max_bytes",
        "_request",
        "_run",
        "_transport",
        "_unsent",
        "_waiting",
        "answer",
        "done",
    )

    def __init__(self, run: Run, request: Request, max_bytes: int, *, keep: bool) -> None:
        self._run = run
        self._request = request
        self._max_bytes = max_bytes
        self._keep = keep
        self._buffer = bytearray()
        self._idle_frames = 0
        self._interim = 0
        self._heard = False
        self._waiting = False
        self._lost: tuple[Exception | None] | None = None
        self._body: Body | None = None
        self._unsent = request.body
        self._transport: asyncio.Transport
        self._connection = new_connection()
        self.answer = Answer()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ask(self, transport: asyncio.Transport, unread: bytes) -> asyncio.Future[None]:
        """Send the request; the future ends with the answer, or with a `ProbeFailure`. `unread`: earlier bytes."""
        self._run.enter("processing")
        self._transport = transport
        connection = self._connection
        connection.initiate_connection()
        connection.increment_flow_control_window(WINDOW_BYTES - connection.inbound_flow_control_window)
        try:
            connection.send_headers(STREAM, self._request.http2(), end_stream=not self._unsent)
        except ProtocolError:
            self._fail(ProbeFailure(Reason.PROTOCOL, "the request cannot be written as HTTP/2"))
            return self.done
        self._send()
        if unread:
            self.data_received(unread)
        return self.done

    def _send(self) -> None:
        """Send the output of h2, and as much of the body as the server accepts."""
        connection = self._connection
        while self._unsent:
            size = min(connection.local_flow_control_window(STREAM), connection.max_outbound_frame_size)
            if size <= 0:
                break
            piece, self._unsent = self._unsent[:size], self._unsent[size:]
            connection.send_data(STREAM, piece, end_stream=not self._unsent)
        if data := connection.data_to_send():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        if not self._heard:
            self._heard = True
            self._run.enter("transfer")
        self._buffer += data
        if not self._waiting:
            self._read()

    def _read(self) -> None:
        try:
            if not self._read_frames():
                return
        except ProbeFailure as failure:
            self._fail(failure)
            return
        except ProtocolError as error:
            self._fail(
                ProbeFailure(Reason.PROTOCOL, "the answer is not valid HTTP/2: {}", PeerText(_words(error)))
            )
            return
        self._waiting = True
        if not self._transport.is_closing():
            self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._waiting = False
        if self.done.done():
            return
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._read()
        if self._lost is not None and not self._waiting:
            self._end_at(*self._lost)

    def _read_frames(self) -> bool:
        """Take the next frames; True if there may be more of them in the buffer."""
        for _ in range(FRAMES_AT_A_TIME):
            frame = self._next_frame()
            if frame is None:
                return False
            interim = self._interim
            self._take_frame(frame)
            if self.done.done():
                return False
            self._send()
            if self._interim != interim:
                break
        return True

    def _next_frame(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < HEADER_BYTES:
            return None
        size = int.from_bytes(buffer[:3], "big")
        if size > MAX_FRAME_BYTES:
            if buffer.startswith(b"HTTP/1."):
                raise ProbeFailure(Reason.PROTOCOL, "the server answers in HTTP/1 instead of HTTP/2")
            raise ProtocolError(f"a frame of {size} bytes")
        if len(buffer) < HEADER_BYTES + size:
            return None
        frame = bytes(buffer[: HEADER_BYTES + size])
        del buffer[: HEADER_BYTES + size]
        return frame

    def _take_frame(self, frame: bytes) -> None:
        kind = frame[3]
        if kind != DATA:
            self._count_idle()
        if kind == GOAWAY:
            self._end(frame[HEADER_BYTES:])
            return
        for event in self._connection.receive_data(frame):
            self._take(event)

    def _count_idle(self) -> None:
        self._idle_frames += 1
        if self._idle_frames > MAX_IDLE_FRAMES:
            raise ProbeFailure(
                Reason.PROTOCOL, f"the server sent more than {MAX_IDLE_FRAMES} frames without body"
            )

    def _end(self, payload: bytes) -> None:
        """Handle a GOAWAY frame: the server accepts no more requests.

        It may still answer requests up to the last stream that the frame names, but h2 would not allow it. nginx
        sends the frame before its answer if it allows only one request per connection.
        """
        last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
        if code or last < STREAM:
            raise ProbeFailure(Reason.DISCONNECT, f"the server ended the connection: {error_name(code)}")

    def _take(self, event: Event) -> None:
        match event:
            case InformationalResponseReceived():
                self._interim += 1
                if self._interim > MAX_INTERIM:
                    raise too_many_interim()
            case ResponseReceived(headers=headers):
                self._begin([(_text(name), _text(value)) for name, value in headers or ()])
            case DataReceived(data=data, flow_controlled_length=size):
                if not data:
                    self._count_idle()
                elif self._body is not None:
                    self._body.feed(data)
                self._connection.acknowledge_received_data(size or 0, STREAM)
            case StreamEnded() if self._body is not None and not self.done.done():
                self._body.finish()
                self.done.set_result(None)
            case StreamReset(error_code=code):
                raise ProbeFailure(Reason.DISCONNECT, f"the server reset the request: {error_name(code)}")

    def _begin(self, pairs: Fields) -> None:
        """Store the head of the final answer."""
        if len(pairs) > MAX_FIELDS:
            raise ProbeFailure(Reason.PROTOCOL, f"the answer has more than {MAX_FIELDS} header lines")
        answer = self.answer
        status = next((value for name, value in pairs[:1] if name == ":status"), "")
        if not (len(status) == 3 and status.isascii() and status.isdecimal() and status >= "200"):
            raise ProbeFailure(Reason.PROTOCOL, "the answer is not valid HTTP/2: status {}", latin1(status))
        fields = [(name, value.strip(" \t")) for name, value in pairs[1:]]
        for name, value in fields:
            if not _NAME.fullmatch(name) or name in OF_THE_CONNECTION or _NO_TEXT.search(value):
                words = latin1(f"{name}: {value}")
                raise ProbeFailure(Reason.PROTOCOL, "the answer is not valid HTTP/2: header {}", words)
        answer.content_length = content_length(answer.take(int(status), "2", fields))
        self._body = Body(answer, self._max_bytes, keep=self._keep)
        if answer.content_length and self._request.method != "HEAD" and int(status) not in NO_BODY:
            self._body.expect(answer.content_length)

    def connection_lost(self, exc: Exception | None) -> None:
        """Read the rest of the buffer first, in turns as usual: it may hold a thousand frames."""
        self._lost = (exc,)
        if not self._waiting:
            self._end_at(exc)

    def _end_at(self, exc: Exception | None) -> None:
        if self.done.done():
            return
        if isinstance(exc, ssl.SSLError):
            self._fail(ProbeFailure(Reason.TLS, f"TLS failed after the handshake: {said(exc)}"))
            return
        how = "closed" if exc is None else "reset"
        when = "before any answer"
        if self._heard:
            when = "within the headers"
        if self._body is not None:
            when = f"after {self.answer.received_bytes} bytes of the body"
        self._fail(ProbeFailure(Reason.DISCONNECT, f"connection {how} {when}"))

    def _fail(self, failure: ProbeFailure) -> None:
        if not self.done.done():
            self.done.set_exception(failure)
            # A probe that ended at its deadline no longer waits here; without this asyncio would log the failure.
            self.done.exception()


def _text(raw: bytes | str) -> str:
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw


def _words(error: ProtocolError) -> str:
    """Return the library's message, which may repeat bytes of the peer."""
    return str(error) or type(error).__name__
