"""HTTPS: which certificates and handshakes are accepted, and what is reported for the others."""

from __future__ import annotations

import datetime as dt
import re
import ssl
from typing import TYPE_CHECKING, Any, Literal

import pytest

from exporter.catalog.planning.specs import HttpSpec, TlsSpec
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.tls.handshake import TlsError
from tests.probes.certificates import Authority, Certificate
from tests.probes.servers import Connection, Server, answer, answers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.prober import Prober

FINE = answers(lambda _: answer(b"fine"))
ALL_PHASES = {"connect", "tls", "processing", "transfer"}
NEVER_ASKED = {"connect", "tls"}


def trusting(authority: Authority, **more: object) -> TlsSpec:
    return TlsSpec(ca_file=str(authority.ca_file), **more)  # type: ignore[arg-type] # keywords of the one class


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a context that speaks one version; below 1.2 this needs OpenSSL's security level 0."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def test_trusted(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with Server(FINE, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority)))
    assert result.success, result.detail
    assert set(result.phases) == ALL_PHASES
    assert result.facts["ssl"] == 1
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert result.facts["tls_version"] == "TLS 1.3"
    assert str(result.facts["tls_cipher"]).startswith("TLS_")


@pytest.mark.parametrize(
    ("version", "shown"), [(ssl.TLSVersion.TLSv1_2, "TLS 1.2"), (ssl.TLSVersion.TLSv1_3, "TLS 1.3")]
)
def test_version_is_reported(
    version: ssl.TLSVersion, shown: str, prober: Prober, authority: Authority, certificate: Certificate
) -> None:
    with Server(FINE, tls=only(certificate.server_context(), version)) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority)))
    assert result.success, result.detail
    assert result.facts["tls_version"] == shown


def test_earliest_expiry_of_the_chain(prober: Prober, authority: Authority, tmp_path: Path) -> None:
    """Check an intermediate that expires before the server's own certificate: the site fails at the earlier expiry."""
    soon = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=7)
    intermediate = Authority(tmp_path, "Intermediate CA", parent=authority, not_after=soon)
    certificate = intermediate.issue("127.0.0.1")
    with Server(FINE, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority)))
    assert result.success, result.detail
    assert result.facts["certificate_expiry"] == soon.timestamp() < certificate.not_after


UNTRUSTED = [
    pytest.param({"expired": True}, "127.0.0.1", "certificate has expired", id="expired"),
    pytest.param({"self_signed": True}, "127.0.0.1", "self.signed certificate", id="self-signed"),
    pytest.param({}, "other.test", "IP address mismatch", id="wrong-host"),
    pytest.param({"future": True}, "127.0.0.1", "not yet valid", id="not-yet-valid"),
]


@pytest.mark.parametrize(("how", "name", "detail"), UNTRUSTED)
def test_untrusted(how: dict[str, Any], name: str, detail: str, prober: Prober, authority: Authority) -> None:
    """Check that the run fails but still reports the expiry."""
    begins = dt.datetime.now(dt.UTC) + dt.timedelta(days=1) if how.pop("future", False) else None
    certificate = authority.issue(name, not_before=begins, **how)
    with Server(FINE, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority)))
        assert not server.requests  # no request is sent to an untrusted server
    assert result.reason is Reason.CERTIFICATE
    assert result.detail.startswith("certificate of 127.0.0.1: ")
    assert re.search(detail, result.detail), result.detail
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert result.facts["tls_version"] == "TLS 1.3"
    assert "status_code" not in result.facts
    assert set(result.phases) == NEVER_ASKED


def test_authority_that_is_not_trusted(prober: Prober, certificate: Certificate) -> None:
    """Check the system's authorities, which do not include the test's."""
    with Server(FINE, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url()))
    assert result.reason is Reason.CERTIFICATE
    assert "unable to get local issuer certificate" in result.detail
    assert result.facts["certificate_expiry"] == certificate.not_after


def test_untrusted_and_silent_the_second_time(prober: Prober, certificate: Certificate) -> None:
    """Check that the result is kept if the second connection, which reads the expiry, fails."""
    context = certificate.server_context()

    def script(connection: Connection) -> None:
        if connection.number == 1:
            connection.start_tls(context)
        connection.until_closed()

    with Server(script) as server:
        result = prober.run(HttpSpec(server.url(scheme="https")), 0.5)
    assert result.reason is Reason.CERTIFICATE
    assert "certificate_expiry" not in result.facts


