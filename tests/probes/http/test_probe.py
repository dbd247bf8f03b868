"""HTTP probes: the request, which responses are understood, and the reported values."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest

from exporter import __version__
from exporter.catalog.planning.specs import Condition, HttpSpec
from exporter.probes.base import Reason
from exporter.probes.http.request import parse_url
from tests.probes.servers import Script, Server, answer, answers, chunked, says, says_and_closes, trickles

if TYPE_CHECKING:
    from tests.probes.prober import Prober

FINE = answers(lambda _: answer(b"fine"))
TEXT = b"hello " * 1000
READS_TEXT = (Condition("^(hello ){1000}$"),)


def test_request(prober: Prober) -> None:
    with Server(FINE) as server:
        result = prober.run(HttpSpec(server.url("/health?deep=1")))
    assert result.success, result.detail
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/health?deep=1", b"")
    assert dict(request.headers) == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"pageforge-exporter/{__version__}",
        "accept": "*/*",
        "connection": "close",
    }


def test_result(prober: Prober) -> None:
    reply = answer(b"fine", "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT")
    with Server(answers(lambda _: reply)) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.facts == {
        "ip_protocol": 4,
        "ip_addr": "127.0.0.1",
        "ssl": 0,
        "status_code": 200,
        "version": 1.1,
        "content_length": 4,
        "body_bytes": 4,
        "last_modified": 1445412480,
        "redirects": 0,
        "failed_due_to_regex": 0,
    }
    assert set(result.phases) == {"connect", "processing", "transfer"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method_with_body(method: str, prober: Prober) -> None:
    with Server(FINE) as server:
        result = prober.run(HttpSpec(server.url(), method=method, body="gr\u00fc\u00df dich"))
    assert result.success, result.detail
    (request,) = server.requests
    assert request.method == method
    assert request.body == "gr\u00fc\u00df dich".encode()
    assert request.header("content-length") == "11"


@pytest.mark.parametrize(("method", "length"), [("POST", "0"), ("PUT", "0"), ("GET", None), ("DELETE", None)])
def test_method_without_body(method: str, length: str | None, prober: Prober) -> None:
    """Send an explicit length of 0, because servers answer 411 to a POST without it."""
    with Server(FINE) as server:
        prober.run(HttpSpec(server.url(), method=method))
    assert server.requests[0].header("content-length") == length


def test_headers_of_ones_own(prober: Prober) -> None:
    """Check that they replace the default ones in any letter case, and that none is sent twice."""
    headers = (
        ("host", "virtual.test"),
        ("user-agent", "mine"),
        ("ACCEPT", "text/html"),
        ("connection", "keep-alive"),
        ("X-Name", "gr\u00fc\u00df"),
    )
    with Server(FINE) as server:
        prober.run(HttpSpec(server.url(), headers=headers))
    (request,) = server.requests
    assert request.header("host") == "virtual.test"
    assert request.header("user-agent") == "mine"
    assert request.header("accept") == "text/html"
    assert request.header("connection") == "keep-alive"
    assert (request.header("x-name") or "").encode("latin-1").decode() == "gr\u00fc\u00df"


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("http://web.test", "web.test", 80, "/", "web.test"),
        ("http://web.test:8080/a?b=c#d", "web.test", 8080, "/a?b=c", "web.test:8080"),
        ("https://web.test:443/", "web.test", 443, "/", "web.test"),
        ("https://WEB.test:80/", "web.test", 80, "/", "web.test:80"),
        ("http://[::1]:81/", "::1", 81, "/", "[::1]:81"),
        (
            "http://b\u00fccher.test/\u00fc b?\u00fc=\u00fc",
            "xn--bcher-kva.test",
            80,
            "/%C3%BC%20b?%C3%BC=%C3%BC",
            "xn--bcher-kva.test",
        ),
        ("http://web.test/a%2Fb", "web.test", 80, "/a%2Fb", "web.test"),
    ],
)
def test_url(url: str, host: str, port: int, path: str, authority: str) -> None:
    endpoint = parse_url(url)
    assert (endpoint.host, endpoint.port, endpoint.path, endpoint.authority) == (host, port, path, authority)


def head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines]).encode() + b"\r\n\r\n"


FORMS: list[tuple[str, Script, int | None]] = [
    ("length", says(answer(TEXT)), len(TEXT)),
    ("chunks", says(chunked(TEXT[:10], TEXT[10:])), None),
    ("chunks with trailers", says(chunked(TEXT, end=b"0\r\nX-Sum: 1\r\n\r\n")), None),
    (
        "chunks with extensions",
        says(head("Transfer-Encoding: chunked") + b"1770;a=b\r\n" + TEXT + b"\r\n0\r\n\r\n"),
        None,
    ),
    ("until the end", says_and_closes(head() + TEXT), None),
    ("HTTP/1.0", says_and_closes(b"HTTP/1.0 200 OK\r\n\r\n" + TEXT), None),
    ("HTTP/1.0 with length", says_and_closes(answer(TEXT, version="1.0")), len(TEXT)),
    ("more than its length", says(answer(TEXT) + b"and more"), len(TEXT)),
    ("keep-alive", says(answer(TEXT, "Connection: keep-alive", "Keep-Alive: timeout=5")), len(TEXT)),
    ("100 before it", says(b"HTTP/1.1 100 Continue\r\n\r\n", answer(TEXT)), len(TEXT)),
    (
        "103 before it",
        says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 3\r\n\r\n" + answer(TEXT)),
        len(TEXT),
    ),
    ("in pieces", trickles(answer(b"hello " * 3), 0.001), 18),
    ("gzip", says(answer(gzip.compress(TEXT), "Content-Encoding: gzip")), len(gzip.compress(TEXT))),
    ("x-gzip", says_and_closes(head("Content-Encoding: x-gzip") + gzip.compress(TEXT)), None),
    (
        "gzip in two members",
        says_and_closes(head("Content-Encoding: GZIP") + gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:])),
        None,
    ),
    ("deflate", says_and_closes(head("Content-Encoding: deflate") + zlib.compress(TEXT)), None),
    ("bare deflate", says_and_closes(head("Content-Encoding: deflate") + zlib.compress(TEXT)[2:-4]), None),
    (
        "bare deflate in pieces",
        trickles(answer(zlib.compress(b"hello " * 3)[2:-4], "Content-Encoding: deflate"), 0.001),
        len(zlib.compress(b"hello " * 3)) - 6,
    ),
    (
        "gzip in chunks",
        says(
            chunked(*(gzip.compress(TEXT)[i : i + 1] for i in range(len(gzip.compress(TEXT))))).replace(
                b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1
            )
        ),
        None,
    ),
]


@pytest.mark.parametrize(
    ("script", "length"), [pytest.param(s, n, id=i.replace(" ", "-")) for i, s, n in FORMS]
)
def test_forms_of_answer(script: Script, length: int | None, prober: Prober) -> None:
    """Check that the body is read completely in every framing and encoding, and that conditions see its text."""
    conditions = (Condition("^(hello )+$"),)
    with Server(script) as server:
        result = prober.run(HttpSpec(server.url(), body_conditions=conditions))
    assert result.success, result.detail
    assert result.facts["status_code"] == 200
    assert result.facts.get("content_length") == length  # absent if the server did not send it
    assert result.facts["body_bytes"] in (len(TEXT), len(b"hello " * 3))


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", head("Content-Length: 1000")),
        ("HEAD", head("Transfer-Encoding: chunked", "Content-Encoding: gzip")),
        ("HEAD", head("Content-Length: 99999999999")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    ],
)
def test_answers_without_body(method: str, reply: bytes, prober: Prober) -> None:
    """Check that the probe knows that there is no body, although the server keeps the connection open."""
    with Server(says(reply)) as server:
        result = prober.run(HttpSpec(server.url(), method=method, statuses=((200, 399),)))
    assert result.success, result.detail
    assert result.facts["body_bytes"] == 0


@pytest.mark.parametrize(("version", "shown"), [("1.0", 1.0), ("1.1", 1.1)])
def test_version(version: str, shown: float, prober: Prober) -> None:
    with Server(says(answer(b"fine", version=version))) as server:
        result = prober.run(HttpSpec(server.url()))
        assert result.facts["version"] == shown
        assert prober.run(HttpSpec(server.url(), versions=(version,))).success
        result = prober.run(HttpSpec(server.url(), versions=("2",)))
    assert result.reason is Reason.VERSION
    assert result.detail.startswith(f"HTTP version {version}, expected 2; without TLS it needs http2_prior")


@pytest.mark.parametrize(
    "reply", [answer(TEXT), chunked(TEXT), answer(gzip.compress(TEXT), "Content-Encoding: gzip")]
)
def test_size_limit(reply: bytes, prober: Prober) -> None:
    """Check the limit for the body as transferred and as decompressed."""
    with Server(says(reply)) as server:
        assert prober.run(HttpSpec(server.url(), max_body_bytes=len(TEXT))).success
        result = prober.run(HttpSpec(server.url(), max_body_bytes=len(TEXT) - 1))
    assert result.reason is Reason.SIZE
    assert result.detail.startswith(f"body is larger than {len(TEXT) - 1} bytes")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1445412480),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 1445412480),
        ("Wed, 21 Oct 2015 09:28:00 +0200", 1445412480),
        ("yesterday", None),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("", None),
    ],
)
def test_last_modified(value: str, expected: int | None, prober: Prober) -> None:
    with Server(says(answer(b"fine", f"Last-Modified: {value}"))) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.success, result.detail
    assert result.facts.get("last_modified") == expected
