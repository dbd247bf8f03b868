"""TCP probes of a port, a conversation, TLS from the start, and STARTTLS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import Exchange, TcpSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, SecretText
from exporter.peer_text import SHOWN_CHARACTERS
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net import resolve
from tests.probes.net.name_server import NameServer
from tests.probes.servers import Connection, Script, Server, black_hole, silence
from tests.probes.tcp.servers import (
    EHLO,
    closes,
    converses,
    drips,
    echoes,
    pours_lines,
    smtp,
    smtp_ending,
)

if TYPE_CHECKING:
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober

DEADLINE = 0.4
BANNER = (Exchange(expect=r"^220 (\S+)"),)
HTTPS_PORT_BANNER = b"HTTP/1.1 400 Bad Request\r\n\r\n"


def tcp(server: Server, **fields: object) -> TcpSpec:
    return TcpSpec("127.0.0.1", server.port, **fields)  # type: ignore[arg-type] # rows name the fields


def test_open_port(prober: Prober) -> None:
    with Server(silence) as server:
        result = prober.run(tcp(server))
    assert result.success, result
    assert set(result.phases) == {"connect"}
    assert result.facts == {"ip_protocol": 4, "ip_addr": "127.0.0.1", "failed_due_to_regex": 0}


def test_conversation_with_groups(prober: Prober) -> None:
    """Follow blackbox_exporter's IRC example: lines that do not match are skipped, and groups are
    used in the answer."""
    exchanges = (
        Exchange(send="NICK probe"),
        Exchange(expect=r"^PING (?P<token>:\w+)", send="PONG ${1} $token $$1"),
        Exchange(expect="^:irc 001", send="QUIT"),
    )
    script = converses(
        b"NOTICE hello\r\n",
        "NICK probe\n",
        b"NOTICE wait\nPING :x1\n",
        "PONG :x1 :x1 $1\n",
        b":irc 001 hi\r\n",
        "QUIT\n",
    )
    with Server(script) as server:
        result = prober.run(tcp(server, exchanges=exchanges))
    assert result.success, result
    assert set(result.phases) == {"connect", "query"}


def test_last_line_is_sent_before_the_probe_leaves(
    prober: Prober, certificate: Certificate, authority: Authority
) -> None:
    heard: list[bytes] = []

    def script(connection: Connection) -> None:
        while data := connection.socket.recv(65536):
            heard.append(data)

    text = "x" * 60_000
    for context, tls in (
        (None, None),
        (certificate.server_context(), TlsSpec(ca_file=str(authority.ca_file))),
    ):
        heard.clear()
        with Server(script, tls=context) as server:
            result = prober.run(tcp(server, tls=tls, exchanges=(Exchange(send=text),)))
        assert result.success, result
        assert b"".join(heard) == text.encode() + b"\n"


@dataclass
class Row:
    """A server's behaviour, and the expected result."""

    script: Script
    reason: Reason
    detail: str
    failed_due_to_regex: int = 0


FAULTS = {
    "never answers": Row(silence, Reason.TIMEOUT, r"waiting for a line that matches '\^220"),
    "garbage": Row(converses(b"\0\xff\xfe\n" * 3), Reason.TIMEOUT, r"last line was '\\x00��'"),
    "other lines": Row(converses(HTTPS_PORT_BANNER), Reason.TIMEOUT, "last line was ''"),
    "closes at once": Row(closes(b""), Reason.DISCONNECT, "nothing was received", 1),
    "closes after other lines": Row(
        closes(b"hi\r\n554 no\r\n"), Reason.DISCONNECT, "last line was '554 no'", 1
    ),
    "closes within a line": Row(closes(b"22"), Reason.DISCONNECT, "last line was '22'", 1),
    "one byte at a time": Row(drips(b"220 mx.test\r\n", 0.2), Reason.TIMEOUT, "nothing|line that matches"),
    "a line without end": Row(pours_lines(b"x"), Reason.PROTOCOL, "longer than 8192 bytes"),
    "lines without end": Row(pours_lines(b"hello" * 100 + b"\r\n"), Reason.SIZE, "larger than 1048576 bytes"),
    "a long line is cut": Row(
        closes(b"y" * 500 + b"\n"), Reason.DISCONNECT, "was '" + "y" * SHOWN_CHARACTERS + "…'", 1
    ),
}


