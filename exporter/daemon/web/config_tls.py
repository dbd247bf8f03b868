"""Reader of `tls_server_config` in the web configuration: returns an SSL context."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted, suggestion
from exporter.daemon.web.config_reading import MAX_FILE_BYTES
from exporter.files import read_whole

if TYPE_CHECKING:
    from exporter.daemon.web.config_reading import Section

TLS_KEYS = (
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "client_allowed_sans",
    "cipher_suites",
    "curve_preferences",
    "min_version",
    "max_version",
    "prefer_server_cipher_suites",
)
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
OLD_VERSIONS = frozenset({"TLS10", "TLS11"})
CLIENTS = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED = frozenset({"RequestClientCert", "RequireAnyClientCert", "RequireClientCert"})
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""Go's names with OpenSSL's names."""
CIPHERS_13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""The suites of TLS 1.3, which are always offered, as in Go: they can be named, without effect."""


class _EncryptedKeyError(Exception):
    """The key needs a passphrase, and nobody can type it."""


def read_tls(section: Section) -> tuple[ssl.SSLContext | None, frozenset[str] | None]:
    """Return the context, and the allowed names of client certificates; None if all are allowed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    _certificate(section, context)
    _versions(section, context)
    _ciphers(section, context)
    _curve(section, context)
    return context, _clients(section, context)


def _certificate(section: Section, context: ssl.SSLContext) -> None:
    with tempfile.TemporaryDirectory(prefix="exporter-") as folder:
        certificate = _part(section, "cert", folder)
        key = _part(section, "key", folder)
        if certificate is None or key is None:
            return
        try:
            context.load_cert_chain(certificate, key, password=_no_passphrase)
        except _EncryptedKeyError:
            section.problem(_written(section, "key"), "the key has a passphrase; use a key without one")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                section.problem(_written(section, "key"), "this is not the key of the certificate")
            else:
                section.problem(
                    _written(section, "cert"),
                    "the certificate and key are not valid PEM; the file must have the certificate first, then its "
                    "issuers",
                )
        except OSError as error:
            section.problem(_written(section, "cert"), f"cannot be read: {error.strerror}")


def _part(section: Section, name: str, folder: str) -> str | None:
    """Return the path of the certificate or key. Inline text goes to a temporary file, since OpenSSL needs one."""
    inline, named = section.text(name), section.text(f"{name}_file")
    if bool(inline) == bool(named):
        what = "only one of" if inline else "one of"
        section.problem(_written(section, name), f"TLS needs {what} {name}_file and {name}")
        return None
    if not inline:
        return section.file(f"{name}_file")
    file = Path(folder, name)
    file.touch(mode=0o600)
    file.write_text(inline, encoding="utf-8")
    return str(file)


def _written(section: Section, name: str) -> str:
    return name if section.has(name) else f"{name}_file"


def _no_passphrase() -> str:
    raise _EncryptedKeyError


def _versions(section: Section, context: ssl.SSLContext) -> None:
    found = {}
    for key, default in (("min_version", "TLS12"), ("max_version", "TLS13")):
        written = section.text(key) or default
        if written in OLD_VERSIONS:
            section.problem(key, "TLS 1.0 and 1.1 are not supported (RFC 8996); write TLS12 or TLS13")
        elif written not in VERSIONS:
            section.problem(
                key, f"{quoted(written)} is not a version of TLS; {suggestion(written, VERSIONS)}"
            )
        found[key] = VERSIONS.get(written, VERSIONS[default])
    if found["min_version"] > found["max_version"]:
        section.problem("max_version", "max_version is lower than min_version")
        return
    context.minimum_version, context.maximum_version = found["min_version"], found["max_version"]


def _ciphers(section: Section, context: ssl.SSLContext) -> None:
    if section.flag("prefer_server_cipher_suites", default=True):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    written = section.texts("cipher_suites")
    for name in written:
        if name not in CIPHERS and name not in CIPHERS_13:
            known = (*CIPHERS, *CIPHERS_13)
            section.problem(
                "cipher_suites", f"{quoted(name)} is not a supported suite; {suggestion(name, known)}"
            )
            return
    listed = [CIPHERS[name] for name in written if name in CIPHERS]
    if listed:
        context.set_ciphers(":".join(listed))


def _curve(section: Section, context: ssl.SSLContext) -> None:
    written = section.texts("curve_preferences")
    for name in written:
        if name not in CURVES:
            section.problem(
                "curve_preferences", f"{quoted(name)} is not a supported curve; {suggestion(name, CURVES)}"
            )
            return
    if len(written) > 1:
        section.problem(
            "curve_preferences", "only one curve can be set; name one, or leave it out to allow all"
        )
    elif written:
        context.set_ecdh_curve(CURVES[written[0]])


def _clients(section: Section, context: ssl.SSLContext) -> frozenset[str] | None:
    written = section.text("client_auth_type") or ""
    if written in UNVERIFIED:
        section.problem(
            "client_auth_type",
            f"{written} accepts unverified certificates and is not supported; write RequireAndVerifyClientCert or "
            "VerifyClientCertIfGiven",
        )
    elif written not in CLIENTS:
        known = [name for name in CLIENTS if name]
        section.problem("client_auth_type", f"{quoted(written)} is not known; {suggestion(written, known)}")
    mode = CLIENTS.get(written, ssl.CERT_NONE)
    _authorities(section, context, mode)
    context.verify_mode = mode
    if not section.has("client_allowed_sans"):
        return None
    if mode is not ssl.CERT_REQUIRED:
        section.problem(
            "client_allowed_sans",
            "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert",
        )
    return frozenset(section.texts("client_allowed_sans"))


def _authorities(section: Section, context: ssl.SSLContext, mode: ssl.VerifyMode) -> None:
    inline, path = section.text("client_ca"), section.file("client_ca_file")
    written = "client_ca_file" if section.text("client_ca_file") else "client_ca"
    if not section.text(written):
        if mode is not ssl.CERT_NONE:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)  # as Go does
        return
    if mode is ssl.CERT_NONE:
        section.problem(written, "no client is asked for a certificate; set client_auth_type too")
    if written == "client_ca_file":
        inline = read_whole(path, MAX_FILE_BYTES).decode("utf-8", "replace") if path else None
    # As in Go, each of these is trusted directly, also intermediate certificates.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        if inline:
            context.load_verify_locations(cadata=inline)
    except ssl.SSLError:
        section.problem(written, "this contains no certificates in PEM")
