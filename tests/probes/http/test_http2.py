"""HTTP/2: negotiated by ALPN or known in advance, read within limits, and judged like HTTP/1."""

from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.catalog.planning.specs import BasicAuth, Condition, HeaderCondition, HttpSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.http2 import Http2Answer
from exporter.probes.http.request import make_request, parse_url
from exporter.probes.measure import Run
from tests.probes.http.http2_servers import SETTINGS, data, goaway, head, only_h2, sends, serves
from tests.probes.http.proxy_servers import Proxy
from tests.probes.servers import Script, Server, answer, answers, redirect, says, silence
from tests.probes.wires import Wire

if TYPE_CHECKING:
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober

PLAIN: dict[str, Any] = {"http2_prior_knowledge": True}
FINE = serves(lambda _: ([(":status", "200"), ("content-length", "4"), ("x-key", "v")], b"fine"))
LARGE = b"x" * 3_000_000


@pytest.fixture
def trusted(authority: Authority) -> TlsSpec:
    return TlsSpec(ca_file=str(authority.ca_file))


@pytest.mark.parametrize("versions", [(), ("2",), ("1.1", "2")])
def test_server_that_speaks_it_alone(
    versions: tuple[str, ...], prober: Prober, certificate: Certificate, trusted: TlsSpec
) -> None:
    with Server(FINE, tls=only_h2(certificate)) as server:
        spec = HttpSpec(
            server.url("/a?b=c"),
            versions=versions,
            tls=trusted,
            header_conditions=(HeaderCondition("X-Key", "^v$"),),
            body_conditions=(Condition("^fine$"),),
        )
        result = prober.run(spec)
    assert result.success, result
    assert set(result.phases) == {"connect", "tls", "processing", "transfer"}
    assert result.facts["version"] == 2.0
    assert (result.facts["status_code"], result.facts["content_length"], result.facts["body_bytes"]) == (
        200,
        4,
        4,
    )
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/a?b=c")
    fields = dict(request.headers)
    assert fields[":authority"] == f"127.0.0.1:{server.port}"
    assert fields[":scheme"] == "https"
    assert not {"host", "connection"} & set(fields)


def test_server_that_does_not_speak_it(prober: Prober, certificate: Certificate, trusted: TlsSpec) -> None:
    with Server(answers(lambda _: answer(b"fine")), tls=certificate.server_context()) as server:
        either = prober.run(HttpSpec(server.url(), tls=trusted))
        alone = prober.run(HttpSpec(server.url(), versions=("2",), tls=trusted))
    assert either.success, either
    assert either.facts["version"] == 1.1
    assert alone.reason is Reason.VERSION
    assert alone.detail == "HTTP version 1.1, expected 2"


def test_not_offered_where_the_catalog_wants_another(
    prober: Prober, certificate: Certificate, trusted: TlsSpec
) -> None:
    context = certificate.server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Server(answers(lambda _: answer(b"fine")), tls=context) as server:
        result = prober.run(HttpSpec(server.url(), versions=("1.0", "1.1"), tls=trusted))
    assert result.success, result


def test_blanks_around_a_value(prober: Prober) -> None:
    script = sends(SETTINGS, head(b"\x88" + LITERAL + b"\x04 b \t", "END_HEADERS", "END_STREAM"))
    with Server(script) as server:
        result = prober.run(HttpSpec(server.url(), header_conditions=(HeaderCondition("a", "^b$"),), **PLAIN))
    assert result.success, result


def test_prior_knowledge(prober: Prober) -> None:
    with Server(FINE) as server, Server(Proxy()) as proxy:
        result = prober.run(HttpSpec(server.url(), versions=("2",), **PLAIN))
        proxied = prober.run(HttpSpec(server.url(), proxy=proxy.url(""), **PLAIN))
        unknown = prober.run(HttpSpec(server.url()))
    assert result.success, result
    assert proxied.success, proxied
    assert result.facts["version"] == proxied.facts["version"] == 2.0
    assert unknown.reason is Reason.PROTOCOL
    assert "http2_prior_knowledge" in unknown.detail


