"""From a target's spec to its probe: the one map of protocols. A new protocol is a file and a line here."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

from exporter.catalog.targets import DnsSpec, HttpSpec, IcmpSpec, ProbeSpec, TcpSpec, TlsSpec
from exporter.probes.base import ProbeFailure
from exporter.probes.tls import Tls, TlsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.targets import Target
    from exporter.probes.base import Probe
    from exporter.probes.http_conditions import Conditions

PROTOCOLS: dict[type[ProbeSpec], tuple[str, str]] = {
    HttpSpec: ("exporter.probes.http", "compile_http"),
    TcpSpec: ("exporter.probes.tcp", "TcpProbe"),
    DnsSpec: ("exporter.probes.dns", "DnsProbe"),
    IcmpSpec: ("exporter.probes.icmp", "IcmpProbe"),
}
"""Of each spec, the module and what in it makes the probe of `(spec, shared)`. Imported where a catalog asks for it."""

PROTOCOL_NAMES: dict[type[ProbeSpec], str] = {
    HttpSpec: "http",
    TcpSpec: "tcp",
    DnsSpec: "dns",
    IcmpSpec: "icmp",
}


class Shared:
    """What the probes of one load have in common: a TLS context holds a megabyte of trusted certificates."""

    __slots__ = ("_conditions", "_tls")

    def __init__(self) -> None:
        self._tls: dict[tuple[TlsSpec, tuple[str, ...]], Tls] = {}
        self._conditions: dict[object, Conditions] = {}

    def tls(self, spec: TlsSpec, alpn: tuple[str, ...] = ()) -> Tls:
        """The context of a spec.

        Raises:
            TlsError: a certificate file or key cannot be used.
        """
        known = self._tls.get((spec, alpn))
        if known is None:
            known = self._tls[spec, alpn] = Tls(spec, alpn)
        return known

    def conditions(self, spec: HttpSpec) -> Conditions:
        """The compiled conditions of a spec; thousands of targets have the same ones."""
        from exporter.probes.http_conditions import Conditions

        key = (
            spec.versions,
            spec.statuses,
            spec.header_conditions,
            spec.compression,
            spec.body_conditions,
            spec.json_conditions,
        )
        known = self._conditions.get(key)
        if known is None:
            known = self._conditions[key] = Conditions(spec)
        return known


class CompileError(Exception):
    """A target that passed the catalog's checks and cannot be probed, say because of a key file. One sentence."""


def compile_probe(spec: ProbeSpec, shared: Shared) -> Probe:
    """Everything that can be made before the first run is made here.

    Raises:
        TlsError, ProbeFailure, ValueError, re.error: the spec cannot be probed; one sentence.
    """
    kind: type[ProbeSpec] = type(spec)
    return _maker(kind)(spec, shared)


def compile_target(target: Target, shared: Shared) -> Probe:
    """As `compile_probe`, for a target of a plan.

    Raises:
        CompileError: names the service and the probe.
    """
    try:
        return compile_probe(target.spec, shared)
    except (TlsError, ProbeFailure, ValueError, re.error) as error:
        raise CompileError(f"services.{target.service}: probe {target.probe}: {error}") from None


def protocol_of(spec: ProbeSpec) -> str:
    """The protocol's name, as `metrics.families` and the API have it."""
    return PROTOCOL_NAMES[type(spec)]


def reads_files(spec: ProbeSpec) -> bool:
    """Whether compiling the spec read certificate files, which may hold something else at the next reload."""
    tls = getattr(spec, "tls", None)
    return tls is not None and bool(tls.ca_file or tls.certificate_file or tls.key_file)


def _maker(kind: type[ProbeSpec]) -> Callable[[ProbeSpec, Shared], Probe]:
    module, name = PROTOCOLS[kind]
    return cast("Callable[[ProbeSpec, Shared], Probe]", getattr(import_module(module), name))
