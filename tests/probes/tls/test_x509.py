"""Reported values of a certificate, read from bytes chosen by a peer."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.probes.tls.x509 import Certificate, earliest_end, read_certificate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.probes import certificates
    from tests.probes.certificates import Authority

KEY = ec.generate_private_key(ec.SECP256R1())
DAY = dt.timedelta(days=1)
Attribute = tuple[ObjectIdentifier, str]


def der(certificate: certificates.Certificate) -> bytes:
    leaf, _, _ = certificate.cert.read_text().partition("-----END")
    return ssl.PEM_cert_to_DER_cert(leaf + "-----END CERTIFICATE-----\n")


def made(subject: Sequence[Attribute] = (), names: Sequence[x509.GeneralName] = (), serial: int = 1) -> bytes:
    """Return a self-signed certificate with this subject and these names."""
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    builder = (
        x509.CertificateBuilder(name, name, KEY.public_key(), serial)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


WHOLE = made([(NameOID.COMMON_NAME, "web.test")], [x509.DNSName("web.test")])


@pytest.mark.parametrize(
    "ends",
    [
        dt.datetime(1999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),  # UTCTime, last century
        dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2038, 1, 19, 3, 14, 8, tzinfo=dt.UTC),  # one more than 31 bits of seconds
        dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC),  # the last UTCTime
        dt.datetime(2050, 1, 1, tzinfo=dt.UTC),  # the first GeneralizedTime
        dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),  # "no end" (RFC 5280 section 4.1.2.5)
    ],
    ids=str,
)
def test_the_end(ends: dt.datetime, authority: Authority) -> None:
    assert read_certificate(der(authority.issue("web.test", not_after=ends))).ends == ends.timestamp()


@pytest.mark.parametrize("bits", [None, 2048])
def test_kinds_of_key(bits: int | None, authority: Authority) -> None:
    certificate = authority.issue("web.test", rsa_bits=bits)
    assert earliest_end([der(certificate)]) == certificate.not_after


def test_authorities_of_this_machine() -> None:
    """Compare with Python's reading of the same certificates."""
    context = ssl.create_default_context()
    for certificate, text in zip(context.get_ca_certs(binary_form=True), context.get_ca_certs(), strict=True):
        found = read_certificate(certificate)
        assert found.ends == ssl.cert_time_to_seconds(str(text["notAfter"]))
        assert found.serial == str(text["serialNumber"]).lower().removeprefix("00")


C, O, OU, CN = (  # noqa: E741 - names of X.500
    NameOID.COUNTRY_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.COMMON_NAME,
)