def test_through_a_proxy(prober: Prober, certificate: Certificate, trusted: TlsSpec) -> None:
    with Server(FINE, tls=only_h2(certificate)) as server, Server(Proxy()) as proxy:
        result = prober.run(HttpSpec(server.url(), proxy=proxy.url(""), tls=trusted))
    assert result.success, result
    assert result.facts["version"] == 2.0


def test_after_a_redirect(
    prober: Prober, certificate: Certificate, trusted: TlsSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_PASSWORD", "p")
    auth = BasicAuth("u", SecretText((EnvironmentReference("TEST_PASSWORD"),)))
    with (
        Server(FINE, tls=only_h2(certificate)) as last,
        Server(answers(lambda _: redirect(last.url("/new")))) as first,
    ):
        result = prober.run(HttpSpec(first.url(), versions=("2",), tls=trusted, basic_auth=auth))
    assert result.success, result
    assert dict(last.requests[0].headers)["authorization"] == "Basic dTpw"


@pytest.mark.parametrize("size", [3, 70_000, 1_000_000])
def test_body_of_the_request(size: int, prober: Prober) -> None:
    """Check a body that does not fit into the server's window at once, too."""
    script = serves(lambda request: ([(":status", "200")], b"%d" % len(request.body)))
    with Server(script) as server:
        wanted = (Condition(f"^{size}$"),)
        result = prober.run(
            HttpSpec(server.url(), method="POST", body="x" * size, body_conditions=wanted, **PLAIN)
        )
    assert result.success, result
    assert dict(server.requests[0].headers)["content-length"] == str(size)


@pytest.mark.parametrize(
    ("fields", "body", "spec", "reason"),
    [
        ([], LARGE, {"body_conditions": (Condition("^x{1000}"),)}, Reason.OK),
        ([], LARGE, {"max_body_bytes": len(LARGE) - 1}, Reason.SIZE),
        ([("content-length", str(len(LARGE)))], LARGE, {"max_body_bytes": 1000}, Reason.SIZE),
        ([("content-encoding", "gzip")], gzip.compress(LARGE), {"max_body_bytes": 1_000_000}, Reason.SIZE),
        ([("content-encoding", "gzip")], b"plain", {}, Reason.ENCODING),
        ([("content-length", "5")], b"fine", {}, Reason.PROTOCOL),
        ([("content-length", "four")], b"fine", {}, Reason.PROTOCOL),
        ([], b"fine", {"statuses": ((404, 404),)}, Reason.STATUS),
        ([], b"fine", {"body_conditions": (Condition("bad"),)}, Reason.BODY),
    ],
)
def test_judged_as_http1_is(
    fields: list[tuple[str, str]], body: bytes, spec: dict[str, Any], reason: Reason, prober: Prober
) -> None:
    def script(connection: Any) -> None:
        serves(lambda _: ([(":status", "200"), *fields], body))(connection)

    with Server(script) as server:
        result = prober.run(HttpSpec(server.url(), **PLAIN, **spec))
    assert result.reason is reason, result


def test_head(prober: Prober) -> None:
    script = serves(lambda _: ([(":status", "200"), ("content-length", "99999999")], b""))
    with Server(script) as server:
        result = prober.run(HttpSpec(server.url(), method="HEAD", **PLAIN))
    assert result.success, result
    assert result.facts["content_length"] == 99999999


@dataclass
class Row:
    """The bytes of a server, and the expected result."""

    script: Script
    reason: Reason
    detail: str
    spec: dict[str, Any] = field(default_factory=dict)


LITERAL = b"\x00\x01a"
"""HPACK: a field `a` that is not added to a table; its value follows."""
HUGE = LITERAL + b"\x7f\xe1\xff\x03" + b"x" * 16377
"""The start of a value of 65,632 bytes."""
BOMB = b"\x40\x01a\x7f\xd1\x0f" + b"x" * 2128 + b"\xbe" * 14000
"""A field of 2 kB in the table, and 14,000 references to it: 28 MB of fields."""

ROWS = {
    "silent": Row(silence, Reason.TIMEOUT, "waiting for the answer"),
    "settings alone": Row(sends(SETTINGS), Reason.TIMEOUT, "timed out"),
    "head alone": Row(sends(SETTINGS, head()), Reason.TIMEOUT, "reading the body"),
    "closes": Row(sends(SETTINGS, closes=True), Reason.DISCONNECT, "closed within the headers"),
    "closes in the body": Row(
        sends(SETTINGS, head(), data(b"abc"), closes=True), Reason.DISCONNECT, "after 3 bytes"
    ),
    "resets": Row(
        sends(SETTINGS, RstStreamFrame(1, error_code=7)), Reason.DISCONNECT, "reset.*REFUSED_STREAM"
    ),
    "resets with an unknown code": Row(
        sends(SETTINGS, RstStreamFrame(1, error_code=99)), Reason.DISCONNECT, "error 99"
    ),
    "goes away": Row(sends(SETTINGS, goaway(0)), Reason.DISCONNECT, "ended the connection: NO_ERROR"),
    "goes away in anger": Row(sends(SETTINGS, goaway(1, 11)), Reason.DISCONNECT, "ENHANCE_YOUR_CALM"),
    "goes away, then answers": Row(
        sends(SETTINGS, goaway(1), head(), data(b"fine", "END_STREAM")), Reason.OK, ""
    ),
    "answers, then floods": Row(
        sends(SETTINGS, head(), data(b"fine", "END_STREAM"), again=[data(b"x" * 1000)]), Reason.OK, ""
    ),
    "HTTP/1": Row(says(answer(b"fine")), Reason.PROTOCOL, "answers in HTTP/1"),
    "garbage": Row(sends(b"\xff" * 100), Reason.PROTOCOL, "not valid HTTP/2"),
    "a frame that is too large": Row(
        sends(SETTINGS, b"\0\x40\x01\0\0\0\0\0\1"), Reason.PROTOCOL, "not valid HTTP/2"
    ),
    "data before the head": Row(sends(SETTINGS, data(b"fine")), Reason.PROTOCOL, "not valid HTTP/2"),
    "a push": Row(
        sends(SETTINGS, PushPromiseFrame(1, 2, b"\x82", flags=["END_HEADERS"])),
        Reason.PROTOCOL,
        "not valid HTTP/2",
    ),
    "broken HPACK": Row(
        sends(SETTINGS, head(b"\xff\xff\xff\xff\xff\xff\xff")), Reason.PROTOCOL, "not valid HTTP/2"
    ),
    "no status": Row(sends(SETTINGS, head(LITERAL + b"\x01b")), Reason.PROTOCOL, "not valid HTTP/2"),
    "a status that is not the first": Row(
        sends(SETTINGS, head(LITERAL + b"\x01b\x88")), Reason.PROTOCOL, "not valid HTTP/2"
    ),
    "two statuses": Row(sends(SETTINGS, head(b"\x88\x88")), Reason.PROTOCOL, "header ':status: 200'"),
    "a name in capitals": Row(sends(SETTINGS, head(b"\x88\x00\x01A\x01b")), Reason.PROTOCOL, "header 'A: b'"),
    "a line break in a value": Row(
        sends(SETTINGS, head(b"\x88" + LITERAL + b"\x03b\r\n")), Reason.PROTOCOL, "not valid HTTP/2"
    ),
    "a header of the connection": Row(
        sends(SETTINGS, head(b"\x88\x00\x07upgrade\x02h2")), Reason.PROTOCOL, "header 'upgrade: h2'"
    ),
    "a status of text": Row(sends(SETTINGS, head(b"\x08\x03abc")), Reason.PROTOCOL, "not valid HTTP/2"),
    "interim answers for ever": Row(
        sends(SETTINGS, again=[head(b"\x08\x03103")] * 50), Reason.PROTOCOL, "more than 10 interim"
    ),
    "one header that is too large": Row(
        sends(
            SETTINGS,
            head(HUGE, "END_STREAM"),
            *[ContinuationFrame(1, b"x" * 16384)] * 4,
            ContinuationFrame(1, b"", flags=["END_HEADERS"]),
        ),
        Reason.PROTOCOL,
        "not valid HTTP/2",
    ),
    "a bomb of HPACK": Row(sends(SETTINGS, head(b"\x88" + BOMB)), Reason.PROTOCOL, "not valid HTTP/2"),
    "continuations for ever": Row(
        sends(SETTINGS, head(b"\x88", "END_STREAM"), again=[ContinuationFrame(1, b"")] * 50),
        Reason.PROTOCOL,
        "not valid HTTP/2",
    ),
    "pings for ever": Row(
        sends(SETTINGS, again=[PingFrame(0)] * 50), Reason.PROTOCOL, "more than 1000 frames"
    ),
    "settings for ever": Row(
        sends(SETTINGS, again=[SettingsFrame(0, {3: 100})] * 50), Reason.PROTOCOL, "more than 1000 frames"
    ),
    "windows for ever": Row(
        sends(SETTINGS, again=[WindowUpdateFrame(0, window_increment=1)] * 50),
        Reason.PROTOCOL,
        "more than 1000 frames",
    ),
    "unknown frames for ever": Row(
        sends(SETTINGS, again=[b"\0\0\1\xee\0\0\0\0\0x"] * 50), Reason.PROTOCOL, "more than 1000 frames"
    ),
    "empty data for ever": Row(
        sends(SETTINGS, head(), again=[data(b"")] * 50), Reason.PROTOCOL, "more than 1000 frames"
    ),
    "data beyond its window": Row(
        sends(SETTINGS, head(), again=[data(b"x" * 16384)] * 10), Reason.SIZE, "larger than 10485760", {}
    ),
    "data of one byte for ever": Row(
        sends(SETTINGS, head(), again=[data(b"x")] * 1000),
        Reason.SIZE,
        "larger than 1000",
        {"max_body_bytes": 1000},
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_fault(row: Row, prober: Prober) -> None:
    with Server(row.script) as server:
        result = prober.run(
            HttpSpec(server.url(), **PLAIN, **row.spec), 0.4 if row.reason is Reason.TIMEOUT else 5
        )
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail


FRAMES = st.sampled_from(
    [
        *(SETTINGS, head().serialize(), head(b"\x88", "END_HEADERS", "END_STREAM").serialize()),
        *(
            head(b"\x08\x03103").serialize(),
            head(b"\x88", "END_STREAM").serialize(),
            data(b"fine").serialize(),
        ),
        *(
            data(b"x", "END_STREAM").serialize(),
            data(b"").serialize(),
            ContinuationFrame(1, b"\x88").serialize(),
        ),
        *(ContinuationFrame(1, b"", flags=["END_HEADERS"]).serialize(), PingFrame(0).serialize()),
        *(RstStreamFrame(1, error_code=0).serialize(), goaway(1).serialize(), goaway(0, 2).serialize()),
        *(
            WindowUpdateFrame(1, window_increment=2**31 - 1).serialize(),
            SettingsFrame(0, {4: 2**31 - 1}).serialize(),
        ),
        *(b"\0\0\5\1\x28\0\0\0\1\xff\0\0\0\1", b"\0\0\1\0\x08\0\0\0\1\xff", b"\0\0\4\3\0\0\0\0\3abcd"),
        *(b"\0\0\3\4\0\0\0\0\0abc", b"\0\0\0\1\4\0\0\0\0", b"\0\0\1\7\0\0\0\0\0x", b"\0\0\0", b"x" * 30),
    ]
)


def verdict(pieces: list[bytes]) -> tuple[object, ...]:
    """Return the reader's result for an answer in these pieces, after which the connection is closed."""

    async def read() -> tuple[object, ...]:
        request = make_request(HttpSpec("http://web.test/"), parse_url("http://web.test/"), "GET", str)
        conversation = Http2Answer(Run(0), request, 10_000, keep=True)
        done = conversation.ask(Wire(), b"")
        for piece in pieces:
            conversation.data_received(piece)
            await asyncio.sleep(0)
        conversation.connection_lost(None)
        try:
            async with asyncio.timeout(1):
                await done
        except ProbeFailure as failure:
            return (failure.reason,)
        answer = conversation.answer
        return answer.status, answer.headers, answer.body

    return asyncio.run(read())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAMES, max_size=12))
def test_the_same_bytes_have_the_same_verdict(frames: list[bytes]) -> None:
    """Check that any bytes, in any pieces, give a response or a failure with a reason."""
    sent = b"".join(frames)
    whole = verdict([sent])
    assert verdict([sent[i : i + 1] for i in range(len(sent))]) == whole
    assert verdict([sent[i : i + 13] for i in range(0, len(sent), 13)]) == whole