@pytest.mark.parametrize("how", [{"expired": True}, {"self_signed": True}])
def test_verification_off(how: dict[str, Any], prober: Prober, authority: Authority) -> None:
    certificate = authority.issue("other.test", **how)
    with Server(FINE, tls=certificate.server_context()) as server:
        result = prober.run(HttpSpec(server.url(), tls=TlsSpec(verify=False)))
    assert result.success, result.detail
    assert result.facts["certificate_expiry"] == certificate.not_after


def test_server_name(prober: Prober, authority: Authority) -> None:
    """Check a name other than the URL's, used for SNI and required in the certificate."""
    context = authority.issue("inner.test").server_context()
    asked: list[str | None] = []
    context.sni_callback = lambda _object, name, _context: asked.append(name)
    with Server(FINE, tls=context) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority, server_name="inner.test")))
        assert result.success, result.detail
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority, server_name="outer.test")))
    assert asked[:2] == ["inner.test", "outer.test"]
    assert result.reason is Reason.CERTIFICATE
    assert "Hostname mismatch" in result.detail


OLD: list[tuple[Literal["1.0", "1.1"], ssl.TLSVersion]] = [
    ("1.0", ssl.TLSVersion.TLSv1),
    ("1.1", ssl.TLSVersion.TLSv1_1),
]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(("name", "version"), OLD)
def test_old_version(
    name: Literal["1.0", "1.1"],
    version: ssl.TLSVersion,
    prober: Prober,
    authority: Authority,
    certificate: Certificate,
) -> None:
    """Check that it is refused unless the catalog lowers the minimum."""
    with Server(FINE, tls=only(certificate.server_context(), version)) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority)))
        assert result.reason is Reason.TLS
        assert "the server does not support TLS from 1.2 on" in result.detail
        assert set(result.phases) == NEVER_ASKED
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority, min_version=name)))
        assert result.success, result.detail
        assert result.facts["tls_version"] == f"TLS {name}"


def test_below_the_minimum(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    with Server(FINE, tls=only(certificate.server_context(), ssl.TLSVersion.TLSv1_2)) as server:
        result = prober.run(HttpSpec(server.url(), tls=trusting(authority, min_version="1.3")))
    assert result.reason is Reason.TLS
    assert "the server does not support TLS from 1.3 on" in result.detail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate(
    version: ssl.TLSVersion, prober: Prober, authority: Authority, certificate: Certificate, tmp_path: Path
) -> None:
    """Check TLS 1.3 servers, which refuse only after the handshake, and TLS 1.2 servers, which refuse during it."""
    context = only(certificate.server_context(client_ca=authority.ca_file), version)
    good = authority.issue("client")
    wrong = Authority(tmp_path, "Another CA").issue("client")
    with Server(FINE, tls=context) as server:

        def run(client: Certificate | None) -> tuple[Reason, str]:
            files = (
                {} if client is None else {"certificate_file": str(client.cert), "key_file": str(client.key)}
            )
            result = prober.run(HttpSpec(server.url(), tls=trusting(authority, **files)))
            return result.reason, result.detail

        assert run(good) == (Reason.OK, "")
        reason, detail = run(None)
        assert reason is Reason.TLS
        assert "requires a client certificate" in detail
        reason, detail = run(wrong)
        assert reason is Reason.TLS
        assert "the server does not accept the client certificate" in detail


def test_files_that_cannot_be_used(tmp_path: Path, authority: Authority, certificate: Certificate) -> None:
    """Check that they are reported when the catalog is loaded, also for a plain URL, which may redirect to TLS."""
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    another = authority.issue("another.test")
    for url in ("https://web.test/", "http://web.test/"):
        for spec in (
            TlsSpec(ca_file=str(bad)),
            TlsSpec(ca_file=str(tmp_path / "missing.pem")),
            TlsSpec(certificate_file=str(certificate.cert), key_file=str(bad)),
            TlsSpec(certificate_file=str(certificate.cert), key_file=str(another.key)),
        ):
            with pytest.raises(TlsError, match=r"cannot use .*\.(pem|key): \w+"):
                compile_probe(HttpSpec(url, tls=spec), Shared())
