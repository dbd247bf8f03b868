"""HTTP probes through a proxy: the same results as without one, and faults of the proxy itself."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import re
import socket
import subprocess
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import BasicAuth, Condition, HeaderCondition, HttpSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net import resolve
from tests.components import require
from tests.probes.http.proxy_servers import Proxy, socks
from tests.probes.net.name_server import NameServer
from tests.probes.prober import until
from tests.probes.servers import (
    Script,
    Server,
    answer,
    answers,
    chunked,
    hang_up,
    pours,
    redirect,
    says,
    says_and_closes,
    says_and_resets,
    silence,
)

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober

DEADLINE = 0.5
HELLO = answers(lambda _: answer(b"hello", "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT"))
FORWARDED = {"connect", "processing", "transfer"}
TUNNELLED = FORWARDED | {"tls"}


@pytest.fixture
def trusted(authority: Authority) -> TlsSpec:
    return TlsSpec(ca_file=str(authority.ca_file))


def through(
    prober: Prober, proxy: Script, server: Server, seconds: float = 5, path: str = "/", **fields: Any
) -> ProbeResult:
    with Server(proxy) as front:
        return prober.run(HttpSpec(server.url(path), proxy=front.url(""), **fields), seconds)


def test_forwarded(prober: Prober) -> None:
    proxy = Proxy()
    with Server(HELLO) as server:
        result = through(prober, proxy, server, path="/a?b=c", headers=(("X-Own", "1"),))
    assert result.success, result
    assert set(result.phases) == FORWARDED
    assert result.facts == {
        "ip_protocol": 4,
        "ip_addr": "127.0.0.1",
        "ssl": 0,
        "status_code": 200,
        "version": 1.1,
        "redirects": 0,
        "content_length": 5,
        "body_bytes": 5,
        "last_modified": 784903526.0,
        "failed_due_to_regex": 0,
    }
    [asked] = proxy.seen
    assert asked.path == server.url("/a?b=c")
    assert asked.header("x-own") == "1"
    assert asked.header("connection") == "close"
    assert asked.header("host") == f"127.0.0.1:{server.port}"


def test_tunnelled(prober: Prober, certificate: Certificate, trusted: TlsSpec) -> None:
    proxy = Proxy()
    with Server(HELLO, tls=certificate.server_context()) as server:
        result = through(prober, proxy, server, tls=trusted)
    assert result.success, result
    assert set(result.phases) == TUNNELLED
    assert result.facts["ssl"] == 1
    assert result.facts["tls_version"] == "TLS 1.3"
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert [(seen.method, seen.path) for seen in proxy.seen] == [("CONNECT", f"127.0.0.1:{server.port}")]


def test_tls_to_the_proxy_too(prober: Prober, authority: Authority, trusted: TlsSpec) -> None:
    """Use TLS within TLS; the facts must be those of the server, not of the proxy."""
    inner, outer = authority.issue("inner.test"), authority.issue("127.0.0.1", expired=False)
    own = TlsSpec(ca_file=trusted.ca_file, server_name="inner.test")
    with (
        Server(HELLO, tls=inner.server_context()) as server,
        Server(Proxy(), tls=outer.server_context()) as front,
    ):
        result = prober.run(HttpSpec(server.url(), proxy=front.url(""), tls=own))
        assert result.success, result
        assert result.facts["certificate_expiry"] == inner.not_after
        distrusted = prober.run(HttpSpec(server.url(), proxy=front.url("")))
    assert distrusted.reason is Reason.CONNECT
    assert distrusted.detail.startswith("the proxy: certificate of 127.0.0.1:")


def test_expired_certificate_behind_a_proxy(prober: Prober, authority: Authority, trusted: TlsSpec) -> None:
    expired = authority.issue("127.0.0.1", expired=True)
    proxy = Proxy()
    with Server(HELLO, tls=expired.server_context()) as server:
        result = through(prober, proxy, server, tls=trusted)
        unverified = through(prober, Proxy(), server, tls=TlsSpec(verify=False))
    assert result.reason is Reason.CERTIFICATE
    assert result.facts["certificate_expiry"] == expired.not_after
    assert len(proxy.seen) == 2
    assert unverified.success, unverified


def test_certificate_of_another_name(prober: Prober, authority: Authority, trusted: TlsSpec) -> None:
    other = authority.issue("other.test")
    with Server(HELLO, tls=other.server_context()) as server:
        wrong = through(prober, Proxy(), server, tls=trusted)
        right = through(
            prober, Proxy(), server, tls=TlsSpec(ca_file=trusted.ca_file, server_name="other.test")
        )
    assert wrong.reason is Reason.CERTIFICATE
    assert wrong.facts["certificate_expiry"] == other.not_after
    assert right.success, right


def test_a_real_proxy(
    prober: Prober, authority: Authority, certificate: Certificate, trusted: TlsSpec, tmp_path: Path
) -> None:
    """Use tinyproxy, which forwards, tunnels, shows an expired certificate, and refuses unknown clients."""
    program = require("tinyproxy")
    with Server(silence) as gone:
        port = gone.port
    settings = tmp_path / "tinyproxy.conf"
    settings.write_text(
        f"Port {port}\nListen 127.0.0.1\nMaxClients 20\nAllow 127.0.0.1\nBasicAuth me s3cret\n"
    )
    expired = authority.issue("127.0.0.1", expired=True)
    with (
        subprocess.Popen(
            [program, "-d", "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as proxy,
        Server(HELLO) as plain,
        Server(HELLO, tls=certificate.server_context()) as good,
        Server(HELLO, tls=expired.server_context()) as bad,
    ):
        try:
            wait_for(port)
            ours, nobodys = f"http://me:s3cret@127.0.0.1:{port}", f"http://127.0.0.1:{port}"
            forwarded = prober.run(HttpSpec(plain.url(), proxy=ours))
            tunnelled = prober.run(HttpSpec(good.url(), proxy=ours, tls=trusted))
            distrusted = prober.run(HttpSpec(bad.url(), proxy=ours, tls=trusted))
            refused = [prober.run(HttpSpec(server.url(), proxy=nobodys)) for server in (plain, good)]
        finally:
            proxy.terminate()
    assert forwarded.success, forwarded
    assert tunnelled.success, tunnelled
    assert distrusted.reason is Reason.CERTIFICATE
    assert distrusted.facts["certificate_expiry"] == expired.not_after
    assert [(result.reason, "407" in result.detail) for result in refused] == [(Reason.CONNECT, True)] * 2


def wait_for(port: int) -> None:
    """Wait until a program that was just started listens."""

    def connected() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    asyncio.run(until(connected, f"nothing listens on port {port}"))


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize("secure", [False, True])
def test_credentials_of_the_proxy(
    prober: Prober,
    certificate: Certificate,
    trusted: TlsSpec,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    secure: bool,
) -> None:
    """Check that they are read for each run, sent only to the proxy, and never part of a message or log."""
    caplog.set_level(logging.DEBUG)
    proxy = Proxy(authorization=basic("me:s3cret"))
    with (
        Server(HELLO, tls=certificate.server_context() if secure else None) as server,
        Server(proxy) as front,
    ):
        url = SecretText(("http://me:", EnvironmentReference("TEST_PROXY"), f"@127.0.0.1:{front.port}"))
        spec = HttpSpec(server.url(), proxy=url, tls=trusted)
        monkeypatch.setenv("TEST_PROXY", "s3cret")
        right = prober.run(spec)
        monkeypatch.setenv("TEST_PROXY", "wr0ng")
        wrong = prober.run(spec)
        monkeypatch.setenv("TEST_PROXY", "x@:y:z/")
        broken = prober.run(spec)
        monkeypatch.delenv("TEST_PROXY")
        unset = prober.run(spec)
    assert right.success, right
    assert all(request.header("proxy-authorization") is None for request in server.requests)
    assert wrong.reason is Reason.CONNECT
    assert "407" in wrong.detail
    assert broken.reason in (Reason.SECRET, Reason.CONNECT, Reason.RESOLVE)
    assert unset.reason is Reason.SECRET
    told = f"{wrong.detail} {broken.detail} {caplog.text}"
    for secret in ("s3cret", "wr0ng", "x@:y", *map(basic, ("me:s3cret", "me:wr0ng"))):
        assert secret not in told


@pytest.mark.parametrize("secure", [False, True])
def test_socks(
    prober: Prober, certificate: Certificate, trusted: TlsSpec, caplog: pytest.LogCaptureFixture, secure: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        Server(HELLO, tls=certificate.server_context() if secure else None) as server,
        Server(partial(socks, b"me", b"s3cret")) as front,
    ):
        proxy = f"socks5://me:s3cret@127.0.0.1:{front.port}"
        right = prober.run(HttpSpec(server.url(), proxy=proxy, tls=trusted))
        wrong = prober.run(HttpSpec(server.url(), proxy=proxy.replace("s3cret", "wr0ng"), tls=trusted))
    assert right.success, right
    assert set(right.phases) == (TUNNELLED if secure else FORWARDED)
    assert wrong.reason is Reason.CONNECT, wrong
    assert not re.search("s3cret|wr0ng", wrong.detail + caplog.text)


def test_redirects_as_on_the_straight_way(
    prober: Prober, certificate: Certificate, trusted: TlsSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redirect from http to https: phases are added up, and credentials are kept because the host is the same."""
    monkeypatch.setenv("TEST_PASSWORD", "p")
    auth = BasicAuth("u", SecretText((EnvironmentReference("TEST_PASSWORD"),)))
    proxy = Proxy()
    with Server(HELLO, tls=certificate.server_context()) as last:
        with Server(answers(lambda _: redirect(last.url("/new")))) as first:
            result = through(prober, proxy, first, basic_auth=auth, tls=trusted)
        assert result.success, result
        assert result.facts["redirects"] == 1
        assert set(result.phases) == TUNNELLED
        assert proxy.seen[0].header("authorization") == basic("u:p")
        assert last.requests[0].path == "/new"
        assert last.requests[0].header("authorization") == basic("u:p")
    with Server(answers(lambda _: redirect("/"))) as loop:
        assert through(prober, Proxy(), loop).reason is Reason.REDIRECT


