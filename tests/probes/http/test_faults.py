"""Failures between a probe and an HTTP server, one per row: the result, the reason, and the completed phases.

`Prober.run` also asserts that each run ended by its deadline and left no task and no socket behind.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import Condition, HttpSpec
from exporter.probes.base import Reason
from tests.probes.servers import (
    Script,
    Server,
    answer,
    hang_up,
    pours,
    says,
    says_and_closes,
    says_and_resets,
    silence,
    trickles,
)

if TYPE_CHECKING:
    from tests.probes.prober import Prober

ASKED = {"connect", "processing"}
ANSWERED = {"connect", "processing", "transfer"}
DEADLINE = 0.4
"""Seconds. Rows that do not wait for it end immediately."""

LENGTH_100 = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"
BOMB = gzip.compress(bytes(64 * 1024 * 1024), 9)
READ_BODY = {"body_conditions": (Condition("never", present=False),)}


@dataclass
class Row:
    """A server's behaviour, and the expected result."""

    name: str
    script: Script
    reason: Reason
    detail: str
    phases: set[str]
    spec: dict[str, Any] = field(default_factory=dict)


ROWS = [
    # The server answers too little or too slowly.
    Row("accepts and says nothing", silence, Reason.TIMEOUT, "waiting for the answer", ASKED),
    Row("half a header", says(b"HTTP/1.1 200 OK\r\nServ"), Reason.TIMEOUT, "timed out after 0.4 s", ANSWERED),
    Row(
        "headers that do not end",
        says(b"HTTP/1.1 200 OK\r\nServer: x\r\n"),
        Reason.TIMEOUT,
        "timed out",
        ANSWERED,
    ),
    Row("a body that does not come", says(LENGTH_100), Reason.TIMEOUT, "reading the body", ANSWERED),
    Row(
        "a body that stops half-way",
        says(LENGTH_100 + b"x" * 50),
        Reason.TIMEOUT,
        "reading the body",
        ANSWERED,
    ),
    Row("chunks that stop", says(CHUNKED + b"1\r\nx\r\n"), Reason.TIMEOUT, "reading the body", ANSWERED),
    Row("one byte at a time", trickles(LENGTH_100 + b"x" * 100, 0.05), Reason.TIMEOUT, "timed out", ANSWERED),
    Row(
        "one byte of the body at a time",
        pours(LENGTH_100, b"x", 0.05),
        Reason.TIMEOUT,
        "reading the body",
        ANSWERED,
    ),
    # The server answers without end.
    Row(
        "headers for ever",
        pours(b"HTTP/1.1 200 OK\r\n", b"X-More: %s\r\n" % (b"x" * 1000)),
        Reason.PROTOCOL,
        "headers are larger than 262144 bytes",
        ANSWERED,
    ),
    Row(
        "one header for ever",
        pours(b"HTTP/1.1 200 OK\r\nX-More: ", b"x" * 4096),
        Reason.PROTOCOL,
        "headers are larger",
        ANSWERED,
    ),
    Row(
        "interim answers for ever",
        pours(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        Reason.PROTOCOL,
        "more than 10 interim answers",
        ANSWERED,
    ),
    Row(
        "headers for ever, slowly",
        pours(b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n", 0.02),
        Reason.TIMEOUT,
        "timed out",
        ANSWERED,
    ),
    Row(
        "chunks for ever",
        pours(CHUNKED, b"1000\r\n%s\r\n" % (b"x" * 4096)),
        Reason.SIZE,
        "larger than 1000000 bytes",
        ANSWERED,
        {"max_body_bytes": 1_000_000},
    ),
    Row(
        "a body that no length and no close ends",
        pours(UNTIL_CLOSED, b"x" * 4096),
        Reason.SIZE,
        "larger than",
        ANSWERED,
        {"max_body_bytes": 1_000_000},
    ),
    Row("such a body, slowly", pours(UNTIL_CLOSED, b"x", 0.02), Reason.TIMEOUT, "reading the body", ANSWERED),
    Row(
        "a length over the limit",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"),
        Reason.SIZE,
        "larger than 10485760 bytes",
        ANSWERED,
    ),
    Row(
        "a gzip bomb",
        says(answer(BOMB, "Content-Encoding: gzip")),
        Reason.SIZE,
        "larger than 10485760 bytes when decompressed",
        ANSWERED,
        READ_BODY,
    ),
    Row(
        "a gzip bomb that nobody reads",
        says(answer(BOMB, "Content-Encoding: gzip")),
        Reason.SIZE,
        "when decompressed",
        ANSWERED,
    ),
    # The server breaks off.
    Row("closes without an answer", hang_up, Reason.DISCONNECT, "closed before any answer", ASKED),
    Row(
        "closes within the headers",
        says_and_closes(b"HTTP/1.1 200 OK\r\nServ"),
        Reason.DISCONNECT,
        "closed within the headers",
        ANSWERED,
    ),
    Row(
        "closes within the body",
        says_and_closes(LENGTH_100 + b"x" * 42),
        Reason.DISCONNECT,
        "closed after 42 of 100 bytes",
        ANSWERED,
    ),
    Row(
        "closes between chunks",
        says_and_closes(CHUNKED + b"1\r\nx\r\n"),
        Reason.DISCONNECT,
        "before its last chunk",
        ANSWERED,
    ),
    Row(
        "resets before it answers", says_and_resets(b""), Reason.DISCONNECT, "reset before any answer", ASKED
    ),
    Row(
        "resets within the headers",
        says_and_resets(b"HTTP/1.1 200 OK\r\nServ"),
        Reason.DISCONNECT,
        "reset within the headers",
        ANSWERED,
    ),
    Row(
        "resets within the body",
        says_and_resets(LENGTH_100 + b"x" * 42),
        Reason.DISCONNECT,
        "reset after 42 of 100 bytes",
        ANSWERED,
    ),
    Row(
        "resets a body that only a close ends",
        says_and_resets(UNTIL_CLOSED + b"x" * 42),
        Reason.DISCONNECT,
        "reset after 42 bytes",
        ANSWERED,
    ),
    # The server does not speak HTTP.
    Row("garbage", says(b"\x00\x01\x02\x03 what?"), Reason.PROTOCOL, "not valid HTTP", ANSWERED),
    Row(
        "another protocol",
        says(b"SSH-2.0-OpenSSH_9.2\r\n"),
        Reason.PROTOCOL,
        "answer is not valid HTTP",
        ANSWERED,
    ),
    Row(
        "a header without a colon",
        says(b"HTTP/1.1 200 OK\r\nwhat\r\n\r\n"),
        Reason.PROTOCOL,
        "header",
        ANSWERED,
    ),
    Row(
        "two lengths that differ",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        Reason.PROTOCOL,
        "(?i)content-length",
        ANSWERED,
    ),
    Row(
        "broken chunking", says(CHUNKED + b"zz\r\nx\r\n"), Reason.PROTOCOL, "body is not valid HTTP", ANSWERED
    ),
    Row(
        "a chunk longer than it says",
        says(CHUNKED + b"1\r\nxxxx"),
        Reason.PROTOCOL,
        "body is not valid",
        ANSWERED,
    ),
    Row(
        "another protocol than it was asked for",
        says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        Reason.PROTOCOL,
        "switched to another protocol",
        ANSWERED,
    ),
    # The server's compression is broken.
    Row(
        "gzip that is not gzip",
        says(answer(b"plain text", "Content-Encoding: gzip")),
        Reason.ENCODING,
        "not valid gzip",
        ANSWERED,
    ),
    Row(
        "gzip cut short",
        says(answer(gzip.compress(b"x" * 1000)[:-10], "Content-Encoding: gzip")),
        Reason.ENCODING,
        "gzip body is cut short",
        ANSWERED,
    ),
    Row(
        "deflate that is not deflate",
        says(answer(b"\xff\xff\xff\xff", "Content-Encoding: deflate")),
        Reason.ENCODING,
        "not valid deflate",
        ANSWERED,
    ),
    Row(
        "a compression that nobody asked for and the body is read",
        says(answer(b"x", "Content-Encoding: br")),
        Reason.ENCODING,
        "cannot decompress 'br'",
        ANSWERED,
        READ_BODY,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_fault(row: Row, prober: Prober) -> None:
    with Server(row.script) as server:
        result = prober.run(
            HttpSpec(server.url(), **row.spec), DEADLINE if row.reason is Reason.TIMEOUT else 5
        )
    assert result.reason is row.reason, result.detail
    assert re.search(row.detail, result.detail), result.detail
    assert set(result.phases) == row.phases
