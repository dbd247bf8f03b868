"""Selection of the services that can be simulated, and redirection of their targets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from exporter.catalog.planning.specs import (
    HttpSpec,
    MongodbSpec,
    MysqlSpec,
    PostgresqlSpec,
    RedisSpec,
    TcpSpec,
)
from exporter.probes.http.request import parse_url
from exporter.probes.protocols import protocol_of

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import Plan, ServicePlan, Target

LOOPBACK = "127.0.0.1"
"""An address, because `localhost` can resolve to `::1`, where another program may listen."""


class Part(NamedTuple):
    """A service to simulate, with those of its targets that can be answered."""

    service: ServicePlan
    targets: list[Target]

    @property
    def speaks_http(self) -> bool:
        return any(isinstance(target.spec, HttpSpec) for target in self.targets)


def cast_of(plan: Plan) -> tuple[list[Part], list[str]]:
    """Return the services to simulate, and sentences about those that are left out."""
    parts: list[Part] = []
    notes: list[str] = []
    for service in plan.services:
        name = service.name
        if not service.deployed:
            notes.append(f"{name} is left out: the catalog watches it but does not deploy it.")
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
    """Return why a simulated service cannot answer this probe; empty if it can."""
    match target.spec:
        case HttpSpec(url=url) if parse_url(url).scheme == "https":
            return "the demo does not support TLS"
        case TcpSpec(tls=tls, starttls=starttls) if tls is not None or starttls is not None:
            return "the demo does not support TLS"
        case TcpSpec(exchanges=exchanges) if exchanges:
            return "the demo does not support exchanges over TCP"
        case HttpSpec() | TcpSpec() | PostgresqlSpec() | MysqlSpec() | RedisSpec() | MongodbSpec():
            return ""
    return f"the demo does not support {protocol_of(target.spec).name} probes"


def port_of(target: Target) -> int:
    spec = target.spec
    return parse_url(spec.url).port if isinstance(spec, HttpSpec) else cast("TcpSpec", spec).port


def moved_to(target: Target, port: int) -> Target:
    """Return the target, redirected to the simulated service. No secrets are read for it or sent to it.

    A database is simulated only by a port that accepts connections, so only that is probed.
    """
    spec = target.spec
    if isinstance(spec, PostgresqlSpec | MysqlSpec | RedisSpec | MongodbSpec):
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
        return replace(target, target=url, spec=moved, on_demand=False)
    tcp = replace(cast("TcpSpec", spec), host=LOOPBACK, port=port, ip_protocol="any")
    return replace(target, target=f"{LOOPBACK}:{port}", spec=tcp, on_demand=False)
