"""Table of protocols. A new protocol is a package and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.catalog.planning.specs import (
    DnsSpec,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    MongodbSpec,
    MysqlSpec,
    PostgresqlSpec,
    RedisSpec,
    SqliteSpec,
    TcpSpec,
    WebSocketSpec,
)
from exporter.probes.dns.families import FAMILIES as DNS
from exporter.probes.families import COMMON
from exporter.probes.grpc.families import FAMILIES as GRPC
from exporter.probes.http.families import FAMILIES as HTTP
from exporter.probes.icmp.families import FAMILIES as ICMP
from exporter.probes.mongodb.families import FAMILIES as MONGODB
from exporter.probes.mysql.families import FAMILIES as MYSQL
from exporter.probes.postgresql.families import FAMILIES as POSTGRESQL
from exporter.probes.redis.families import FAMILIES as REDIS
from exporter.probes.sqlite.families import FAMILIES as SQLITE
from exporter.probes.tcp.families import FAMILIES as TCP
from exporter.probes.websocket.families import FAMILIES as WEBSOCKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.catalog.planning.specs import ProbeSpec
    from exporter.probes.families import Family


def _never(_: Any) -> bool:
    return False


def _without_tls(spec: RedisSpec | GrpcSpec) -> bool:
    return spec.tls is None


def _plain_http(spec: HttpSpec) -> bool:
    return spec.proxy is None and not spec.url.startswith("https:")


def _plain_tcp(spec: TcpSpec) -> bool:
    return spec.tls is None and spec.starttls is None


def _plain_websocket(spec: WebSocketSpec) -> bool:
    return not spec.url.startswith("wss:")


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol; `name` is also the name of its package."""

    name: str
    title: str
    """Display name."""
    spec: type[ProbeSpec]
    maker: str
    """The callable in `probe.py` of the package that makes a probe from a spec and the shared objects. `probe.py` is
    imported only if a catalog has such a probe.
    """
    families: tuple[Family, ...]
    """The families besides `COMMON`."""
    extra: str | None = None
    """The extra that installs the required packages."""
    is_lean: Callable[[Any], bool] = _never
    """Returns True for a spec whose run takes less than 1 ms of CPU, because it has no TLS handshake."""


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("http", "HTTP", HttpSpec, "make_probe", HTTP, is_lean=_plain_http),
        Protocol("tcp", "TCP", TcpSpec, "TcpProbe", TCP, is_lean=_plain_tcp),
        Protocol("dns", "DNS", DnsSpec, "DnsProbe", DNS),
        Protocol("icmp", "ICMP", IcmpSpec, "IcmpProbe", ICMP),
        Protocol(
            "websocket", "WebSocket", WebSocketSpec, "WebSocketProbe", WEBSOCKET, is_lean=_plain_websocket
        ),
        Protocol("grpc", "gRPC", GrpcSpec, "GrpcProbe", GRPC, "grpc", is_lean=_without_tls),
        Protocol("postgresql", "PostgreSQL", PostgresqlSpec, "PostgresqlProbe", POSTGRESQL),
        Protocol("mysql", "MySQL", MysqlSpec, "MysqlProbe", MYSQL),
        Protocol("redis", "Redis", RedisSpec, "RedisProbe", REDIS, is_lean=_without_tls),
        Protocol("mongodb", "MongoDB", MongodbSpec, "MongodbProbe", MONGODB, "mongodb"),
        Protocol("sqlite", "SQLite", SqliteSpec, "SqliteProbe", SQLITE),
    )
}

_OF_SPECS = {protocol.spec: protocol for protocol in PROTOCOLS.values()}


def protocol_of(spec: ProbeSpec) -> Protocol:
    """Return the protocol that probes a spec."""
    return _OF_SPECS[type(spec)]


def _merged(tables: Iterable[tuple[Family, ...]]) -> tuple[Family, ...]:
    """Return each family once, in an order that matches all tables."""
    merged: list[Family] = []
    for table in tables:
        place = len(merged)
        for family in reversed(table):
            if family in merged:
                place = merged.index(family)
            else:
                merged.insert(place, family)
    return tuple(merged)


PROBE_FAMILIES = (*COMMON, *_merged(protocol.families for protocol in PROTOCOLS.values()))
"""Every family of probes."""
