"""Compile the spec of each target to a probe, with objects that probes share."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar, cast

from exporter.probes.base import ProbeFailure
from exporter.probes.protocols import protocol_of
from exporter.probes.tls.files import read_files_aside
from exporter.probes.tls.handshake import Tls, TlsError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from exporter.catalog.planning.plan import Target
    from exporter.catalog.planning.specs import ProbeSpec, TlsSpec
    from exporter.probes.base import Probe

Made = TypeVar("Made")


class Shared:
    """Objects shared by the probes of one load: a TLS context holds a megabyte of trusted certificates."""

    __slots__ = ("_contents", "_made")

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._made: dict[Hashable, object] = {}

    def tls(self, spec: TlsSpec, alpn: tuple[str, ...] = ()) -> Tls:
        """Return the TLS context of a spec.

        Raises:
            TlsError: a certificate file or key cannot be used.
        """
        return self.once((Tls, spec, alpn), lambda: Tls(spec, alpn, self._contents))

    async def read_files(self, specs: Iterable[ProbeSpec]) -> None:
        """Read the certificate and key files of `specs`, so that `tls` need not wait for a disk.

        Raises:
            TlsError: one cannot be read.
        """
        tls = (getattr(spec, "tls", None) for spec in specs)
        self._contents = await read_files_aside(
            {file for one in tls if one is not None for file in one.files}
        )

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return the object for `key`, made at the first call. Thousands of targets are often alike."""
        if key not in self._made:
            self._made[key] = make()
        return cast("Made", self._made[key])


class CompileError(Exception):
    """A target that passed the catalog's checks but cannot be probed, e.g. due to a key file. One sentence."""


def compile_probe(spec: ProbeSpec, shared: Shared) -> Probe:
    """Make the probe of a spec, including everything that can be made before the first run.

    Raises:
        TlsError, ProbeFailure, ValueError, re.error: the spec cannot be probed; one sentence.
    """
    protocol = protocol_of(spec)
    try:
        module = import_module(f"exporter.probes.{protocol.name}.probe")
    except ImportError as error:
        if protocol.extra is None:
            raise
        missing = isinstance(error, ModuleNotFoundError)
        why = f"needs the Python package {error.name}, which is not installed" if missing else str(error)
        raise ValueError(f"{why}; run: pip install 'pageforge-exporter[{protocol.extra}]'") from None
    return cast("Probe", getattr(module, protocol.maker)(spec, shared))


def compile_target(target: Target, shared: Shared) -> Probe:
    """Make the probe of a target of a plan.

    Raises:
        CompileError: names the service and the probe.
    """
    try:
        return compile_probe(target.spec, shared)
    except (TlsError, ProbeFailure, ValueError, re.error) as error:
        raise CompileError(f"services.{target.service}: probe {target.probe}: {error}") from None


def reads_files(spec: ProbeSpec) -> bool:
    """True if compiling the spec reads certificate files, which may have changed at the next reload."""
    tls = getattr(spec, "tls", None)
    return tls is not None and bool(tls.files)
