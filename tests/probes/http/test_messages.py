"""Message framing: the same result directly, through a proxy, byte by byte, and in blackbox_exporter. If they differ,
`peer` is the result of blackbox_exporter (0.23, Go 1.19)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.catalog.planning.specs import Condition, HeaderCondition, HttpSpec
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.answer import AnswerProtocol
from exporter.probes.measure import Run
from tests.probes.blackbox import Blackbox
from tests.probes.http.proxy_servers import Proxy
from tests.probes.servers import Server, chunked, says, says_and_closes
from tests.probes.wires import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.probes.prober import Prober

OK = b"HTTP/1.1 200 OK\r\n"
FINE = OK + b"Content-Length: 4\r\n\r\nfine"
NO = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"
IS_FINE = {"body_conditions": (Condition("^fine"),)}


@dataclass
class Row:
    """A response, the expected result, and blackbox_exporter's result if it differs."""

    said: bytes
    reason: Reason = Reason.OK
    spec: dict[str, Any] = field(default_factory=dict)
    module: str = "get"
    peer: bool | None = None
    closes: bool = False
    """True if the server closes the connection after the response."""


def body(said: bytes, reason: Reason = Reason.OK, **more: Any) -> Row:
    """Return a row whose body must start with `fine`."""
    return Row(said, reason, IS_FINE, "body", **more)


