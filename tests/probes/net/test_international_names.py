"""International names on the wire, as sent in DNS, TLS, HTTP and gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import (
    DnsSpec,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    RedisSpec,
    TcpSpec,
    TlsSpec,
    WebSocketSpec,
)
from exporter.probes.base import Reason
from tests.probes.servers import Server, answer, answers, redirect

if TYPE_CHECKING:
    import ssl

    from exporter.catalog.planning.specs import ProbeSpec
    from tests.probes.certificates import Authority
    from tests.probes.net.name_server import NameServer
    from tests.probes.prober import Prober

FINE = answers(lambda _: answer(b"fine"))
STREET, STREET_SENT = "straße.test", "xn--strae-oqa.test"
HOST = "127.0.0.1"


def sni(context: ssl.SSLContext, asked: list[str | None]) -> ssl.SSLContext:
    context.sni_callback = lambda _object, name, _context: asked.append(name)
    return context


def test_https(prober: Prober, name_server: NameServer, authority: Authority) -> None:
    """Use a name that IDNA 2003 mapped to strasse.test, which has another owner."""
    name_server.names[STREET_SENT] = (HOST,)
    asked: list[str | None] = []
    context = sni(authority.issue(STREET_SENT).server_context(), asked)
    with Server(FINE, tls=context) as server:
        spec = HttpSpec(server.url(host=STREET), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result = prober.run(spec)
    assert result.success, result.detail
    assert asked == [STREET_SENT]
    assert server.requests[0].header("host") == f"{STREET_SENT}:{server.port}"
    assert {name for name, _ in name_server.questions} == {STREET_SENT}


def test_a_certificate_of_the_name_that_it_looks_like(
    prober: Prober, name_server: NameServer, authority: Authority
) -> None:
    name_server.names[STREET_SENT] = (HOST,)
    with Server(FINE, tls=authority.issue("strasse.test").server_context()) as server:
        spec = HttpSpec(server.url(host=STREET), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result = prober.run(spec)
    assert result.reason is Reason.CERTIFICATE
    assert STREET_SENT in result.detail


@pytest.mark.parametrize("name", ["münchen.test", "MÜNCHEN.test.", "xn--mnchen-3ya.test"])
def test_server_name(name: str, prober: Prober, authority: Authority) -> None:
    asked: list[str | None] = []
    context = sni(authority.issue("xn--mnchen-3ya.test").server_context(), asked)
    with Server(FINE, tls=context) as server:
        tls = TlsSpec(ca_file=str(authority.ca_file), server_name=name)
        result = prober.run(HttpSpec(server.url(), tls=tls))
    assert result.success, result.detail
    assert asked == ["xn--mnchen-3ya.test"]


def test_a_dot_at_the_end(prober: Prober, name_server: NameServer, authority: Authority) -> None:
    """Check that it is removed, as browsers and curl do; certificates and SNI have none."""
    name_server.names["web.test"] = (HOST,)
    with Server(FINE, tls=authority.issue("web.test").server_context()) as server:
        spec = HttpSpec(server.url(host="web.test."), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result = prober.run(spec)
    assert result.success, result.detail


def test_names_with_underscores(prober: Prober, name_server: NameServer, authority: Authority) -> None:
    name_server.names["my_service"] = (HOST,)
    with Server(FINE, tls=authority.issue("my_service").server_context()) as server:
        spec = HttpSpec(server.url(host="my_service"), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result = prober.run(spec)
    assert result.success, result.detail


def test_a_host_header(prober: Prober) -> None:
    with Server(FINE) as server:
        assert prober.run(HttpSpec(server.url(), headers=(("Host", f"{STREET}:8080"),))).success
    assert server.requests[0].header("host") == f"{STREET_SENT}:8080"


@pytest.mark.parametrize(
    "spec",
    [
        TcpSpec(STREET, 9),
        IcmpSpec(STREET),
        GrpcSpec(STREET, 9),
        RedisSpec(STREET, 9),
        WebSocketSpec(f"ws://{STREET}:9/"),
        HttpSpec("http://192.0.2.1/", proxy=f"http://{STREET}:9"),
        DnsSpec("web.test", server=f"{STREET}:9"),
    ],
    ids=lambda spec: type(spec).__name__,
)
def test_every_protocol_asks_for_the_same_name(
    spec: ProbeSpec, prober: Prober, name_server: NameServer
) -> None:
    assert prober.run(spec, 1).reason is Reason.RESOLVE
    assert {name for name, _ in name_server.questions} == {STREET_SENT}


@pytest.mark.parametrize(
    ("name", "sent"), [("_dmarc.münchen.test", "_dmarc.xn--mnchen-3ya.test"), ("my_service", "my_service")]
)
def test_dns(name: str, sent: str, prober: Prober, name_server: NameServer) -> None:
    name_server.names[sent] = (HOST,)
    result = prober.run(DnsSpec(name, server=name_server.address))
    assert result.success, result.detail
    assert [asked for asked, _ in name_server.questions] == [sent]


def test_a_redirect(prober: Prober, name_server: NameServer) -> None:
    name_server.names[STREET_SENT] = (HOST,)
    with Server(FINE) as other:
        location = f"http://{STREET}:{other.port}/".encode().decode("latin-1")
        with Server(answers(lambda _: redirect(location))) as server:
            result = prober.run(HttpSpec(server.url()))
    assert result.success, result.detail
    assert other.requests[0].header("host") == f"{STREET_SENT}:{other.port}"


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("☕.test", "IDNA 2008 does not allow U+2615 there"),
        ("a..test", "there is nothing between two dots"),
        ("a" * 64 + ".test", "63 between two dots"),
        ("ü" * 5000, "at most 253 characters"),
        ("a%00b.test", "a name holds letters"),
    ],
)
def test_a_redirect_to_no_name(host: str, why: str, prober: Prober) -> None:
    location = f"http://{host}/".encode().decode("latin-1")
    with Server(answers(lambda _: redirect(location))) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.reason is Reason.REDIRECT
    assert why in result.detail