@dataclass
class Row:
    """A server behind the proxy, the request, and the expected result."""

    script: Script
    reason: Reason
    detail: str
    spec: dict[str, Any] = field(default_factory=dict)


GZIP = "Content-Encoding: gzip"
SERVERS = {
    "gzip": Row(
        answers(lambda _: answer(gzip.compress(b"hello"), GZIP)),
        Reason.OK,
        "",
        {"body_conditions": (Condition("^hello$"),)},
    ),
    "HEAD": Row(
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"), Reason.OK, "", {"method": "HEAD"}
    ),
    "POST": Row(
        answers(lambda r: answer(r.body)),
        Reason.OK,
        "",
        {"method": "POST", "body": "abc", "body_conditions": (Condition("^abc$"),)},
    ),
    "chunked": Row(
        answers(lambda _: chunked(b"he", b"llo")), Reason.OK, "", {"body_conditions": (Condition("^hello$"),)}
    ),
    "status": Row(answers(lambda _: answer(status="503 No")), Reason.STATUS, "status 503"),
    "header": Row(
        HELLO, Reason.HEADER, "x-none is missing", {"header_conditions": (HeaderCondition("X-None", "."),)}
    ),
    "body": Row(HELLO, Reason.BODY, "does not match", {"body_conditions": (Condition("bye"),)}),
    "too large, as it says": Row(HELLO, Reason.SIZE, "larger than 4", {"max_body_bytes": 4}),
    "too large, as it comes": Row(
        pours(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        Reason.SIZE,
        "larger than",
        {"max_body_bytes": 1 << 20},
    ),
    "gzip bomb": Row(
        answers(lambda _: answer(gzip.compress(bytes(1 << 24)), GZIP)),
        Reason.SIZE,
        "when decompressed",
        {"max_body_bytes": 1 << 20},
    ),
    "not gzip": Row(answers(lambda _: answer(b"hello", GZIP)), Reason.ENCODING, "not valid gzip"),
    "silent": Row(silence, Reason.TIMEOUT, "waiting for the answer .127.0.0.1 port .* through the proxy"),
    "hangs up": Row(hang_up, Reason.DISCONNECT, "closed before any answer"),
    "half a header": Row(
        says_and_closes(b"HTTP/1.1 200 OK\r\nX"), Reason.DISCONNECT, "closed within the headers"
    ),
    "half a body": Row(
        says_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        Reason.DISCONNECT,
        "after 3 of 9 bytes",
    ),
    "body without end": Row(
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), Reason.TIMEOUT, "reading the body"
    ),
    "reset": Row(
        says_and_resets(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        Reason.DISCONNECT,
        "connection (reset|closed)",
    ),
    "garbage": Row(says(b"\0\1\2 what\r\n\r\n"), Reason.PROTOCOL, "not valid HTTP"),
    "broken chunks": Row(
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Reason.PROTOCOL,
        "not valid HTTP",
    ),
    "headers without end": Row(
        pours(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 4000 + b"\r\n"), Reason.PROTOCOL, "headers are larger"
    ),
}


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("row", SERVERS.values(), ids=SERVERS)
def test_servers(prober: Prober, certificate: Certificate, trusted: TlsSpec, row: Row, secure: bool) -> None:
    seconds = DEADLINE if row.reason is Reason.TIMEOUT else 5
    with Server(row.script, tls=certificate.server_context() if secure else None) as server:
        result = through(prober, Proxy(), server, seconds, tls=trusted, **row.spec)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail


PROXIES = {
    "silent": Row(silence, Reason.TIMEOUT, "connecting .proxy 127.0.0.1 port"),
    "refuses": Row(
        Proxy(refusal=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        Reason.CONNECT,
        "refused a tunnel to 127.0.0.1:.*: 502 'Bad Gateway'",
    ),
    "wants credentials": Row(
        Proxy(authorization="Basic x"), Reason.CONNECT, "refused a tunnel .*: 407 'Proxy"
    ),
    "closes": Row(hang_up, Reason.DISCONNECT, "before the answer was complete"),
    "garbage": Row(says(b"SSH-2.0-OpenSSH\r\n\r\n"), Reason.PROTOCOL, "not valid HTTP"),
}


@pytest.mark.parametrize("row", PROXIES.values(), ids=PROXIES)
def test_proxies(prober: Prober, certificate: Certificate, trusted: TlsSpec, row: Row) -> None:
    with Server(HELLO, tls=certificate.server_context()) as server:
        result = through(prober, row.script, server, DEADLINE, tls=trusted)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail


def test_what_a_proxy_says_before_tls_is_not_taken_for_the_server(
    prober: Prober, certificate: Certificate, trusted: TlsSpec
) -> None:
    """Check CVE-2011-0411: plain text directly after the proxy's reply, in the same packet."""
    proxy = Proxy(extra=answer(b"forged"))
    with Server(HELLO, tls=certificate.server_context()) as server:
        result = through(prober, proxy, server, tls=trusted, body_conditions=(Condition("^hello$"),))
    assert result.success, result


def test_proxy_that_cannot_be_reached(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(silence) as gone:
        url = gone.url("")
    refused = prober.run(HttpSpec("http://server.test/", proxy=url))
    assert refused.reason is Reason.CONNECT
    assert refused.detail == f"the proxy: cannot connect to 127.0.0.1:{gone.port}: Connection refused"
    with NameServer({}) as names:
        monkeypatch.setattr(resolve, "NAMESERVERS", [names.address])
        unknown = prober.run(HttpSpec("http://server.test/", proxy="http://none.test:3128"))
    assert unknown.reason is Reason.RESOLVE
    assert unknown.detail.startswith("the proxy: cannot resolve none.test")


@pytest.mark.parametrize("url", ["ftp://me:s3cret@h", "http://", "http://me:s3cret@h:port", "h:3128"])
def test_what_is_no_proxy_is_said_at_load(url: str) -> None:
    with pytest.raises(ValueError, match="the proxy's URL") as caught:
        compile_probe(HttpSpec("http://server.test/", proxy=url), Shared())
    assert "s3cret" not in str(caught.value)
