"""One connection: reads one request at a time, and sends answers as fast as the client receives them.

Everything that a client controls has a limit: a head in bytes and seconds, a body in bytes, the wait for the next
request, the time to receive an answer. Data of later requests stays in the kernel.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING, Any, Protocol, cast

from exporter.daemon.web.answers import head_of, refusing
from exporter.daemon.web.crowd import Stage, owner_of
from exporter.daemon.web.message import MAX_BODY_BYTES, RefusedError, Request, read_head
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from exporter.daemon.web.answers import Answer, Headers
    from exporter.daemon.web.crowd import Crowd

MAX_HEAD_BYTES = 32 * 1024
"""First line and headers of a request. Browsers send all cookies of the host, for every port."""
HEAD_SECONDS = 10.0
"""Maximum time from the connection to the first byte of a request, and from there to its end."""
IDLE_SECONDS = 75.0
"""Time that an idle connection is kept between requests: longer than the usual scrape interval."""
SEND_SECONDS = 30.0
"""A client must receive an answer within this time."""
ENDING_SECONDS = 5.0
"""After an error, data that the client still sends is dropped for this time, so that it reads the error."""
TLS_ENDING_SECONDS = 0.5
"""The same for TLS, which cannot close only one direction, so the client waits for this end."""
ENDING_BYTES = 64 * 1024 * 1024
SLICE_BYTES = 64 * 1024
"""Part of an answer passed to the transport at once; more is not buffered for a client that does not read."""

_AHEAD = MAX_HEAD_BYTES + MAX_BODY_BYTES

log = logging.getLogger(__name__)


class Site(Protocol):
    """The parts of a server that its connections share."""

    crowd: Crowd

    @property
    def stopping(self) -> bool: ...
    @property
    def headers(self) -> Headers:
        """Return the headers for each answer, from the web configuration."""

    def admits(self, certificate: dict[str, object] | None) -> bool:
        """True if a client with this verified certificate is allowed."""

    def refused(self, reason: str, count: int = 1) -> None:
        """Count refused requests or connections."""

    async def answer(self, request: Request, client: tuple[str, int], *, secure: bool) -> Answer: ...


class Connection(asyncio.Protocol):
    """A client's connection, from accept to close."""

    def __init__(self, site: Site, client: tuple[str, int], *, secure: bool) -> None:
        self._site = site
        self._client = client
        self._secure = secure
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._request: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._dropped = 0
        self._idle = False
        """True between two requests, before the first byte of the next one."""
        self._half_closed = False
        self.beginning: asyncio.Task[None] | None = None
        """The task that creates the transport, while it runs."""
        self.address = owner_of(client[0])
        self.stage = Stage.HANDSHAKE if secure else Stage.WAITING
        self.since = time.monotonic()  # finer than the loop's clock

    def abort(self) -> None:
        """Close it now, whatever it is doing."""
        if self._transport is not None:
            self._transport.abort()
        elif self.beginning is not None:
            self.beginning.cancel()

    @property
    def work(self) -> asyncio.Task[None] | None:
        """Return the task that creates and sends an answer, while it runs."""
        return self._task

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=SLICE_BYTES)
        self._enter(Stage.WAITING, HEAD_SECONDS)
        if self._secure and not self._site.admits(_certificate(self._transport)):
            self._site.refused("tls")
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self.stage is Stage.ENDING:
            self._dropped += len(data)
            if self._dropped > ENDING_BYTES:
                self.abort()
            return
        self._buffer += data
        if self._task is None:
            self._read()
        elif len(self._buffer) > _AHEAD and self._transport:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._half_closed = True
        return self._task is not None and not self._secure

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._writable.set()
        self._site.crowd.leave(self)

    # Requests

    def _read(self) -> None:
        """Take the next request from the buffer once it is complete."""
        try:
            request = self._request or self._take_head()
            if request is None:
                return
            if len(self._buffer) < request.body_bytes:
                self._expect_body(request)
                return
        except RefusedError as refusal:
            self._site.refused(refusal.reason)
            self._begin(self._refuse(refusal))
            return
        del self._buffer[: request.body_bytes]
        self._request = None
        self._begin(self._serve(request))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._enter(Stage.ANSWERING, None)
        self._task = self._loop.create_task(work)

    def _take_head(self) -> Request | None:
        if self._scanned == 0:
            self._buffer = self._buffer.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a request
            if not self._buffer:
                return None
            if not self._buffer[:1].isalpha():
                raise RefusedError(400, "this is not HTTP; is it TLS?", "malformed")
            if self._idle:
                self._enter(Stage.WAITING, HEAD_SECONDS)
        end = _end_of_head(self._buffer, self._scanned)
        if max(end, len(self._buffer) if end < 0 else 0) > MAX_HEAD_BYTES:
            raise RefusedError(431, f"the request's head is larger than {MAX_HEAD_BYTES} bytes", "too_large")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._scanned = 0
        return read_head(head)

    def _expect_body(self, request: Request) -> None:
        if self._request is None and "100-continue" in map(str.lower, request.values(b"expect")):
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._request = request

    # Answers

    async def _serve(self, request: Request) -> None:
        try:
            answer = await self._site.answer(request, self._client, secure=self._secure)
        except RefusedError as refusal:
            self._site.refused(refusal.reason)
            answer = refusing(refusal)
        except Exception:
            log.exception("a request of %s could not be answered", Secrets().shown(PeerText(request.path)))
            answer = refusing(RefusedError(500, "an error in the exporter; see its log", ""))
        keep_alive = request.keep_alive and not self._half_closed and not self._site.stopping
        await self._send(answer, keep_alive=keep_alive, with_body=request.method != "HEAD")
        if keep_alive:
            self._wait_for_next()
        else:
            self._end()

    async def _refuse(self, refusal: RefusedError) -> None:
        await self._send(refusing(refusal), keep_alive=False, with_body=True)
        self._end(unread=True)

    async def _send(self, answer: Answer, *, keep_alive: bool, with_body: bool) -> None:
        head = head_of(answer, self._site.headers, keep_alive=keep_alive)
        body = answer.body if with_body else b""
        self._enter(Stage.SENDING, SEND_SECONDS)
        await self._writable.wait()
        if len(body) <= SLICE_BYTES:
            self._write(head + body)
            return
        self._site.refused("evicted", self._site.crowd.hold(self, body))
        self._write(head)
        view = memoryview(body)
        for begin in range(0, len(body), SLICE_BYTES):
            await self._writable.wait()
            self._write(view[begin : begin + SLICE_BYTES])
        await self._writable.wait()
        self._site.crowd.let_go(self)

    def _write(self, data: bytes | memoryview) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _wait_for_next(self) -> None:
        self._task = None
        self._enter(Stage.WAITING, IDLE_SECONDS)
        if self._transport is not None:
            self._transport.resume_reading()
        self._idle = True
        self._read()

    def _end(self, *, unread: bool = False) -> None:
        """Close once the answer is sent. With `unread`, data that the client still sends is read and dropped for a
        while: closing before that could lose the answer."""
        self._task = None
        self._enter(Stage.ENDING, TLS_ENDING_SECONDS if unread and self._secure else ENDING_SECONDS)
        self._buffer.clear()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.resume_reading()
        if not self._secure and not self._half_closed:
            transport.write_eof()
        elif not unread or self._half_closed:
            transport.close()

    # Time

    def _enter(self, stage: Stage, seconds: float | None) -> None:
        """Enter `stage`, for at most `seconds`."""
        self.stage = stage
        self.since = time.monotonic()
        self._idle = False
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self._time_is_over)

    def _time_is_over(self) -> None:
        if self.stage is Stage.WAITING and (self._buffer or self._request):
            refusal = RefusedError(
                408, f"the request was not complete within {HEAD_SECONDS:.0f} s", "timeout"
            )
            self._site.refused(refusal.reason)
            self._begin(self._refuse(refusal))
            return
        transport = self._transport
        if self.stage is Stage.ENDING and self._secure and transport and not transport.is_closing():
            self._enter(Stage.ENDING, ENDING_SECONDS)
            transport.close()
            return
        if self.stage is Stage.SENDING:
            self._site.refused("timeout")
        self.abort()


def _end_of_head(buffer: bytearray, scanned: int) -> int:
    """Return the position after the empty line, or -1. Bytes that were `scanned` before are not searched again."""
    start = max(0, scanned - 3)
    found = [place + len(mark) for mark in (b"\n\r\n", b"\n\n") if (place := buffer.find(mark, start)) >= 0]
    return min(found, default=-1)


def _certificate(transport: asyncio.Transport) -> dict[str, object] | None:
    tls = transport.get_extra_info("ssl_object")
    certificate = tls.getpeercert() if isinstance(tls, ssl.SSLObject) else None
    return None if certificate is None else {**certificate}