SUBJECTS = [
    ([], ""),
    ([(CN, "web.test")], "CN=web.test"),
    ([(C, "DE"), (O, "Shop"), (CN, "web.test")], "CN=web.test,O=Shop,C=DE"),
    ([(CN, "web.test"), (O, "Shop"), (C, "DE")], "CN=web.test,O=Shop,C=DE"),
    ([(O, "A"), (O, "B"), (CN, "one"), (CN, "two")], "CN=two,O=A+O=B"),
    ([(O, "Asia, Inc.")], "O=Asia\\, Inc."),
    ([(O, '#<a>+"b";\\ ')], 'O=\\#\\<a\\>\\+\\"b\\"\\;\\\\\\ '),
    ([(O, "Größe")], "O=Größe"),
    (
        [(NameOID.EMAIL_ADDRESS, "a@b.test"), (CN, "x")],
        "CN=x,1.2.840.113549.1.9.1=#0c086140622e74657374",
    ),
    ([(O, "a\x1b[2J\u202eb\x9b\x00")], "O=a\\x1b[2J\\u202eb\\x9b\\x00"),
    ([(O, "x" * 10_000)], "O=" + "x" * 128 + "…"),
    ([(OU, f"{n:03}" + "x" * 30) for n in range(1000)], "OU=000x"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("subject", "text"), SUBJECTS)
def test_names_as_blackbox_exporter_writes_them(subject: list[Attribute], text: str) -> None:
    found = read_certificate(_long(subject)).subject
    assert found == text if len(subject) < 100 else found.startswith(text)
    assert found.isprintable()
    assert len(found) <= 513


def _long(subject: list[Attribute]) -> bytes:
    """Return a long name: `cryptography` enforces the lengths of RFC 5280, but a peer does not."""
    name = x509.Name([x509.NameAttribute(oid, value, _validate=False) for oid, value in subject])
    return (
        x509.CertificateBuilder(name, name, KEY.public_key(), 1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
        .sign(KEY, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def test_alternative_names() -> None:
    names = [x509.DNSName("a.test"), x509.RFC822Name("me@a.test"), x509.DNSName("*.b.test")]
    found = read_certificate(made(names=names))
    assert found.names == "a.test,*.b.test"
    assert found.has_names
    assert not read_certificate(made([(CN, "a.test")])).has_names


def test_ten_thousand_names() -> None:
    names = [x509.DNSName(f"host-{number}.example.test") for number in range(10_000)]
    many = made(names=names)
    began = time.process_time()
    found = read_certificate(many)
    assert time.process_time() - began < 0.05
    assert found.names.startswith("host-0.example.test,host-1.example.test,")
    assert found.names.endswith(",…")
    assert len(found.names) < 4200


def test_names_that_hold_control_characters() -> None:
    hidden = made(names=[x509.DNSName("good.test.evil.test")]).replace(b"good.test.", b"good.test\0")
    assert read_certificate(hidden).names == "good.test\\x00evil.test"


@pytest.mark.parametrize(
    ("serial", "text"), [(1, "01"), (0x80, "80"), (0x0A0B0C, "0a0b0c"), (2**158, "40" + "00" * 19)]
)
def test_serial_numbers(serial: int, text: str) -> None:
    assert read_certificate(made(serial=serial)).serial == text


@pytest.mark.parametrize(
    "text",
    [b"991301000000Z", b"000000000000Z", b"99010100000ZZ", b"\xff" * 13, b"9901010000+01", b"            Z"],
)
def test_absurd_ends(text: bytes) -> None:
    """Check that the message contains nothing that the peer wrote."""
    with pytest.raises(ValueError, match=r"^the certificate's end is not a time$"):
        read_certificate(WHOLE.replace(b"300101000000Z", text))


def test_every_way_to_cut_it_short() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(ValueError, match=r"^the certificate "):
            read_certificate(WHOLE[:length])


def test_every_byte_broken() -> None:
    """Check that any bytes give a certificate or a ValueError."""
    for position in range(len(WHOLE)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0x84, 0xFF):
            broken = WHOLE[:position] + bytes([value]) + WHOLE[position + 1 :]
            with contextlib.suppress(ValueError):
                check(read_certificate(broken))


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"0" * 20, b"\x30\x84\xff\xff\xff\xff", b"\x30\x80" * 50_000]
)
def test_not_a_certificate(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_certificate(text)


@given(
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=8)), max_size=8),
    tail=st.binary(max_size=200),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(edits: list[tuple[int, bytes]], tail: bytes) -> None:
    text = bytearray(WHOLE)
    for position, piece in edits:
        position %= len(text)
        text[position : position + len(piece)] = piece
    with contextlib.suppress(ValueError):
        check(read_certificate(bytes(text) + tail))


def test_memory_is_bounded() -> None:
    """Show another certificate of a hundred kilobytes on each connection."""
    big = made(names=[x509.DNSName("a" * 60 + ".test") for _ in range(1400)])
    digits = big.index(b"300101000000Z")
    tracemalloc.start()
    try:
        for number in range(600):
            read_certificate(
                big[: digits + 6] + f"{number % 24:02}{number // 24 % 60:02}00Z".encode() + big[digits + 13 :]
            )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def check(certificate: Certificate) -> None:
    assert isinstance(certificate.ends, float)
    for text in (certificate.subject, certificate.issuer, certificate.names, certificate.serial):
        assert text.isprintable()
        assert len(text) < 5000
