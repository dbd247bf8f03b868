"""Conversations in lines over TCP, within limits: a peer that pours out text costs bounded memory."""

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
"""Of all that is read in one run. Protocols that are asked a line at a time answer in far less."""

LINES_AT_A_TIME = 50
"""Between two looks at what else there is to do: a peer can send thousands of lines in one piece."""

FLUSH_PAUSE = 0.01
"""Seconds between two looks at whether the last line has left; it nearly always has at the first."""


class LineStream(asyncio.Protocol):
    """The client's end of one connection, read in lines. `close` it in any case."""

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
        assert self._transport is not None  # noqa: S101 - set before anybody gets hold of the stream
        return self._transport

    async def line(self) -> bytes | None:
        """The next line without its line break; None after the last. What has no line break at the end is a line.

        Raises:
            ProbeFailure: `protocol` for a line over `MAX_LINE_BYTES`, `size` after `MAX_BYTES` in all, `disconnect`
                when the connection broke, `tls`.
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
        """Send bytes as they are; dropped once the connection is over, which the next read finds."""
        if not self.transport.is_closing():  # uvloop raises where asyncio says nothing
            self.transport.write(data)

    async def flush(self) -> None:
        """Wait until the kernel has what was sent: `close` drops what it does not have."""
        assert self._raw is not None  # noqa: S101 - as for `transport`
        pause = 0.0
        while self._raw.get_write_buffer_size() and not self._ended:
            await asyncio.sleep(pause)
            pause = FLUSH_PAUSE

    async def start_tls(
        self, tls: Tls, host: str, run: Run, reopen: Callable[[], Awaitable[LineStream]]
    ) -> None:
        """Go on in TLS; `reopen` makes a new stream that stands at the same point (see `Tls.start`).

        Bytes that came before the handshake are not carried into it: whoever can write to the network could put
        words into the peer's mouth that look as if they had been protected (CVE-2011-0411).

        Raises:
            ProbeFailure: `protocol` or `tls` for such bytes, and as `Tls.start`.
        """
        if self._buffer:
            # Before anything was asked, this is a port without TLS, as the handshake would find a moment later.
            reason = Reason.TLS if self._received == len(self._buffer) else Reason.PROTOCOL
            raise ProbeFailure(
                reason, "{} came in plain text where TLS should begin", PeerText(bytes(self._buffer))
            )

        async def again() -> tuple[asyncio.Transport, asyncio.Protocol]:
            stream = await reopen()
            return stream.transport, stream

        self._transport = await tls.start(self.transport, self, host, run, again)

    def close(self) -> None:
        """Drop the connection at once: a peer that does not answer a polite end would hold the socket."""
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
