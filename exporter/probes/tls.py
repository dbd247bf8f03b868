"""TLS: contexts made once at load, handshakes that say why they failed, and expiry even of what is not trusted."""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.x509 import not_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.catalog.specs import TlsSpec
    from exporter.probes.measure import Run

VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
DEFAULT_MIN_VERSION = "1.2"
SHOWN_VERSIONS = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
"""OpenSSL's names to blackbox_exporter's, which rules compare `probe_tls_version_info{version}` with."""

LOOK_SHARE = 0.9
"""How much of the time left a second look at an untrusted certificate may take, so that its verdict is not lost."""


TOO_OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION"}
PLAIN_WORDS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS",
    "HTTP_REQUEST": "the server does not speak TLS",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refused: no common cipher, or it asks for a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not accept the client certificate: unknown authority",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server does not accept the client certificate: expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server does not accept the client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know the name",
}
"""What a person should read for OpenSSL's reasons; the others are OpenSSL's own words."""


class TlsError(Exception):
    """A context cannot be made of what the catalog says. One sentence."""


class Tls:
    """The client side of TLS for one `TlsSpec`: a context that judges, and one that only looks.

    Raises:
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_judging", "_looking", "_min_version", "_server_name")

    def __init__(self, spec: TlsSpec, alpn: tuple[str, ...] = ()) -> None:
        self._server_name = spec.server_name
        self._min_version = spec.min_version or DEFAULT_MIN_VERSION
        self._judging = _context(spec, alpn, verify=spec.verify)
        self._looking = _context(spec, alpn, verify=False) if spec.verify else None

    async def start(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.Protocol,
        host: str,
        run: Run,
        reopen: Callable[[], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]],
    ) -> asyncio.Transport:
        """Hold the handshake on an open connection and note what was agreed. Enters the phase `tls`.

        A certificate that is not trusted is asked for once more on a connection that `reopen` makes, by a
        handshake that does not judge, since its expiry is what an operator wants to know: OpenSSL gives up the
        chain only after it was accepted.

        Raises:
            ProbeFailure: `tls`, `certificate` or `disconnect`.
        """
        run.enter("tls")
        name = self._server_name or host
        try:
            secured = await _handshake(self._judging, transport, protocol, name)
        except ssl.SSLCertVerificationError as error:
            if self._looking is not None:
                await self._look(self._looking, name, run, reopen)
            message = error.verify_message.rstrip(".")
            raise ProbeFailure(Reason.CERTIFICATE, f"certificate of {name}: {message}") from None
        except ssl.SSLError as error:
            why = said(error)
            if error.reason in TOO_OLD:
                why = f"the server speaks no TLS version from {self._min_version} on ({why})"
            raise ProbeFailure(Reason.TLS, f"TLS handshake with {name} failed: {why}") from None
        except OSError as error:
            why = error.strerror or "connection closed"
            raise ProbeFailure(Reason.TLS, f"TLS handshake with {name} was cut off: {why}") from None
        _note(secured, run)
        return secured

    async def _look(
        self,
        context: ssl.SSLContext,
        name: str,
        run: Run,
        reopen: Callable[[], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]],
    ) -> None:
        """Note what an untrusted peer presents. A peer that does not present it again leaves it unknown."""
        transport = None
        try:
            async with asyncio.timeout(run.time_left() * LOOK_SHARE):
                transport, protocol = await reopen()
                run.enter("tls")
                transport = await _handshake(context, transport, protocol, name)
                _note(transport, run)
        except (OSError, ProbeFailure):
            pass
        finally:
            if transport is not None:
                transport.abort()


async def _handshake(
    context: ssl.SSLContext, transport: asyncio.Transport, protocol: asyncio.Protocol, name: str
) -> asyncio.Transport:
    try:
        secured = await asyncio.get_running_loop().start_tls(
            transport, protocol, context, server_hostname=name
        )
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ConnectionResetError
    return secured


def said(error: ssl.SSLError) -> str:
    """Why TLS failed, in words."""
    reason = error.reason or str(error)
    return PLAIN_WORDS.get(reason) or reason.replace("_", " ").lower()


def _note(transport: asyncio.Transport, run: Run) -> None:
    ssl_object: ssl.SSLObject = transport.get_extra_info("ssl_object")
    version = ssl_object.version() or ""
    run.facts["tls_version"] = SHOWN_VERSIONS.get(version, version)
    cipher = ssl_object.cipher()
    if cipher is not None:
        run.facts["tls_cipher"] = cipher[0]
    try:
        ends = [not_after(der) for der in presented_chain(ssl_object)]
    except ValueError as error:
        raise ProbeFailure(Reason.TLS, f"the certificate cannot be read: {error}") from None
    if ends:
        run.facts["certificate_expiry"] = min(ends)


if sys.version_info >= (3, 13):

    def presented_chain(ssl_object: ssl.SSLObject) -> list[bytes]:
        """The certificates that the peer sent, in DER form, its own first."""
        return ssl_object.get_unverified_chain()

else:

    def presented_chain(ssl_object: ssl.SSLObject) -> list[bytes]:
        """The certificates that the peer sent, in DER form, its own first.

        Python 3.10 to 3.12 have the call, but without a public name.
        """
        chain = ssl_object._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
        return [certificate.public_bytes(_DER) for certificate in chain or ()]

    _DER = 2
    """`_ssl.ENCODING_DER`."""


def _context(spec: TlsSpec, alpn: tuple[str, ...], *, verify: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if verify:
            context.load_verify_locations(spec.ca_file) if spec.ca_file else context.load_default_certs()
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if spec.certificate_file:
            context.load_cert_chain(spec.certificate_file, spec.key_file, password=_no_passphrase)
    except (OSError, ValueError) as error:
        files = ", ".join(f for f in (spec.ca_file, spec.certificate_file, spec.key_file) if f)
        raise TlsError(f"cannot use {files}: {_unusable(error)}") from None
    # Set always: a distribution's Python may leave it to the machine's OpenSSL configuration.
    context.minimum_version = VERSIONS[spec.min_version or DEFAULT_MIN_VERSION]
    if spec.min_version in ("1.0", "1.1"):
        # OpenSSL 3 allows these versions' signatures only at security level 0.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _unusable(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is not the certificate's"
        return "not the PEM file that it should be" + (f" ({said(error)})" if error.reason else "")
    return getattr(error, "strerror", None) or str(error)


def _no_passphrase() -> str:
    """OpenSSL would ask at the terminal of the daemon."""
    raise ValueError("the key is encrypted; give one without a passphrase")
