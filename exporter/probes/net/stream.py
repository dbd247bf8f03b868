"""Line-based streams over TCP, with limits on the memory that a peer can make them use."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.tls.handshake import said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.probes.measure import Run
    from exporter.probes.tls.handshake import Tls

MAX_LINE_BYTES = 8 * 1024
MAX_BYTES = 1024 * 1024
"""Limit of bytes read in one run. Line-based protocols need far less."""

LINES_AT_A_TIME = 50
"""Lines read before the event loop gets a turn: a peer can send thousands of lines in one piece."""

FLUSH_PAUSE = 0.01
"""Seconds between two checks whether all data was sent; nearly always the first one succeeds."""


class LineStream(asyncio.Protocol):
    """The client side of a connection, read in lines. Always `close` it."""

    __slots__ = (
        "_buffer",
        "_ended",
        "_failure",
        "_lines",
        "_raw",
        "_received",
        "_run",
        "_transport",
        "_waiter",
    )

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = bytearray()
        self._received = 0
        self._lines = 0
        self._ended = False
        self._failure: ProbeFailure | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._raw: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101 - set before the stream is returned
        return self._transport

    async def line(self) -> bytes | None:
        """Return the next line without its line break; None after the last. The last line needs no line break.

        Raises:
            ProbeFailure: `protocol` for a line over `MAX_LINE_BYTES`, `size` after `MAX_BYTES` in total, `disconnect`
                if the connection broke, `tls`.
        """
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched, MAX_LINE_BYTES + 1)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._lines += 1
                if self._lines % LINES_AT_A_TIME == 0:
                    await asyncio.sleep(0)
                return line.removesuffix(b"\r")
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ProbeFailure(Reason.PROTOCOL, f"a line is longer than {MAX_LINE_BYTES} bytes")
            if self._failure is not None:
                raise self._failure
            if self._ended:
                last = bytes(self._buffer)
                self._buffer.clear()
                return last or None
            searched = len(self._buffer)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def send(self, data: bytes) -> None:
        """Send bytes unchanged. After the end of the connection they are dropped; the next read reports it."""
        if not self.transport.is_closing():  # uvloop raises here, asyncio does not
            self.transport.write(data)

    async def flush(self) -> None:
        """Wait until the kernel has all sent data: `close` drops the rest."""
        assert self._raw is not None  # noqa: S101 - as for `transport`
        pause = 0.0
        while self._raw.get_write_buffer_size() and not self._ended:
            await asyncio.sleep(pause)
            pause = FLUSH_PAUSE

    async def start_tls(
        self, tls: Tls, host: str, run: Run, reopen: Callable[[], Awaitable[LineStream]]
    ) -> None:
        """Start TLS; `reopen` makes a new stream in the same state (see `Tls.start`).

        Bytes received before the handshake are an error: an attacker in the network could inject text that looks as
        if TLS had protected it (CVE-2011-0411).

        Raises:
            ProbeFailure: `protocol` or `tls` for such bytes, and those of `Tls.start`.
        """
        if self._buffer:
            # If nothing was read before, this is a port without TLS, as the handshake would find a moment later.
            reason = Reason.TLS if self._received == len(self._buffer) else Reason.PROTOCOL
            raise ProbeFailure(
                reason, "{} came in plain text where TLS should begin", PeerText(bytes(self._buffer))
            )

        async def again() -> tuple[asyncio.Transport, asyncio.Protocol]:
            stream = await reopen()
            return stream.transport, stream

        self._transport = await tls.start(self.transport, self, host, run, again)

    def close(self) -> None:
        """Drop the connection at once: a peer that ignores an orderly close would keep the socket open."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._raw = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_BYTES:
            self._end(ProbeFailure(Reason.SIZE, f"the answer is larger than {MAX_BYTES} bytes"))
            self.transport.abort()
            return
        self._buffer += data
        self._wake()

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ssl.SSLError):
            self._end(ProbeFailure(Reason.TLS, f"TLS failed after the handshake: {said(exc)}"))
        elif exc is not None:
            self._end(ProbeFailure(Reason.DISCONNECT, "connection reset by the peer"))
        else:
            self._end(None)

    def _end(self, failure: ProbeFailure | None) -> None:
        if not self._ended:
            self._ended = True
            self._failure = failure
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
