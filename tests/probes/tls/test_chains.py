"""Chains and versions that users' clients accept or refuse, served by OpenSSL, compared with blackbox_exporter."""

from __future__ import annotations

import datetime as dt
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import GrpcSpec, HttpSpec, RedisSpec, TcpSpec, TlsSpec
from exporter.metrics.series import Series
from exporter.probes.base import Reason
from exporter.probes.protocols import protocol_of
from tests.components import require
from tests.probes.certificates import Authority
from tests.probes.servers import Server, answer, answers, redirect
from tests.probes.tls.programs import Blackbox, blackbox, s_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.catalog.planning.specs import ProbeSpec
    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Certificate
    from tests.probes.prober import Prober

YESTERDAY = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=1)
FINE = answers(lambda _: answer(b"fine"))
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def peer(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blackbox]:
    with blackbox(tmp_path_factory.mktemp("blackbox"), authority) as running:
        yield running


@pytest.fixture(scope="module")
def cross(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a good certificate, sent with a certificate of its authority that a former authority issued."""
    gone = Authority(tmp_path_factory.mktemp("gone"), "Gone CA", not_after=YESTERDAY)
    return authority.issue("localhost", HOST, extra=[authority.cross_signed(gone, YESTERDAY)])


def exported(spec: ProbeSpec, result: ProbeResult) -> dict[str, str]:
    """Return the samples of one run, by name and labels in addition to the target's."""
    series = Series("s", "p", "t", protocol_of(spec).name, ())
    series.record(result)
    assert series.chunks is not None
    text = b"".join(series.chunks).decode()
    named = text.replace('service="s",probe="p",target="t",', "").replace(
        '{service="s",probe="p",target="t"}', ""
    )
    return dict(line.rsplit(" ", 1) for line in named.splitlines())


def test_an_expired_certificate_beside_the_chain(
    prober: Prober, authority: Authority, cross: Certificate, peer: Blackbox
) -> None:
    tls = TlsSpec(ca_file=str(authority.ca_file))
    with s_server(cross) as port:
        spec = HttpSpec(f"https://{HOST}:{port}/", tls=tls)
        result = prober.run(spec)
        theirs = peer.ask(spec.url)
    assert result.success, result.detail
    ours = exported(spec, result)
    assert theirs["probe_success"] == ours["probe_success"] == "1"
    for name, end in (
        ("probe_ssl_earliest_cert_expiry", YESTERDAY.timestamp()),
        ("probe_ssl_last_chain_expiry_timestamp_seconds", cross.not_after),
    ):
        assert float(ours[name]) == float(theirs[name]) == end


@pytest.mark.parametrize("protocol", ["tcp", "grpc", "redis"])
def test_every_protocol_knows_the_chain(
    protocol: str, prober: Prober, authority: Authority, cross: Certificate
) -> None:
    """Check that the server's answer after the handshake does not matter."""
    tls = TlsSpec(ca_file=str(authority.ca_file))
    with Server(FINE, tls=cross.server_context()) as server:
        specs: dict[str, ProbeSpec] = {
            "tcp": TcpSpec(HOST, server.port, tls),
            "grpc": GrpcSpec(HOST, server.port, tls=tls),
            "redis": RedisSpec(HOST, server.port, tls=tls),
        }
        result = prober.run(specs[protocol], 1)
    ours = exported(specs[protocol], result)
    assert float(ours["probe_ssl_last_chain_expiry_timestamp_seconds"]) == cross.not_after
    assert any(name.startswith("probe_ssl_last_chain_info{") for name in ours)


def test_the_certificate_as_blackbox_exporter_shows_it(
    prober: Prober, authority: Authority, certificate: Certificate, peer: Blackbox
) -> None:
    """Compare without the serial number, which Debian's version is too old to have."""
    with s_server(certificate) as port:
        spec = HttpSpec(f"https://{HOST}:{port}/", tls=TlsSpec(ca_file=str(authority.ca_file)))
        ours, theirs = exported(spec, prober.run(spec)), peer.ask(spec.url)
    [info] = [name for name in ours if name.startswith("probe_ssl_last_chain_info")]
    [their_info] = [name for name in theirs if name.startswith("probe_ssl_last_chain_info")]
    labels, serial = _labels(info), _openssl(certificate, "-serial").partition("=")[2].lower()
    assert labels.pop("serialnumber") == serial
    assert labels == _labels(their_info)
    assert labels["subject"] == "CN=localhost"
    assert labels["subjectalternative"] == "localhost"


def _labels(sample: str) -> dict[str, str]:
    pairs = sample.partition("{")[2].removesuffix("}").split('",')
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs)}


def _openssl(certificate: Certificate, what: str) -> str:
    command = [require("openssl"), "x509", "-in", str(certificate.cert), "-noout", what]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_no_chain_where_nothing_was_verified(prober: Prober, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "Another CA").issue(HOST)
    with Server(FINE, tls=stranger.server_context()) as server:
        for verify, reason in ((True, Reason.CERTIFICATE), (False, Reason.OK)):
            ca = str(authority.ca_file) if verify else None
            spec = HttpSpec(server.url(), tls=TlsSpec(verify=verify, ca_file=ca))
            result = prober.run(spec)
            assert result.reason is reason, result.detail
            ours = exported(spec, result)
            assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in ours
            assert float(ours["probe_ssl_earliest_cert_expiry"]) == stranger.not_after
            assert any(name.startswith("probe_ssl_last_chain_info{") for name in ours)


