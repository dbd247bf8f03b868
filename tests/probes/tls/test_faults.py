"""Connections that break during the handshake, or in TLS after it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import HttpSpec, TlsSpec
from exporter.probes.base import Reason
from tests.probes.servers import Connection, Script, Server, says, silence

if TYPE_CHECKING:
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober

ALL_PHASES = {"connect", "tls", "processing", "transfer"}
NEVER_ASKED = {"connect", "tls"}


def close_in_handshake(connection: Connection) -> None:
    connection.socket.recv(65536)


def reset_in_handshake(connection: Connection) -> None:
    connection.socket.recv(65536)
    connection.reset()


def plain_text(connection: Connection) -> None:
    connection.socket.recv(65536)
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.until_closed()


HANDSHAKES = [
    pytest.param(silence, Reason.TIMEOUT, "waiting for the TLS handshake", id="stalls"),
    pytest.param(close_in_handshake, Reason.TLS, "was interrupted: connection closed", id="closes"),
    pytest.param(reset_in_handshake, Reason.TLS, "was interrupted: Connection reset by peer", id="resets"),
    pytest.param(plain_text, Reason.TLS, "the server does not speak TLS", id="plain-text"),
]


@pytest.mark.parametrize(("script", "reason", "detail"), HANDSHAKES)
def test_handshake_that_fails(script: Script, reason: Reason, detail: str, prober: Prober) -> None:
    with Server(script) as server:
        result = prober.run(HttpSpec(server.url(scheme="https")), 0.5)
    assert result.reason is reason, result.detail
    assert detail in result.detail
    assert set(result.phases) == NEVER_ASKED


def test_silence_after_the_handshake(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with Server(silence, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file))), 0.5)
    assert result.reason is Reason.TIMEOUT
    assert "waiting for the answer" in result.detail
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert set(result.phases) == {"connect", "tls", "processing"}


def ends(politely: bool) -> Script:
    """Send a body that is ended only by the end of the connection, with and without close_notify of TLS."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nfine")
        if politely:
            connection.socket.unwrap()  # type: ignore[attr-defined] # in TLS it is an SSLSocket
        connection.socket.close()

    return script


def test_body_until_the_end_of_tls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with Server(ends(politely=True), tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.success, result.detail
    assert result.facts["body_bytes"] == 4


def test_tls_that_ends_without_goodbye(
    prober: Prober, authority: Authority, certificate: Certificate
) -> None:
    """Accept it as the end of the body, like Go and so blackbox_exporter: many servers omit it."""
    with Server(ends(politely=False), tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.success, result.detail
    assert result.facts["body_bytes"] == 4


def test_garbage_in_tls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        raw = connection.socket.detach()
        with socket.socket(fileno=raw) as plain:
            plain.sendall(b"no TLS record at all")

    with Server(script, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.reason is Reason.TLS
    assert "after the handshake" in result.detail


def test_slow_server_over_tls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    part = says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    with Server(part, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file))), 0.5)
    assert result.reason is Reason.TIMEOUT
    assert "reading the body" in result.detail
    assert set(result.phases) == ALL_PHASES
