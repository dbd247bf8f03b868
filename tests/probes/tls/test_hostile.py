"""Peers that attack through TLS: floods during the handshake and after it, and huge certificates."""

from __future__ import annotations

import re
import ssl
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import HttpSpec, TlsSpec
from exporter.probes.base import Reason
from exporter.probes.compile import compile_probe
from exporter.probes.tls.meter import HANDSHAKE_BYTES
from tests.probes.certificates import Authority, Certificate
from tests.probes.servers import Connection, Script, Server, answer, answers

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.prober import Prober

FINE = answers(lambda _: answer(b"fine"))
HELD_SECONDS = 0.1
"""CPU seconds for which a hostile peer may keep the loop's thread from other work at a time."""
RECORD = 16 * 1024


def floods(record: bytes, first: bytes = b"") -> Script:
    """Answer the ClientHello with `first`, and then with `record` again and again."""

    def script(connection: Connection) -> None:
        connection.socket.recv(65536)
        connection.send(first)
        block = record * (65536 // len(record))
        while not connection.socket._closed:  # type: ignore[attr-defined] # until the client has left
            connection.send(block)

    return script


def watched(prober: Prober, spec: HttpSpec, seconds: float) -> tuple[ProbeResult, float, int]:
    """Return the result, how long the loop's thread worked without a pause, and how much memory it used."""
    compile_probe(spec, prober.shared)  # loads the trusted certificates, which are not the peer's doing
    tracemalloc.start()
    try:
        result, held = prober.run_watched(spec, seconds)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return result, held, peak


def record(kind: int, content: bytes) -> bytes:
    return bytes((kind, 3, 3)) + len(content).to_bytes(2, "big") + content


HANDSHAKE, ALERT, CHANGE = 22, 21, 20
FLOODS = [
    pytest.param(
        floods(record(HANDSHAKE, bytes(4))), f"more than {HANDSHAKE_BYTES} bytes", id="hello-request"
    ),
    pytest.param(
        floods(record(HANDSHAKE, bytes(RECORD))), f"more than {HANDSHAKE_BYTES} bytes", id="many-in-one"
    ),
    pytest.param(floods(record(HANDSHAKE, b"")), "failed", id="empty-records"),
    pytest.param(floods(record(CHANGE, b"\1")), "failed", id="change-cipher-spec"),
    pytest.param(floods(record(ALERT, b"\1\0")), "the server ended the connection", id="warnings"),
    pytest.param(
        floods(record(HANDSHAKE, bytes(RECORD)), record(HANDSHAKE, b"\2\xff\xff\xff" + bytes(RECORD - 4))),
        "a message is too large",
        id="endless-message",
    ),
]


@pytest.mark.parametrize(("script", "detail"), FLOODS)
def test_floods_within_the_handshake(script: Script, detail: str, prober: Prober) -> None:
    with Server(script) as server:
        spec = HttpSpec(server.url(scheme="https"))
        result, held, peak = watched(prober, spec, 3)
    assert result.reason is Reason.TLS
    assert detail in result.detail
    assert not re.search(r"\(|_", result.detail)  # no text in the library's own format
    assert held < HELD_SECONDS
    assert peak < 4 * 1024 * 1024


def test_a_flood_after_the_handshake(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    """Send a hundred thousand session tickets, 25 MB, before the response."""
    context = certificate.server_context()
    context.num_tickets = 100_000
    with Server(FINE, tls=context) as server:
        spec = HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result, held, peak = watched(prober, spec, 2)
    assert result.reason in (Reason.OK, Reason.TIMEOUT), result.detail
    assert held < HELD_SECONDS
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(("count", "reason"), [(100, Reason.OK), (2000, Reason.TLS)])
def test_long_chains(count: int, reason: Reason, prober: Prober, authority: Authority) -> None:
    """Check chains of 40 kB and of a megabyte."""
    long = authority.issue("localhost", "127.0.0.1", extra=[authority.certificate] * count)
    with Server(FINE, tls=long.server_context()) as server:
        spec = HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result, held, _ = watched(prober, spec, 5)
    assert result.reason is reason, result.detail
    assert held < HELD_SECONDS


@pytest.mark.parametrize(("count", "reason"), [(2000, Reason.OK), (10_000, Reason.TLS)])
def test_many_names(count: int, reason: Reason, prober: Prober, authority: Authority) -> None:
    many = authority.issue("127.0.0.1", *(f"host-{number}.example.test" for number in range(count)))
    with Server(FINE, tls=many.server_context()) as server:
        spec = HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file)))
        result, held, _ = watched(prober, spec, 5)
    assert result.reason is reason, result.detail
    assert held < HELD_SECONDS
    if reason is Reason.OK:
        assert len(str(result.facts["certificate_names"])) < 4200


ABSURD = [
    (rb"(?<=\x17\x0d)\d{12}Z(?!\x17)", b"991301000000Z"),
    (rb"(?<=\x82\x09)localhost", b"loca\0\x1b\n\x07t"),
]


@pytest.mark.parametrize(("what", "replacement"), ABSURD, ids=["date", "name"])
@pytest.mark.parametrize("verify", [True, False])
def test_absurd_certificates(
    what: bytes, replacement: bytes, verify: bool, prober: Prober, tmp_path: Path
) -> None:
    """Check that the detail contains nothing of it, and that unreadable values do not become facts."""
    broken = _edited(Authority(tmp_path).issue("localhost", self_signed=True), what, replacement)
    with Server(FINE, tls=broken.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(verify=verify)))
    assert result.reason is (Reason.CERTIFICATE if verify else Reason.OK), result.detail
    assert result.detail.isprintable()
    assert all(str(fact).isprintable() for fact in result.facts.values())
    assert ("certificate_expiry" in result.facts) is (b"localhost" in what)


def _edited(certificate: Certificate, what: bytes, replacement: bytes) -> Certificate:
    """Return other bytes of the same length. The signature is then wrong, which does not matter
    without verification."""
    der = ssl.PEM_cert_to_DER_cert(certificate.cert.read_text())
    assert re.search(what, der)
    certificate.cert.write_text(ssl.DER_cert_to_PEM_cert(re.sub(what, lambda _: replacement, der)))
    return certificate
