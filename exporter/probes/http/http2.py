"""Reading one answer of HTTP/2 (RFC 9113) from a connection that carries nothing else.

h2 knows the protocol: states, HPACK, flow control. What a peer may make it do is limited here: the frames are cut
before it sees them, so that a flood of small ones ends, and a large body leaves the loop to others in between.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, InformationalResponseReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.answer import NO_BODY, Answer, too_many_interim
from exporter.probes.http.body import Body
from exporter.probes.http.head import MAX_FIELDS, MAX_INTERIM, Fields, content_length, latin1
from exporter.probes.http.request import OF_THE_CONNECTION
from exporter.probes.tls.handshake import said

if TYPE_CHECKING:
    from h2.events import Event

    from exporter.probes.http.request import Request
    from exporter.probes.measure import Run

STREAM = 1
"""The first that a client opens."""
MAX_HEAD_BYTES = 64 * 1024
"""Of a list of fields as HPACK counts them; more is refused while it is decompressed."""
WINDOW_BYTES = 1024 * 1024
"""How much of a body may be on its way. The protocol's default of 64 KiB makes a distant server wait at each turn."""
MAX_IDLE_FRAMES = 1000
"""Frames that carry no byte of the body; a dozen are usual."""
FRAMES_AT_A_TIME = 50
"""Between two looks at what else there is to do; h2 takes up to 0.1 ms for each. An interim answer, whose fields can
take 7 ms, ends a turn, too."""
HEADER_BYTES = 9
MAX_FRAME_BYTES = 16 * 1024
"""What a peer may send unless it is allowed more (RFC 9113 section 4.2)."""
DATA, GOAWAY = 0, 7
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_NO_TEXT = re.compile("[\0\r\n]")


class Http2Answer(asyncio.Protocol):
    """The client's end of one connection for one request. Await `ask`, then read `answer`."""

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
        self._connection = _connection()
        self.answer = Answer()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ask(self, transport: asyncio.Transport, unread: bytes) -> asyncio.Future[None]:
        """Send the request; the future ends with the answer, or with a `ProbeFailure`. `unread`: what came before."""
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
        """Send what h2 has to say, and as much of the body as the server takes."""
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
                raise ProbeFailure(Reason.PROTOCOL, "the server answers in HTTP/1 and not in HTTP/2")
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
                Reason.PROTOCOL, f"the server sent more than {MAX_IDLE_FRAMES} frames that hold no body"
            )

    def _end(self, payload: bytes) -> None:
        """The server takes no more requests. It may still answer those up to one that it names, and h2 would not let
        it. nginx says so before it answers, where a connection is to have one request.
        """
        last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
        if code or last < STREAM:
            raise ProbeFailure(Reason.DISCONNECT, f"the server ended the connection: {_name(code)}")

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
                raise ProbeFailure(Reason.DISCONNECT, f"the server reset the request: {_name(code)}")

    def _begin(self, pairs: Fields) -> None:
        """Note the final answer's head."""
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
        """What came before the end is read first, in turns as ever: it may be a thousand frames."""
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


def _connection() -> H2Connection:
    # Its checks refuse a blank around a value, which curl, Go and browsers pass over.
    connection = H2Connection(
        H2Configuration(client_side=True, header_encoding=None, validate_inbound_headers=False)
    )
    connection.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
        },
    )
    connection.decoder.max_header_list_size = MAX_HEAD_BYTES
    return connection


def _text(raw: bytes | str) -> str:
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw


def _name(code: int | None) -> str:
    known = {member.value: member.name for member in ErrorCodes}
    return known.get(code or 0, f"error {code}")


def _words(error: ProtocolError) -> str:
    """The library's sentence, which may repeat the peer's own bytes."""
    return str(error) or type(error).__name__
