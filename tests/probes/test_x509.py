"""The end of a certificate's validity, read from bytes that a peer chose."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest

from exporter.probes.x509 import not_after

if TYPE_CHECKING:
    from tests.probes.certificates import Authority, Certificate


def der(certificate: Certificate) -> bytes:
    leaf, _, _ = certificate.cert.read_text().partition("-----END")
    return ssl.PEM_cert_to_DER_cert(leaf + "-----END CERTIFICATE-----\n")


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
def test_not_after(ends: dt.datetime, authority: Authority) -> None:
    assert not_after(der(authority.issue("web.test", not_after=ends))) == ends.timestamp()


@pytest.mark.parametrize("bits", [None, 2048])
def test_kinds_of_key(bits: int | None, authority: Authority) -> None:
    certificate = authority.issue("web.test", rsa_bits=bits)
    assert not_after(der(certificate)) == certificate.not_after


def test_authorities_of_this_machine() -> None:
    """Python reads the same of them."""
    context = ssl.create_default_context()
    for certificate, text in zip(context.get_ca_certs(binary_form=True), context.get_ca_certs(), strict=True):
        assert not_after(certificate) == ssl.cert_time_to_seconds(str(text["notAfter"]))


def test_every_way_to_cut_it_short(certificate: Certificate) -> None:
    whole = der(certificate)
    for length in range(whole.index(b"Z", whole.index(b"Z") + 1)):
        with pytest.raises(ValueError, match=r"."):
            not_after(whole[:length])


def test_every_byte_broken(certificate: Certificate) -> None:
    """Whatever a peer sends: a number, or ValueError."""
    whole = der(certificate)
    for position in range(min(len(whole), 200)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            broken = whole[:position] + bytes([value]) + whole[position + 1 :]
            with contextlib.suppress(ValueError):
                assert isinstance(not_after(broken), float)


@pytest.mark.parametrize("text", [b"", b"hello", b"0" * 20, b"\x30\x84\xff\xff\xff\xff"])
def test_not_a_certificate(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        not_after(text)
