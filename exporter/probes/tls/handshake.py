"""TLS handshakes that report why they failed, and facts of certificates, even of untrusted ones."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from exporter.catalog.values.hostnames import HostNameError, tls_name
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import clock
from exporter.probes.tls.chains import presented_chain, verified_chain
from exporter.probes.tls.context import DEFAULT_MIN_VERSION, make_context, said
from exporter.probes.tls.files import TlsError, read_files, read_files_aside
from exporter.probes.tls.meter import HANDSHAKE_BYTES, Meter
from exporter.probes.tls.x509 import earliest_end, read_certificate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exporter.catalog.planning.specs import TlsSpec
    from exporter.probes.measure import Run
    from exporter.probes.tls.files import Contents
from exporter.probes.tls.x509 import Certificate

__all__ = ["DEFAULT_MIN_VERSION", "LOOK_SHARE", "TLS_FACTS", "Tls", "TlsError", "said", "tls_file_states"]

SHOWN_VERSIONS = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
"""Names of blackbox_exporter for those of OpenSSL; rules compare `probe_tls_version_info{version}` with them."""

TLS_FACTS = (
    "tls_version",
    "tls_cipher",
    "certificate_expiry",
    "certificate_chain_expiry",
    "certificate_fingerprint",
    "certificate_subject",
    "certificate_issuer",
    "certificate_names",
    "certificate_serial",
)
"""Facts of one handshake."""

LOOK_SHARE = 0.9
"""Share of the remaining time for the second handshake with an untrusted peer, so that the failure can be reported."""
FILES_SECONDS = 1.0
"""Seconds after which the files are read again."""
PATIENCE = 0.25
"""Seconds that a run waits for files to be read; then it continues with the previous content."""

TOO_OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION"}
X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH = 62, 64

log = logging.getLogger(__name__)

_in_use: WeakSet[Tls] = WeakSet()


@dataclass(frozen=True, slots=True)
class _Contexts:
    """The contexts made from the files of one moment."""

    contents: Contents
    judging: ssl.SSLContext
    looking: ssl.SSLContext | None


class Tls:
    """The client side of TLS for one `TlsSpec`: a context that verifies, and one that only reads certificates.

    Its files are read again while probes run. If they cannot be used, for example because a key does not match its
    certificate yet, the previous content stays in use; the log and `tls_file_states` report it.

    Raises:
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = (
        "__weakref__",
        "_alpn",
        "_contexts",
        "_due",
        "_look",
        "_refused",
        "_spec",
        "_trouble",
    )

    def __init__(self, spec: TlsSpec, alpn: tuple[str, ...] = (), contents: Contents | None = None) -> None:
        self._spec = spec
        self._alpn = alpn
        if contents is not None and all(file in contents for file in spec.files):
            self._contexts = self._make({file: contents[file] for file in spec.files})
        else:
            self._contexts = self._make(read_files(spec.files))
        self._due = clock() + FILES_SECONDS
        self._look: asyncio.Task[None] | None = None
        self._refused: Contents | None = None
        """Contents that could not be used, so that they are not tried again."""
        self._trouble: TlsError | None = None
        _in_use.add(self)

    async def start(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.Protocol,
        host: str,
        run: Run,
        reopen: Callable[[], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]],
    ) -> asyncio.Transport:
        """Run the handshake on an open connection and note what was negotiated. Enters the phase `tls`.

        If a certificate is not trusted, a second handshake without verification reads it on a connection made by
        `reopen`, since operators want to know its expiry: OpenSSL returns a chain only after it was accepted.

        Raises:
            ProbeFailure: `tls`, `certificate` or `disconnect`.
        """
        for fact in TLS_FACTS:
            run.facts.pop(fact, None)
        try:
            name = tls_name(self._spec.server_name or host)
            await self.refresh()
        except HostNameError as error:
            transport.abort()
            raise ProbeFailure(Reason.TLS, f"cannot request the certificate of {host}: {error}") from None
        except BaseException:
            transport.abort()
            raise
        contexts = self._contexts
        run.enter("tls")
        try:
            secured = await _handshake(contexts.judging, transport, protocol, name, run)
        except ssl.SSLCertVerificationError as error:
            leaf = await _look(contexts.looking, name, run, reopen) if contexts.looking else None
            raise ProbeFailure(
                Reason.CERTIFICATE, f"certificate of {name}: {_distrust(error, leaf)}"
            ) from None
        except ssl.SSLError as error:
            raise ProbeFailure(Reason.TLS, f"TLS handshake with {name} failed: {self._why(error)}") from None
        except OSError as error:
            why = error.strerror or "connection closed"
            raise ProbeFailure(Reason.TLS, f"TLS handshake with {name} was interrupted: {why}") from None
        _note(secured, run, verified=self._spec.verify)
        return secured

    async def refresh(self) -> None:
        """Read the files again if that is due, and wait a moment for the result."""
        if self._spec.files and clock() >= self._due and self._look is None:
            self._look = asyncio.create_task(self._look_at_files())
            await asyncio.wait([self._look], timeout=PATIENCE)

    @property
    def file_states(self) -> Mapping[str, bool]:
        """Return, for each file, True if it is in use as it is on disk."""
        at_fault = self._trouble.files if self._trouble else ()
        return {file: file not in at_fault for file in self._spec.files}

    async def _look_at_files(self) -> None:
        try:
            contents = await read_files_aside(self._spec.files)
            if contents not in (self._contexts.contents, self._refused):
                self._refused = contents
                self._contexts = await asyncio.to_thread(self._make, contents)
            if contents == self._contexts.contents:
                self._recover()
        except TlsError as error:
            self._complain(error)
        finally:
            self._due = clock() + FILES_SECONDS
            self._look = None

    def _make(self, contents: Contents) -> _Contexts:
        judging = make_context(self._spec, self._alpn, contents, verify=self._spec.verify)
        looking = make_context(self._spec, self._alpn, contents, verify=False) if self._spec.verify else None
        return _Contexts(contents, judging, looking)

    def _recover(self) -> None:
        self._refused = None
        if self._trouble is not None:
            log.info("the TLS files on disk are in use again: %s", ", ".join(self._spec.files))
            self._trouble = None

    def _complain(self, error: TlsError) -> None:
        if str(error) != str(self._trouble):
            log.warning("%s; the previous content stays in use", error)
        self._trouble = error

    def _why(self, error: ssl.SSLError) -> str:
        if error.reason not in TOO_OLD:
            return said(error)
        lowest = self._spec.min_version or DEFAULT_MIN_VERSION
        allowed = (
            f"from {lowest} to {self._spec.max_version}" if self._spec.max_version else f"from {lowest} on"
        )
        return f"the server does not support TLS {allowed} ({said(error)})"


