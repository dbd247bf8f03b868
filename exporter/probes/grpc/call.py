"""One unary gRPC call over HTTP/2, on a new connection.

The gRPC library keeps its connections on its own threads and hides why one failed. One call needs little of HTTP/2,
so this module uses h2 on the same connections as all other probes.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from exporter import __version__
from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.tls.handshake import said

if TYPE_CHECKING:
    from collections.abc import Iterable

    from h2.events import Event

    from exporter.probes.measure import Run

STREAM = 1
"""The first stream that a client opens."""
PREFIX_BYTES = 5
"""Before each message: a flag for compression, and the length in four bytes."""
MAX_BODY_BYTES = 16 * 1024
MAX_FRAMES = 100
"""Frames read per call; the answer of a health service rarely takes ten."""
HEADER_BYTES = 9
MAX_FRAME_BYTES = 16 * 1024
"""The largest frame that a peer may send by default (RFC 9113 section 4.2)."""
MAX_INTERIM = 10
"""Answers of the 1xx class before the real one; gRPC has none."""
MAX_HEAD_BYTES = 16 * 1024
"""Size of a field list as HPACK counts it: a block of 2 KB can expand to 2000 fields, which h2 checks in 7 ms."""
GOAWAY = 7
LATER_MILLISECONDS = 1000
"""The server gets this much more time than the probe, so that always the probe's deadline ends a run."""
MAX_TIMEOUT_MILLISECONDS = 99_999_999
"""The header has eight digits."""


@dataclass(slots=True)
class Answer:
    """The answer of the server. `headers` includes the trailers; names are in lower case."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Call(asyncio.Protocol):
    """The client side of a connection for one call. Await `ask`, then read `answer`."""

    __slots__ = ("_buffer", "_connection", "_frames", "_interim", "_transport", "answer", "done")

    def __init__(self) -> None:
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._connection.decoder.max_header_list_size = MAX_HEAD_BYTES
        # Now, since it must be sent before any reply to the server's first frames.
        self._connection.initiate_connection()
        self._buffer = bytearray()
        self._frames = 0
        self._interim = 0
        self._transport: asyncio.Transport | None = None
        self.answer = Answer()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def heard(self) -> bool:
        """True if anything was received."""
        return bool(self._frames or self._buffer)

    def ask(
        self,
        transport: asyncio.Transport,
        method: str,
        authority: str,
        metadata: Iterable[tuple[str, str]],
        message: bytes,
        run: Run,
    ) -> asyncio.Future[None]:
        """Send one message; the future ends with the answer, whatever its status, or with a `ProbeFailure`."""
        if self.done.done():
            return self.done
        self._transport = transport
        timeout = ceil(run.time_left() * 1000) + LATER_MILLISECONDS
        secured = transport.get_extra_info("ssl_object") is not None
        self._connection.send_headers(
            STREAM,
            [
                (":method", "POST"),
                (":scheme", "https" if secured else "http"),
                (":path", method),
                (":authority", authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("user-agent", f"pageforge-exporter/{__version__}"),
                ("grpc-timeout", f"{min(timeout, MAX_TIMEOUT_MILLISECONDS)}m"),
                *metadata,
            ],
        )
        self._connection.send_data(
            STREAM, b"\0" + len(message).to_bytes(PREFIX_BYTES - 1, "big") + message, end_stream=True
        )
        transport.write(self._connection.data_to_send())
        return self.done

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        self._buffer += data
        if not self._frames and self._buffer.startswith(b"HTTP/1"):
            self._fail(Reason.PROTOCOL, "the server answers in HTTP/1, but gRPC needs HTTP/2")
            return
        try:
            while not self.done.done() and (frame := self._next_frame()):
                if frame[3] == GOAWAY:
                    self._end(frame[HEADER_BYTES:])
                    continue
                for event in self._connection.receive_data(frame):
                    self._take(event)
        except ProtocolError as error:
            # The library's message may repeat bytes of the peer.
            words = PeerText(str(error) or type(error).__name__)
            self._fail(Reason.PROTOCOL, "the answer is not valid HTTP/2: {}", words)
        if self._transport is not None and not self.done.done():
            self._transport.write(self._connection.data_to_send())

    def _next_frame(self) -> bytes | None:
        """Return the next complete frame, or None."""
        if len(self._buffer) < HEADER_BYTES:
            return None
        size = int.from_bytes(self._buffer[:3], "big")
        if size > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame of {size} bytes")
        if len(self._buffer) < HEADER_BYTES + size:
            return None
        self._frames += 1
        if self._frames > MAX_FRAMES:
            raise ProtocolError(f"more than {MAX_FRAMES} frames")
        frame = bytes(self._buffer[: HEADER_BYTES + size])
        del self._buffer[: HEADER_BYTES + size]
        return frame

    def _end(self, payload: bytes) -> None:
        """Handle a GOAWAY frame: the server accepts no more calls.

        It may still answer calls up to the last stream that the frame names, but h2 would not allow it. nginx sends
        the frame before its answer if it allows only one request per connection.
        """
        last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
        if code or last < STREAM:
            self._fail(Reason.DISCONNECT, f"the server ended the connection: {_name(code)}")

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ssl.SSLError):
            self._fail(Reason.TLS, f"TLS failed after the handshake: {said(exc)}")
            return
        how = "closed" if exc is None else "reset"
        when = "before the answer was complete" if self.heard else "before any answer"
        self._fail(Reason.DISCONNECT, f"connection {how} {when}")

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived(headers=headers) | TrailersReceived(headers=headers):
                for name, value in headers or ():
                    self.answer.headers[_text(name).lower()] = _text(value)
            case InformationalResponseReceived():
                self._interim += 1
                if self._interim > MAX_INTERIM:
                    self._fail(
                        Reason.PROTOCOL, f"the server sent more than {MAX_INTERIM} interim answers (1xx)"
                    )
            case DataReceived(data=data):
                self.answer.body += data or b""
                if len(self.answer.body) > MAX_BODY_BYTES:
                    self._fail(Reason.SIZE, f"the answer is larger than {MAX_BODY_BYTES} bytes")
            case StreamEnded() if not self.done.done():
                self.done.set_result(None)
            case StreamReset(error_code=code):
                self._fail(Reason.DISCONNECT, f"the server reset the call: {_name(code)}")

    def _fail(self, reason: Reason, detail: str, *words: PeerText) -> None:
        if not self.done.done():
            self.done.set_exception(ProbeFailure(reason, detail, *words))
            # A probe that ended at its deadline no longer waits here; without this asyncio would log the failure.
            self.done.exception()


def _text(raw: bytes | str) -> str:
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw


def _name(code: int | None) -> str:
    known = {member.value: member.name for member in ErrorCodes}
    return known.get(code or 0, f"error {code}")
