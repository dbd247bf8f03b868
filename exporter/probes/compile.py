"""From a target's spec to its probe: the one map of protocols. A new protocol is a package and a line here."""

from __future__ import annotations

import asyncio
import re
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from exporter.catalog.planning.specs import (
    DnsSpec,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    MongodbSpec,
    PostgresqlSpec,
    ProbeSpec,
    RedisSpec,
    SqliteSpec,
    TcpSpec,
    TlsSpec,
    WebSocketSpec,
)
from exporter.probes.base import ProbeFailure
from exporter.probes.tls.files import read_files_aside
from exporter.probes.tls.handshake import Tls, TlsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.planning.plan import Target
    from exporter.probes.base import Probe
    from exporter.probes.http.conditions import Conditions


class Maker(NamedTuple):
    """The protocol's name, the module and class that make a probe of `(spec, shared)`, and the extra they need."""

    protocol: str
    module: str
    name: str
    extra: str | None = None


MAKERS: dict[type[ProbeSpec], Maker] = {
    HttpSpec: Maker("http", "exporter.probes.http.probe", "HttpProbe"),
    TcpSpec: Maker("tcp", "exporter.probes.tcp.probe", "TcpProbe"),
    DnsSpec: Maker("dns", "exporter.probes.dns.probe", "DnsProbe"),
    IcmpSpec: Maker("icmp", "exporter.probes.icmp.probe", "IcmpProbe"),
    WebSocketSpec: Maker("websocket", "exporter.probes.websocket.probe", "WebSocketProbe"),
    GrpcSpec: Maker("grpc", "exporter.probes.grpc.probe", "GrpcProbe", "grpc"),
    PostgresqlSpec: Maker("postgresql", "exporter.probes.postgresql.probe", "PostgresqlProbe"),
    RedisSpec: Maker("redis", "exporter.probes.redis.probe", "RedisProbe", "redis"),
    MongodbSpec: Maker("mongodb", "exporter.probes.mongodb.probe", "MongodbProbe", "mongodb"),
    SqliteSpec: Maker("sqlite", "exporter.probes.sqlite.probe", "SqliteProbe"),
}
"""Modules are imported where a catalog asks for them."""

PROXIED_HTTP = Maker("http", "exporter.probes.http.proxy", "ProxiedHttpProbe")
"""What the lean way does not do."""


class Shared:
    """What the probes of one load have in common: a TLS context holds a megabyte of trusted certificates."""

    __slots__ = ("_conditions", "_contents", "_tls", "_turns")

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._tls: dict[tuple[TlsSpec, tuple[str, ...]], Tls] = {}
        self._conditions: dict[object, Conditions] = {}
        self._turns = asyncio.Semaphore(1)

    def tls(self, spec: TlsSpec, alpn: tuple[str, ...] = ()) -> Tls:
        """The context of a spec.

        Raises:
            TlsError: a certificate file or key cannot be used.
        """
        known = self._tls.get((spec, alpn))
        if known is None:
            known = self._tls[spec, alpn] = Tls(spec, alpn, self._contents)
        return known

    async def read_files(self, specs: Iterable[ProbeSpec]) -> None:
        """Read the files of certificates and keys that `specs` need, so that `tls` need not wait for a disk.

        Raises:
            TlsError: one cannot be read.
        """
        tls = (getattr(spec, "tls", None) for spec in specs)
        self._contents = await read_files_aside(
            {file for one in tls if one is not None for file in one.files}
        )

    def conditions(self, spec: HttpSpec) -> Conditions:
        """The compiled conditions of a spec; thousands of targets have the same ones."""
        from exporter.probes.http.conditions import Conditions

        key = (
            spec.versions,
            spec.statuses,
            spec.header_conditions,
            spec.compression,
            spec.body_conditions,
            spec.json_conditions,
            spec.max_json_bytes,
        )
        known = self._conditions.get(key)
        if known is None:
            known = self._conditions[key] = Conditions(spec, self._turns)
        return known


class CompileError(Exception):
    """A target that passed the catalog's checks and cannot be probed, say because of a key file. One sentence."""


def compile_probe(spec: ProbeSpec, shared: Shared) -> Probe:
    """Everything that can be made before the first run is made here.

    Raises:
        TlsError, ProbeFailure, ValueError, re.error: the spec cannot be probed; one sentence.
    """
    maker = _maker(spec)
    try:
        module = import_module(maker.module)
    except ImportError as error:
        if maker.extra is None:
            raise
        missing = isinstance(error, ModuleNotFoundError)
        why = f"needs the Python package {error.name}, which is not installed" if missing else str(error)
        raise ValueError(f"{why}; run: pip install 'pageforge-exporter[{maker.extra}]'") from None
    return cast("Probe", getattr(module, maker.name)(spec, shared))


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
    return MAKERS[type(spec)].protocol


def reads_files(spec: ProbeSpec) -> bool:
    """Whether compiling the spec read certificate files, which may hold something else at the next reload."""
    tls = getattr(spec, "tls", None)
    return tls is not None and bool(tls.files)


def _maker(spec: ProbeSpec) -> Maker:
    proxied = isinstance(spec, HttpSpec) and spec.proxy is not None
    return PROXIED_HTTP if proxied else MAKERS[type(spec)]


def is_costly(spec: ProbeSpec) -> bool:
    """Whether a run takes a millisecond of CPU and more, as a TLS handshake does, so that runs at the same time would
    measure each other.
    """
    if isinstance(spec, HttpSpec):
        return spec.proxy is not None or spec.url.startswith("https:")
    if isinstance(spec, WebSocketSpec):
        return spec.url.startswith("wss:")
    if isinstance(spec, TcpSpec):
        return spec.tls is not None or spec.starttls is not None
    return not (isinstance(spec, RedisSpec | GrpcSpec) and spec.tls is None)