def tls_file_states() -> dict[str, bool]:
    """Return, for each certificate or key file of probes, True if it is in use as it is on disk."""
    states: dict[str, bool] = {}
    for tls in list(_in_use):
        for file, current in tls.file_states.items():
            states[file] = states.get(file, True) and current
    return states


async def _look(
    context: ssl.SSLContext,
    name: str,
    run: Run,
    reopen: Callable[[], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]],
) -> Certificate | None:
    """Note the certificates of an untrusted peer, and return its own one; None if it does not present it again."""
    transport = None
    try:
        async with asyncio.timeout(run.time_left() * LOOK_SHARE):
            transport, protocol = await reopen()
            run.enter("tls")
            transport = await _handshake(context, transport, protocol, name, run)
            return _note(transport, run, verified=False)
    except (OSError, ProbeFailure):
        return None
    finally:
        if transport is not None:
            transport.abort()


async def _handshake(
    context: ssl.SSLContext, transport: asyncio.Transport, protocol: asyncio.Protocol, name: str, run: Run
) -> asyncio.Transport:
    meter = Meter(transport)
    try:
        # The deadline of the run ends it; asyncio's default would after a minute.
        secured = await asyncio.get_running_loop().start_tls(
            transport, protocol, context, server_hostname=name, ssl_handshake_timeout=run.time_left() + 60
        )
    except OSError:
        transport.abort()
        if not meter.exceeded:
            raise
        secured = None
    except BaseException:
        transport.abort()
        raise
    if meter.exceeded:
        raise ProbeFailure(
            Reason.TLS,
            f"TLS handshake with {name} failed: the server sent more than {HANDSHAKE_BYTES} bytes",
        )
    if secured is None:
        raise ConnectionResetError
    meter.done()
    return secured


def _distrust(error: ssl.SSLCertVerificationError, leaf: Certificate | None) -> str:
    """Return why a certificate was not accepted, in the words of OpenSSL, which repeat nothing of the peer."""
    mismatch = error.verify_code in (X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH)
    if mismatch and leaf is not None and not leaf.has_names:
        return "it names no host: it has no subjectAltName, and its common name is ignored"
    return error.verify_message.rstrip(".")


def _note(transport: asyncio.Transport, run: Run, *, verified: bool) -> Certificate | None:
    """Note what was negotiated, and return the peer's certificate; None if it cannot be read."""
    ssl_object: ssl.SSLObject = transport.get_extra_info("ssl_object")
    facts = run.facts
    version = ssl_object.version() or ""
    facts["tls_version"] = SHOWN_VERSIONS.get(version, version)
    cipher = ssl_object.cipher()
    if cipher is not None:
        facts["tls_cipher"] = cipher[0]
    presented = presented_chain(ssl_object)
    leaf = None
    try:
        leaf = read_certificate(presented[0])
        facts["certificate_fingerprint"] = leaf.fingerprint
        facts["certificate_subject"] = leaf.subject
        facts["certificate_issuer"] = leaf.issuer
        facts["certificate_names"] = leaf.names
        facts["certificate_serial"] = leaf.serial
        facts["certificate_expiry"] = earliest_end(presented)
        if verified:
            facts["certificate_chain_expiry"] = earliest_end(verified_chain(ssl_object))
    except (IndexError, ValueError):
        log.debug("%s: a certificate cannot be read", run.peer)
    return leaf