@pytest.mark.parametrize("row", FAULTS.values(), ids=FAULTS)
def test_faults(prober: Prober, row: Row) -> None:
    with Server(row.script) as server:
        result = prober.run(tcp(server, exchanges=BANNER), DEADLINE)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail
    assert result.facts["failed_due_to_regex"] == row.failed_due_to_regex


def test_refused_port(prober: Prober) -> None:
    with Server(silence) as server:
        spec = tcp(server)
    result = prober.run(spec)
    assert result.reason is Reason.CONNECT
    assert result.detail == f"cannot connect to 127.0.0.1:{spec.port}: Connection refused"


def test_port_that_neither_accepts_nor_refuses(prober: Prober) -> None:
    with black_hole("127.0.0.1") as port:
        result = prober.run(TcpSpec("127.0.0.1", port), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert "connecting" in result.detail


def test_ipv6_that_is_a_black_hole(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        Server(silence) as server,
        black_hole("::1", server.port),
        NameServer({"both.test": ("::1", "127.0.0.1")}) as ns,
    ):
        monkeypatch.setattr(resolve, "NAMESERVERS", [ns.address])
        result = prober.run(TcpSpec("both.test", server.port), 5)
        assert result.success, result
        assert result.facts["ip_protocol"] == 4
        only = prober.run(TcpSpec("both.test", server.port, ip_protocol="ip6"), DEADLINE)
        assert only.reason is Reason.TIMEOUT


def test_only_an_ipv6_address_where_ipv4_is_wanted(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    with NameServer({"six.test": ("::1",)}) as ns:
        monkeypatch.setattr(resolve, "NAMESERVERS", [ns.address])
        result = prober.run(TcpSpec("six.test", 9, ip_protocol="ip4"))
    assert result.reason is Reason.RESOLVE, result


def test_secrets_are_sent_and_never_shown(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TCP_SECRET", "pa$1ss")
    send = SecretText(("PASS ", EnvironmentReference("TEST_TCP_SECRET")))
    exchanges = (Exchange(send=send), Exchange(expect="^OK"))
    with Server(echoes) as server:
        result = prober.run(tcp(server, exchanges=exchanges))
    assert result.reason is Reason.DISCONNECT
    assert result.detail.endswith("the last line was 'PASS ***'")
    monkeypatch.delenv("TEST_TCP_SECRET")
    with Server(echoes) as server:
        result = prober.run(tcp(server, exchanges=exchanges))
    assert result.reason is Reason.SECRET
    assert "TEST_TCP_SECRET is not set" in result.detail


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"exchanges": (Exchange(expect="a", send="$2"),)}, r"\$\{2\} is not a group of 'a'"),
        ({"exchanges": (Exchange(expect="a", send="${host}"),)}, r"\$\{host\} is not a group"),
        ({"exchanges": (Exchange(starttls=True), Exchange(starttls=True))}, "only once"),
        ({"exchanges": (Exchange(starttls=True),), "starttls": "smtp"}, "only once"),
    ],
)
def test_what_cannot_be_held_is_said_at_load(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_probe(TcpSpec("h", 1, **fields), Shared())  # type: ignore[arg-type] # rows name the fields


def test_tls_from_the_start(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    trusted = TlsSpec(ca_file=str(authority.ca_file))
    with Server(converses(b"220 mx\r\n"), tls=certificate.server_context()) as server:
        result = prober.run(tcp(server, tls=trusted, exchanges=BANNER))
    assert result.success, result
    assert set(result.phases) == {"connect", "tls", "query"}
    assert result.facts["tls_version"] == "TLS 1.3"
    assert result.facts["certificate_expiry"] == certificate.not_after


def test_tls_that_never_answers(prober: Prober) -> None:
    with Server(silence) as server:
        result = prober.run(tcp(server, tls=TlsSpec()), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert "TLS handshake" in result.detail


def test_plain_text_where_tls_is_wanted(prober: Prober) -> None:
    """Check plain text before the handshake, such as a greeting, and in answer to it."""

    def answers_plainly(connection: Connection) -> None:
        connection.socket.recv(65536)
        connection.send(b"220 mx\r\n")
        connection.until_closed()

    for script in (converses(b"220 mx\r\n"), answers_plainly):
        with Server(script) as server:
            result = prober.run(tcp(server, tls=TlsSpec()))
        assert result.reason is Reason.TLS, result


def test_smtp_starttls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with Server(smtp(*smtp_ending(certificate.server_context()))) as server:
        result = prober.run(tcp(server, starttls="smtp", tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.success, result
    assert set(result.phases) == {"connect", "query", "tls"}
    assert result.facts["certificate_expiry"] == certificate.not_after


def test_smtp_expired_certificate_is_asked_for_again(prober: Prober, authority: Authority) -> None:
    expired = authority.issue("127.0.0.1", expired=True)
    with Server(smtp(*smtp_ending(expired.server_context()))) as server:
        result = prober.run(tcp(server, starttls="smtp", tls=TlsSpec(ca_file=str(authority.ca_file))))
        assert server.connections == 2
    assert result.reason is Reason.CERTIFICATE
    assert "expired" in result.detail
    assert result.facts["certificate_expiry"] == expired.not_after


def test_starttls_of_an_exchange(prober: Prober, authority: Authority) -> None:
    """Write out any protocol's STARTTLS; an untrusted certificate must still report its expiry."""
    other = authority.issue("other.test")
    exchanges = (
        Exchange("^. OK IMAP", ". STARTTLS"),
        Exchange("^. OK", None, starttls=True),
        Exchange("^. BYE"),
    )
    script = converses(
        b"* hi\r\n. OK IMAP\r\n", ". STARTTLS\n", b". OK\r\n", other.server_context(), b". BYE\r\n"
    )
    with Server(script) as server:
        distrusted = prober.run(tcp(server, exchanges=exchanges, tls=TlsSpec(ca_file=str(authority.ca_file))))
        trusted = prober.run(
            tcp(
                server,
                exchanges=exchanges,
                tls=TlsSpec(ca_file=str(authority.ca_file), server_name="other.test"),
            )
        )
    assert distrusted.reason is Reason.CERTIFICATE
    assert distrusted.facts["certificate_expiry"] == other.not_after
    assert trusted.success, trusted


SMTP_FAULTS = {
    "refuses": Row(
        converses(b"554 no mail here\r\n"), Reason.PROTOCOL, "greeting is '554 no mail here', expected 220"
    ),
    "not SMTP": Row(converses(HTTPS_PORT_BANNER), Reason.PROTOCOL, "greeting is 'HTTP/1.1 400 Bad Request'"),
    "never greets": Row(silence, Reason.TIMEOUT, "waiting for the SMTP greeting"),
    "no EHLO": Row(converses(b"220 mx\r\n", EHLO, b"502 what\r\n"), Reason.PROTOCOL, "EHLO is '502 what'"),
    "half an answer": Row(converses(b"220 mx\r\n", EHLO, b"250-mx\r\n"), Reason.TIMEOUT, "answer to EHLO"),
    "not offered": Row(
        converses(b"220 mx\r\n", EHLO, b"250-mx\r\n250 SIZE\r\n"), Reason.PROTOCOL, "does not offer STARTTLS"
    ),
    "refuses TLS": Row(smtp(b"454 not now\r\n"), Reason.PROTOCOL, "STARTTLS is '454 not now'"),
    "closes": Row(closes(b"220-mx\r\n"), Reason.DISCONNECT, "before the SMTP greeting was complete"),
    "injects": Row(
        smtp(b"220 go\r\n250 mx\r\n"), Reason.PROTOCOL, "came in plain text where TLS should begin"
    ),
}


@pytest.mark.parametrize("row", SMTP_FAULTS.values(), ids=SMTP_FAULTS)
def test_smtp_faults(prober: Prober, row: Row) -> None:
    with Server(row.script) as server:
        result = prober.run(tcp(server, starttls="smtp"), DEADLINE)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail
