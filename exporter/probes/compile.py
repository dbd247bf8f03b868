"""From a target's spec to its probe: the one map of protocols. A new protocol is a file and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from exporter.catalog.targets import DnsSpec, HttpSpec, IcmpSpec, ProbeSpec, TcpSpec, TlsSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.probes.base import Probe
    from exporter.probes.http_conditions import Conditions
    from exporter.probes.tls import Tls

PROTOCOLS: dict[type[ProbeSpec], tuple[str, str]] = {
    HttpSpec: ("exporter.probes.http", "compile_http"),
    TcpSpec: ("exporter.probes.tcp", "TcpProbe"),
    DnsSpec: ("exporter.probes.dns", "DnsProbe"),
    IcmpSpec: ("exporter.probes.icmp", "IcmpProbe"),
}
"""Of each spec, the module and what in it makes the probe of `(spec, shared)`. Imported where a catalog asks for it."""


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
            from exporter.probes.tls import Tls

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


def compile_probe(spec: ProbeSpec, shared: Shared) -> Probe:
    """Everything that can be made before the first run is made here.

    Raises:
        TlsError, ValueError, re.error: the spec cannot be probed; one sentence.
    """
    return _maker(type(spec))(spec, shared)


@cache
def _maker(kind: type[ProbeSpec]) -> Callable[[ProbeSpec, Shared], Probe]:
    module, name = PROTOCOLS[kind]
    return cast("Callable[[ProbeSpec, Shared], Probe]", getattr(import_module(module), name))
