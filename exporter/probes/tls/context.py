"""Client SSL contexts, made from the catalog and its certificate files."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from exporter.probes.tls.files import TlsError, in_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.catalog.planning.specs import TlsSpec

VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
DEFAULT_MIN_VERSION = "1.2"

CIPHERS = "DEFAULT"
"""OpenSSL's default list, as in curl. Python's default excludes the only ciphers of some older TLS 1.2 servers: AES-CBC
with SHA-1, and RSA key exchange."""
WEAK = "@SECLEVEL=0"
"""OpenSSL 3 allows the signatures of TLS 1.0 and 1.1 only at this level."""

PLAIN_WORDS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS",
    "HTTP_REQUEST": "the server does not speak TLS",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server requires a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refused: no common cipher, or it requires a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not accept the client certificate: unknown authority",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server does not accept the client certificate: expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server does not accept the client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the name",
    "EXCESSIVE_MESSAGE_SIZE": "a message is too large, for example a certificate chain of more than 100 kB",
}
"""Messages for OpenSSL's reasons; for others OpenSSL's text is used."""


def make_context(
    spec: TlsSpec, alpn: tuple[str, ...], contents: Mapping[str, bytes], *, verify: bool
) -> ssl.SSLContext:
    """Return a context; `contents` holds the files of `spec` by their paths.

    Raises:
        TlsError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.hostname_checks_common_name = False  # RFC 9525 section 2
        if spec.ca_file:
            # It is enough to trust an intermediate certificate, as in Go.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            _load_authorities(context, spec.ca_file, contents)
        else:
            context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if spec.certificate_file:
        _load_certificate(context, spec.certificate_file, spec.key_file, contents)
    # Always set: the Python of some distributions leaves them to the machine's OpenSSL configuration.
    context.minimum_version = VERSIONS[spec.min_version or DEFAULT_MIN_VERSION]
    if spec.max_version:
        context.maximum_version = VERSIONS[spec.max_version]
    context.set_ciphers(_ciphers(spec))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def said(error: ssl.SSLError) -> str:
    """Return why TLS failed, as text for people."""
    if not error.reason:  # the connection ended, with or without a TLS close
        return "the server ended the connection"
    return PLAIN_WORDS.get(error.reason) or error.reason.replace("_", " ").lower()


def _ciphers(spec: TlsSpec) -> str:
    chosen = spec.ciphers or CIPHERS
    weak = spec.min_version in ("1.0", "1.1") and "@SECLEVEL" not in chosen
    return f"{chosen}:{WEAK}" if weak else chosen


def _load_authorities(context: ssl.SSLContext, file: str, contents: Mapping[str, bytes]) -> None:
    try:
        with in_memory(contents[file]) as path:
            context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        raise TlsError(f"cannot use {file}: {_unusable(error)}", file) from None


def _load_certificate(
    context: ssl.SSLContext, certificate: str, key: str | None, contents: Mapping[str, bytes]
) -> None:
    files = [file for file in (certificate, key) if file]
    try:
        with in_memory(contents[certificate]) as path, in_memory(contents[key or certificate]) as key_path:
            context.load_cert_chain(path, key_path, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise TlsError(f"cannot use {', '.join(files)}: {_unusable(error)}", *files) from None


def _unusable(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key does not belong to the certificate"
        return "not a valid PEM file" + (f" ({said(error)})" if error.reason else "")
    return getattr(error, "strerror", None) or str(error)


def _no_passphrase() -> str:
    """Raise an error, since otherwise OpenSSL would ask for a passphrase at the terminal."""
    raise ValueError("the key is encrypted; use one without a passphrase")
