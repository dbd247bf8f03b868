"""Certificate authorities and certificates for tests, made at run time, so the repository contains no keys.

    authority = Authority(folder)
    server = authority.issue("localhost", "127.0.0.1")        # server.cert, server.key: PEM files
    expired = authority.issue("localhost", expired=True)
    context = server.server_context()                         # an ssl.SSLContext ready to serve

A client trusts `authority.ca_file`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY = dt.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_numbers = itertools.count()


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key as PEM files; `cert` holds the chain that a server presents, leaf first."""

    cert: Path
    key: Path
    not_after: float
    """Expiry of the leaf as a Unix time."""

    def server_context(self, client_ca: Path | None = None) -> ssl.SSLContext:
        """Return a context that serves this certificate and, with `client_ca`, requires a client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return context


class Authority:
    """A certificate authority; with `parent`, an intermediate one whose leaves include its certificate."""

    def __init__(
        self,
        folder: Path,
        name: str = "Test CA",
        *,
        parent: Authority | None = None,
        not_after: dt.datetime | None = None,
    ) -> None:
        self._folder = folder
        self._key: Key = ec.generate_private_key(ec.SECP256R1())
        self._parent = parent
        issuer = parent or self
        ends = not_after or _now() + 3650 * DAY
        self._name = _named(name)
        self.certificate = (
            _builder(self._name, issuer._name, self._key, ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer._key.public_key()), critical=False
            )
            .sign(issuer._key, hashes.SHA256())
        )
        self.ca_file = folder / f"ca-{next(_numbers)}.pem"
        self.ca_file.write_bytes(_pem(self.certificate))

    def issue(
        self,
        *names: str,
        expired: bool = False,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        rsa_bits: int | None = None,
        self_signed: bool = False,
        common_name_only: bool = False,
        extra: Sequence[x509.Certificate] = (),
    ) -> Certificate:
        """Issue a certificate for `names` (DNS names and addresses) that is valid for servers and clients.

        It expires in 90 days, with `expired` yesterday, or at `not_after`. Its key is ECDSA, or RSA of `rsa_bits`.
        `common_name_only`: without a subjectAltName. `extra`: what the server sends after its chain.
        """
        key: Key
        if rsa_bits is None:
            key = ec.generate_private_key(ec.SECP256R1())
        else:
            key = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
        ends = not_after or (_now() - DAY if expired else _now() + 90 * DAY)
        subject = _named(names[0])
        issuer_name, issuer_key = (subject, key) if self_signed else (self._name, self._key)
        builder = _builder(subject, issuer_name, key, ends, not_before)
        if not common_name_only:
            general = [_general(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
            )
            .sign(issuer_key, hashes.SHA256())
        )
        chain = [certificate, *([] if self_signed else self._intermediates()), *extra]
        number = next(_numbers)
        cert_path, key_path = self._folder / f"{number}.pem", self._folder / f"{number}.key"
        cert_path.write_bytes(b"".join(map(_pem, chain)))
        key_path.write_bytes(_key_pem(key))
        return Certificate(cert_path, key_path, certificate.not_valid_after_utc.timestamp())

    def cross_signed(self, by: Authority, ends: dt.datetime) -> x509.Certificate:
        """Return this authority's name and key in a certificate issued by another authority."""
        return (
            _builder(self._name, by._name, self._key, ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(by._key, hashes.SHA256())
        )

    def _intermediates(self) -> list[x509.Certificate]:
        return [] if self._parent is None else [self.certificate, *self._parent._intermediates()]


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    ends: dt.datetime,
    begins: dt.datetime | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or min(_now(), ends) - 30 * DAY)
        .not_valid_after(ends)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> dt.datetime:
    """Return the time in whole seconds, the precision of certificates."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


_CA_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
