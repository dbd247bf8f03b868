"""A small HTTP/1.1 server for one simulated service: one request per connection, with limits, only on loopback."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from exporter.demo.answers import BODILESS, SERVER, StandInAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exporter.demo.moods import Behaviour

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
READ_SECONDS = 10.0
LINE = b"\r\n"


class BadRequest(Exception):  # noqa: N818 - becomes an answer to the peer, not an error of the program
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def plain(status: int, text: str) -> StandInAnswer:
    """Return an answer in plain text."""
    return _whole(status, "text/plain; charset=utf-8", text.encode())


def _whole(status: int, content_type: str, body: bytes) -> StandInAnswer:
    return StandInAnswer(status, (("content-type", content_type),), body, body)


class HttpStandIn:
    """A simulated service on one port. `answers`: the answer for each path of its probes."""

    def __init__(
        self,
        service: str,
        answers: Mapping[str, StandInAnswer],
        behaviour: Behaviour,
        metrics_path: str,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._service = service
        self._answers = answers
        self._behaviour = behaviour
        self._metrics_path = metrics_path
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests",
            "Requests that this simulated service answered.",
            ["status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "http_request_duration_seconds", "Time to answer a request.", registry=self._registry
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer it and count it. A connection without a request is not counted."""
        method = ""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(READ_SECONDS):
                method, path = await read_request(reader)
            began = time.perf_counter()
            answer = await self._answer(path)
        except BadRequest as bad:
            answer = plain(bad.status, f"{HTTPStatus(bad.status).phrase}\n")
        except (TimeoutError, EOFError):
            return
        self._requests.labels(answer.status).inc()
        self._durations.observe(time.perf_counter() - began)
        writer.write(encode(answer, with_body=method != "HEAD"))
        await writer.drain()

    async def _answer(self, path: str) -> StandInAnswer:
        if path == self._metrics_path:
            return _whole(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry))
        if path in self._answers:
            elapsed = self._clock() - self._started
            await self._sleep(self._behaviour.delay(elapsed))
            if self._behaviour.fails(elapsed):
                return plain(
                    503, f"The simulated service {self._service} has an outage, as part of the demo.\n"
                )
            return self._answers[path]
        return plain(404, f"The simulated service {self._service} has no such page.\n")


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Return the method and path of the next request. Its body is read and dropped.

    Raises:
        BadRequest: the request is not valid; it has the status to answer.
        EOFError: the peer closed the connection before its request was complete.
    """
    try:
        head = (await reader.readuntil(LINE + LINE)).split(LINE)
    except asyncio.LimitOverrunError:
        raise BadRequest(431) from None
    parts = head[0].split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1.") or not parts[1].isascii():
        raise BadRequest(400)
    length = 0
    for line in head[1:-2]:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name or name != name.strip():
            raise BadRequest(400)
        if name == b"transfer-encoding":
            raise BadRequest(501)
        if name == b"content-length":
            length = _content_length(value.strip())
    await reader.readexactly(length)
    return parts[0].decode("latin-1"), parts[1].decode().partition("?")[0]


def _content_length(value: bytes) -> int:
    if not value.isdigit():
        raise BadRequest(400)
    # Count the digits first: Python refuses to convert very long numbers.
    if len(value) > len(str(MAX_BODY_BYTES)) or int(value) > MAX_BODY_BYTES:
        raise BadRequest(413)
    return int(value)


def encode(answer: StandInAnswer, *, with_body: bool) -> bytes:
    """Return the bytes of an answer after which the connection closes."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    # RFC 9110 section 8.6: no length if there can be no body.
    length = () if answer.status in BODILESS else (("content-length", str(len(answer.body))),)
    headers = (SERVER, *answer.headers, *length, ("connection", "close"))
    lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (answer.body if with_body else b"")
