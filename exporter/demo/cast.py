"""Who takes part in a demonstration, who cannot, and the targets pointed at those who do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from exporter.catalog.planning.specs import (
    DnsSpec,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    MongodbSpec,
    PostgresqlSpec,
    RedisSpec,
    SqliteSpec,
    TcpSpec,
    WebSocketSpec,
)
from exporter.probes.http.request import parse_url

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import Plan, ServicePlan, Target

LOOPBACK = "127.0.0.1"
"""Written as an address, because `localhost` may lead to another program that listens on `::1`."""


class Part(NamedTuple):
    """A service that takes part, and those of its targets that a stand-in can answer."""

    service: ServicePlan
    targets: list[Target]

    @property
    def speaks_http(self) -> bool:
        return any(isinstance(target.spec, HttpSpec) for target in self.targets)


def cast_of(plan: Plan) -> tuple[list[Part], list[str]]:
    """Who takes part, and sentences about what does not."""
    parts: list[Part] = []
    notes: list[str] = []
    for service in plan.services:
        name = service.name
        if not service.deployed:
            notes.append(f"{name} is left out: the catalog watches it and does not deploy it.")
            continue
        asked = [target for target in plan.targets if target.service == name]
        refused = [(target, why) for target in asked if (why := _refusal(target))]
        notes += [f"{name}: probe {target.probe} is left out: {why}." for target, why in refused]
        if asked and len(refused) == len(asked):
            notes.append(f"{name} is left out: none of its probes can be answered.")
        else:
            parts.append(Part(service, [target for target in asked if not _refusal(target)]))
    return parts, notes


def _refusal(target: Target) -> str:
    """Why no stand-in can answer this probe; empty if one can."""
    match target.spec:
        case HttpSpec(url=url) if parse_url(url).scheme == "https":
            return "a stand-in speaks no TLS"
        case TcpSpec(tls=tls, starttls=starttls) if tls is not None or starttls is not None:
            return "a stand-in speaks no TLS"
        case TcpSpec(exchanges=exchanges) if exchanges:
            return "a stand-in holds no conversation over TCP"
        case DnsSpec():
            return "a stand-in answers no DNS"
        case IcmpSpec():
            return "a stand-in has no host of its own to ping"
        case GrpcSpec():
            return "a stand-in speaks no gRPC"
        case WebSocketSpec():
            return "a stand-in speaks no WebSocket"
        case SqliteSpec():
            return "a stand-in has no file"
    return ""


def port_of(target: Target) -> int:
    spec = target.spec
    return parse_url(spec.url).port if isinstance(spec, HttpSpec) else cast("TcpSpec", spec).port


def moved_to(target: Target, port: int) -> Target:
    """The target at its stand-in. Secrets stay behind: none is read for a stand-in, nor sent to one.

    Of a database, the stand-in is only a port that accepts, so only that is asked of it.
    """
    spec = target.spec
    if isinstance(spec, PostgresqlSpec | RedisSpec | MongodbSpec):
        spec = TcpSpec(spec.host, spec.port)
    if isinstance(spec, HttpSpec):
        url = f"http://{LOOPBACK}:{port}{parse_url(spec.url).path}"
        plain_headers = tuple((name, value) for name, value in spec.headers if isinstance(value, str))
        moved = replace(
            spec,
            url=url,
            request_path=None,
            headers=plain_headers,
            body=spec.body if isinstance(spec.body, str) else None,
            basic_auth=None,
            bearer_token=None,
            proxy=None,
            ip_protocol="any",
        )
        return replace(target, target=url, spec=moved)
    tcp = replace(cast("TcpSpec", spec), host=LOOPBACK, port=port, ip_protocol="any")
    return replace(target, target=f"{LOOPBACK}:{port}", spec=tcp)