ROWS = {
    # Bytes after the message belong to no request.
    "length, then another answer": body(FINE + NO),
    "an answer that is wrong, then one that is right": Row(NO + FINE, Reason.STATUS),
    "an error, then success": Row(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" + FINE, Reason.STATUS),
    "length, then garbage": body(FINE + b"\0\1\2 garbage\r\n\r\n"),
    "chunks, then another answer": body(chunked(b"fine") + NO),
    "chunks, then garbage": body(chunked(b"fine") + b"\0\0"),
    "no content, then bytes": Row(
        b"HTTP/1.1 204 No Content\r\nX-Key: v\r\n\r\nbytes",
        spec={"header_conditions": (HeaderCondition("X-Key", "^v$"),)},
    ),
    "not modified, then an answer": Row(
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + NO, spec={"statuses": ((304, 304),)}
    ),
    "HEAD, then a body": Row(FINE + NO, spec={"method": "HEAD"}, module="head"),
    "length 0, then bytes": Row(OK + b"Content-Length: 0\r\n\r\n" + NO),
    "close, then bytes": body(OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nfine and more"),
    # Line endings (RFC 9112 section 2.2) and folded headers (section 5.2).
    "bare LF": body(b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine"),
    "both line ends": body(b"HTTP/1.1 200 OK\nA: 1\r\nContent-Length: 4\n\r\nfine"),
    "bare LF with chunks": body(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nfine\n0\n\n", peer=False),
    "folded": body(OK + b"X-Long: one\r\n two\r\n\tthree\r\nContent-Length: 4\r\n\r\nfine"),
    "folded with a line of blanks": body(OK + b"X-Long: one\r\n \r\n two\r\nContent-Length: 4\r\n\r\nfine"),
    "folded with bare LF": Row(
        b"HTTP/1.1 200 OK\nX-Long: one\n  two\nContent-Length: 0\n\n",
        spec={"header_conditions": (HeaderCondition("X-Long", "^one two$"),)},
    ),
    "a fold of nothing": Row(OK + b" folded: x\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL),
    "a blank before the colon": body(OK + b"X-Odd : x\r\nContent-Length: 4\r\n\r\nfine"),
    "no reason phrase": body(b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine"),
    "an empty reason phrase": body(b"HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nfine"),
    "a reason phrase in Latin-1": body(b"HTTP/1.1 200 D'accord \xe9\r\nContent-Length: 4\r\n\r\nfine"),
    "a header in Latin-1": body(OK + b"X-Name: caf\xe9\r\nContent-Length: 4\r\n\r\nfine"),
    "tabs around a value": body(OK + b"Content-Length:\t4\t\r\n\r\nfine"),
    "an empty line first": Row(b"\r\n" + FINE, Reason.PROTOCOL),
    "a header without a name": Row(OK + b": x\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL, peer=True),
    "a header without a colon": Row(OK + b"what\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL),
    "a blank in a header's name": Row(OK + b"X Y: z\r\nContent-Length: 0\r\n\r\n"),
    "NUL in a header": Row(OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL, peer=True),
    "a status of two digits": Row(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL),
    "a status of four digits": Row(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL),
    "another version": Row(b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n", Reason.PROTOCOL, peer=True),
    # Length of the body (RFC 9112 section 6.3).
    "the same length twice": body(OK + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nfine"),
    "two lengths": Row(OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine", Reason.PROTOCOL),
    "a signed length": Row(OK + b"Content-Length: +4\r\n\r\nfine", Reason.PROTOCOL),
    "a length of text": Row(OK + b"Content-Length: four\r\n\r\nfine", Reason.PROTOCOL),
    "a length of 5000 digits": Row(OK + b"Content-Length: %s\r\n\r\n" % (b"9" * 5000), Reason.PROTOCOL),
    "chunks with a length": body(
        OK + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
    ),
    "chunked in capitals": body(OK + b"Transfer-Encoding: Chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"),
    "another transfer encoding": Row(OK + b"Transfer-Encoding: gzip\r\n\r\n", Reason.PROTOCOL),
    "chunks in HTTP/1.0": Row(
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        spec={"body_conditions": (Condition("^4"),)},
        closes=True,
    ),
    "until the end": body(OK + b"\r\nfine", closes=True),
    "until the end, with another answer": body(OK + b"\r\nfine" + NO, closes=True),
    "chunks of one byte": body(chunked(*(bytes((byte,)) for byte in b"fine"))),
    "chunk sizes with zeros and extensions": body(CHUNKS + b'0004;a="b"\r\nfine\r\n000\r\n\r\n'),
    "a blank after a chunk's size": body(CHUNKS + b"4 \r\nfine\r\n0 ; a\r\n\r\n", peer=False),
    "trailers": body(CHUNKS + b"4\r\nfine\r\n0\r\nX-Sum: 1\r\n folded\r\n\r\n" + NO),
    "broken trailers": body(CHUNKS + b"4\r\nfine\r\n0\r\nwhat\r\n\r\n", Reason.PROTOCOL),
    "a chunk without a size": body(CHUNKS + b"\r\nfine\r\n0\r\n\r\n", Reason.PROTOCOL),
    "a negative chunk": body(CHUNKS + b"-4\r\nfine\r\n0\r\n\r\n", Reason.PROTOCOL),
    "a chunk of 17 digits": body(CHUNKS + b"00000000000000004\r\nfine\r\n0\r\n\r\n", Reason.PROTOCOL),
    "a chunk larger than memory": body(
        CHUNKS + b"ffffffffffffffff\r\nfine", Reason.SIZE, peer=False, closes=True
    ),
    "a chunk longer than it says": body(CHUNKS + b"4\r\nfineX\r\n0\r\n\r\n", Reason.PROTOCOL),
    # Interim responses (RFC 9110 section 15.2).
    "continue, then the answer": body(CONTINUE + FINE),
    "five interim answers": body(CONTINUE * 5 + FINE),
    "ten interim answers": body(CONTINUE * 10 + FINE, peer=False),
    "eleven interim answers": Row(CONTINUE * 11 + FINE, Reason.PROTOCOL),
    "an interim answer alone": Row(CONTINUE, Reason.DISCONNECT, closes=True),
    "switching protocols": Row(
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Reason.PROTOCOL, closes=True
    ),
    # Repeated fields.
    "a condition on the second cookie": Row(
        OK + b"Set-Cookie: first=1\r\nSet-Cookie: second=2\r\nContent-Length: 0\r\n\r\n",
        spec={"header_conditions": (HeaderCondition("Set-Cookie", "^second="),)},
        module="cookie",
    ),
}


@pytest.fixture(scope="module")
def blackbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blackbox]:
    with Blackbox(tmp_path_factory.mktemp("blackbox")) as program:
        yield program


def server_of(row: Row) -> Server:
    return Server(says_and_closes(row.said) if row.closes else says(row.said))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_directly_and_through_a_proxy(row: Row, prober: Prober) -> None:
    with server_of(row) as server, Server(Proxy()) as proxy:
        direct = prober.run(HttpSpec(server.url(), **row.spec))
        proxied = prober.run(HttpSpec(server.url(), proxy=proxy.url(""), **row.spec))
    assert direct.reason is row.reason, direct
    assert (proxied.reason, proxied.detail) == (direct.reason, direct.detail)
    ours = {key: value for key, value in direct.facts.items() if key not in ("ip_addr", "ip_protocol")}
    assert ours.items() <= proxied.facts.items()


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_as_blackbox_exporter(row: Row, blackbox: Blackbox) -> None:
    expected = row.reason is Reason.OK if row.peer is None else row.peer
    with server_of(row) as server:
        assert blackbox.probe(server.url(), row.module)["probe_success"] == expected


def verdict(pieces: Sequence[bytes], method: str = "GET", *, closes: bool = True) -> tuple[object, ...]:
    """Return the reader's result for a response in these pieces."""

    async def read() -> tuple[object, ...]:
        protocol = AnswerProtocol(Run(0), method, 10_000, keep=True)
        done = protocol.ask(Wire(), b"")
        for piece in pieces:
            protocol.data_received(piece)
            await asyncio.sleep(0)
        if closes:
            protocol.eof_received()
            protocol.connection_lost(None)
        answer = protocol.answer
        try:
            async with asyncio.timeout(0 if done.done() else 1):
                await done
        except ProbeFailure as failure:
            return failure.reason, answer.status
        return answer.status, answer.version, answer.headers, answer.content_length, answer.body

    return asyncio.run(read())


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_in_pieces_of_one_byte(row: Row) -> None:
    method = cast("str", row.spec.get("method", "GET"))
    whole = verdict([row.said], method)
    assert verdict([row.said[i : i + 1] for i in range(len(row.said))], method) == whole
    assert verdict([row.said[i : i + 7] for i in range(0, len(row.said), 7)], method) == whole


PARTS = st.sampled_from(
    [
        *(OK, b"HTTP/1.0 200 OK\n", b"HTTP/1.1 500 No\r\n", b"HTTP/1.1 204 X\r\n", b"HTTP/1.1 103 Hints\r\n"),
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b":",
            b"\0",
            b"0",
            b"4",
            b"a",
            b";x",
            b"fine",
            b"0\r\n\r\n",
            b"4\r\nfine\r\n",
        ),
        *(
            b"Content-Length: 4\r\n",
            b"Content-Length: 0\n",
            b"Transfer-Encoding: chunked\r\n",
            b"X-Y: z\r\n",
            b" folded\r\n",
        ),
        *(b"Content-Encoding: gzip\r\n", b"Connection: close\r\n", b"\xff\xfe"),
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PARTS, max_size=14), st.lists(st.integers(0, 200), max_size=6))
def test_the_same_bytes_have_the_same_verdict(parts: list[bytes], cuts: list[int]) -> None:
    """Check that any bytes, in any pieces, give a response or a failure with a reason."""
    data = b"".join(parts)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    whole = verdict([data])
    assert verdict(pieces) == whole
    assert verdict([data[i : i + 1] for i in range(len(data))]) == whole
    assert whole[0] is not Reason.INTERNAL