def test_facts_of_tls_end_with_it(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    """Redirect from https to http: nothing of the certificate must be left."""
    with Server(FINE) as plain:
        away = answers(lambda _: redirect(plain.url()))
        with Server(away, tls=certificate.server_context()) as server:
            spec = HttpSpec(server.url(), tls=TlsSpec(ca_file=str(authority.ca_file)))
            result = prober.run(spec)
    assert result.success, result.detail
    assert not any(name.startswith(("certificate", "tls")) for name in result.facts)


def test_a_certificate_without_alternative_names(
    prober: Prober, authority: Authority, peer: Blackbox
) -> None:
    nameless = authority.issue("localhost", common_name_only=True)
    with s_server(nameless) as port:
        spec = HttpSpec(
            f"https://localhost:{port}/", tls=TlsSpec(ca_file=str(authority.ca_file)), ip_protocol="ip4"
        )
        result = prober.run(spec)
        assert peer.ask(spec.url)["probe_success"] == "0"
    assert result.reason is Reason.CERTIFICATE
    assert result.detail == (
        "certificate of localhost: it names no host: it has no subjectAltName, and its common name is ignored"
    )
    assert result.facts["certificate_expiry"] == nameless.not_after


@pytest.mark.parametrize("sent", ["with", "without"])
def test_an_intermediate_authority_may_be_all_that_is_trusted(
    sent: str, prober: Prober, tmp_path: Path
) -> None:
    middle = Authority(tmp_path, "Middle CA", parent=Authority(tmp_path, "Root CA"))
    leaf = middle.issue("localhost", HOST)
    if sent == "without":
        whole = leaf.cert.read_text()
        leaf.cert.write_text(whole[: whole.index("-----BEGIN", 1)])
    folder = tmp_path / "blackbox"
    folder.mkdir()
    with s_server(leaf) as port, blackbox(folder, middle) as peer:
        spec = HttpSpec(f"https://{HOST}:{port}/", tls=TlsSpec(ca_file=str(middle.ca_file)))
        result = prober.run(spec)
        assert peer.ask(spec.url)["probe_success"] == "1"
    assert result.success, result.detail
    assert result.facts["certificate_chain_expiry"] == leaf.not_after


OLDER = [
    ("-tls1_2", "-cipher", "AES128-SHA"),
    ("-tls1_2", "-cipher", "AES256-SHA256"),
    ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"),
    ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
]


@pytest.fixture(scope="module")
def rsa(authority: Authority) -> Certificate:
    return authority.issue("localhost", HOST, rsa_bits=2048)


@pytest.mark.parametrize("options", OLDER, ids=lambda options: options[2])
def test_servers_with_older_suites(
    options: tuple[str, ...], prober: Prober, authority: Authority, rsa: Certificate
) -> None:
    with s_server(rsa, *options) as port:
        spec = HttpSpec(f"https://{HOST}:{port}/", tls=TlsSpec(ca_file=str(authority.ca_file)))
        result = prober.run(spec)
        assert result.success, result.detail
        assert result.facts["tls_cipher"] == options[2]


def test_older_suites_and_blackbox_exporter(
    prober: Prober, authority: Authority, rsa: Certificate, peer: Blackbox
) -> None:
    with s_server(rsa, *OLDER[0]) as port:
        spec = HttpSpec(f"https://{HOST}:{port}/", tls=TlsSpec(ca_file=str(authority.ca_file)))
        assert prober.run(spec).success
        assert peer.ask(spec.url)["probe_success"] == "1"


CHOICES: list[tuple[tuple[str, ...], dict[str, Any], str, str]] = [
    (("-tls1_2", "-cipher", "AES128-SHA"), {"ciphers": "ECDHE+AESGCM"}, "", "no common cipher"),
    (("-tls1_2",), {"ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}, "TLS 1.2", ""),
    ((), {"ciphers": "ECDHE+AESGCM"}, "TLS 1.3", ""),
    ((), {"max_version": "1.2"}, "TLS 1.2", ""),
    (("-tls1_3",), {"max_version": "1.2"}, "", "the server does not support TLS from 1.2 to 1.2"),
    (("-tls1_2",), {"min_version": "1.3"}, "", "the server does not support TLS from 1.3 on"),
]


@pytest.mark.parametrize(("options", "fields", "version", "detail"), CHOICES)
def test_what_the_catalog_chooses(
    options: tuple[str, ...],
    fields: dict[str, Any],
    version: str,
    detail: str,
    prober: Prober,
    authority: Authority,
    rsa: Certificate,
) -> None:
    with s_server(rsa, *options) as port:
        tls = TlsSpec(ca_file=str(authority.ca_file), **fields)
        result = prober.run(HttpSpec(f"https://{HOST}:{port}/", tls=tls))
    if version:
        assert result.success, result.detail
        assert result.facts["tls_version"] == version
    else:
        assert result.reason is Reason.TLS
        assert detail in result.detail
