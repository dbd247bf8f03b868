"""A catalog made flat: the targets that the daemon probes in one environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.http_probe import HttpProbe
from exporter.catalog.probes import DnsProbe, Health, IcmpProbe, Probe, ProbeTimes, TcpProbe
from exporter.catalog.secret_paths import absolute, resolve
from exporter.catalog.stores import Store
from exporter.catalog.targets import (
    BasicAuth,
    Condition,
    DnsSpec,
    Exchange,
    HeaderCondition,
    HttpSpec,
    IcmpSpec,
    JsonCondition,
    Plan,
    ServicePlan,
    Target,
    TcpSpec,
    TlsSpec,
)
from exporter.catalog.values import split_address

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.http_probe import Tls
    from exporter.catalog.probes import DnsAnswers
    from exporter.catalog.problems import CatalogPath
    from exporter.catalog.references import TextTemplate
    from exporter.catalog.secrets import SecretText
    from exporter.catalog.services import Container, Service
    from exporter.catalog.targets import ProbeSpec

DEFAULT_INTERVAL = 15.0
DEFAULT_TIMEOUT = 5.0
PORT_PROBE = "port"
HEALTH_PROBE = "health"


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A secret that a probe reads, and the key that asks for it."""

    path: CatalogPath
    text: SecretText


Times = Health | Probe | ProbeTimes
Finding = tuple["CatalogPath", str]
"""A place and a sentence."""


def build_plan(catalog: Catalog) -> tuple[Plan, list[SecretUse], list[Finding]]:
    """The plan of the catalog's environment, every secret that its probes read, and what is wrong with it."""
    planner = _Planner(catalog)
    services = (
        *(_service_plan(catalog, name, service) for name, service in catalog.services.items()),
        *(_service_plan(catalog, name, store) for name, store in catalog.stores.items()),
    )
    for name, service in catalog.services.items():
        planner.service(name, service)
    for name, store in catalog.stores.items():
        planner.store(name, store)
    host, port = catalog.exporter.listen
    plan = Plan(
        project=catalog.project,
        environment=catalog.environment_name,
        listen_host=host,
        listen_port=port,
        services=services,
        targets=tuple(planner.targets),
        buckets=_buckets(catalog),
    )
    return plan, planner.uses, planner.findings


def _service_plan(catalog: Catalog, name: str, container: Service | Store) -> ServicePlan:
    is_store = isinstance(container, Store)
    return ServicePlan(
        name=name,
        kind="store" if is_store else "service",
        description=container.description,
        owner=container.owner or catalog.defaults.owner,
        depends_on=() if is_store else tuple(container.depends_on),
        runbook=container.runbook or _runbook(catalog, name, "StoreDown" if is_store else "ServiceDown"),
        deployed=True if is_store else container.deployed,
        port=container.listen_port if is_store else container.port,
        metrics_path=None if is_store or container.metrics is None else container.metrics.path,
    )


def _runbook(catalog: Catalog, service: str, alert: str) -> str | None:
    pattern = catalog.defaults.runbooks
    return pattern.replace("{alert}", alert).replace("{service}", service) if pattern else None


def _buckets(catalog: Catalog) -> tuple[float, ...]:
    objectives = [
        catalog.defaults.slo,
        *(c.slo for c in (*catalog.services.values(), *catalog.stores.values())),
    ]
    return tuple(sorted({objective.latency.under for objective in objectives if objective.latency}))


class _Planner:
    """Collects targets. Equal parts of them are one object, so a plan of thousands pickles small."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._environment = catalog.environment
        self._shared: dict[TlsSpec, TlsSpec] = {}
        self.targets: list[Target] = []
        self.uses: list[SecretUse] = []
        self.findings: list[Finding] = []

    def service(self, name: str, service: Service) -> None:
        base: CatalogPath = ("services", name)
        health = service.health
        if health is not None:
            path = (*base, "health")
            self._add(name, service, HEALTH_PROBE, path, health, health)
        self._probes(name, service, base)
        if health is None and not service.probes and service.port is not None:
            self._add(name, service, PORT_PROBE, (*base, "port"), _PORT, _NO_TIMES)

    def store(self, name: str, store: Store) -> None:
        base: CatalogPath = ("stores", name)
        self._probes(name, store, base)
        if store.listen_port is not None and all(probe.name != PORT_PROBE for probe in store.probes):
            self._add(name, store, PORT_PROBE, base, _PORT, _NO_TIMES)

    def _probes(self, name: str, container: Container, base: CatalogPath) -> None:
        for index, probe in enumerate(container.probes):
            path = (*base, "probes", index)
            self._add(name, container, probe.name, path, probe.spec, probe)

    def _add(
        self,
        name: str,
        container: Container,
        probe: str,
        path: CatalogPath,
        written: HttpProbe | TcpProbe | DnsProbe | IcmpProbe,
        times: Times,
    ) -> None:
        interval, timeout = self._times(container, path, times)
        spec_path = (*path, protocol_of(written)) if isinstance(times, Probe) else path
        try:
            label, spec = self._spec(name, container, spec_path, written)
        except ValueError as error:
            self.findings.append((spec_path, str(error)))
            return
        self.targets.append(Target(name, probe, label, interval, timeout, spec))

    def _times(self, container: Container, path: CatalogPath, times: Times) -> tuple[float, float]:
        """Interval and timeout: of the probe, its service, the defaults, or built in; the nearest counts.

        A timeout from further away than the interval gives way to it: whoever writes `interval: 2s` need not
        write a timeout too. One that is as near or nearer was meant for this interval, so it is a mistake.
        """
        levels = (
            (path, times),
            ((*path[:2], "probe"), container.probe),
            (("defaults", "probe"), self._catalog.defaults.probe),
        )
        interval, interval_level = next(
            ((t.interval, i) for i, (_, t) in enumerate(levels) if t.interval),
            (DEFAULT_INTERVAL, len(levels)),
        )
        timeout, timeout_level = next(
            ((t.timeout, i) for i, (_, t) in enumerate(levels) if t.timeout), (DEFAULT_TIMEOUT, len(levels))
        )
        if timeout > interval:
            if timeout_level <= interval_level < len(levels) or timeout_level < len(levels) == interval_level:
                sentence = f"a timeout of {timeout:g}s is longer than the interval of {interval:g}s; it may be at most as long"
                self.findings.append(((*levels[timeout_level][0], "timeout"), sentence))
            timeout = interval
        return interval, timeout

    def _spec(
        self,
        name: str,
        container: Container,
        path: CatalogPath,
        written: HttpProbe | TcpProbe | DnsProbe | IcmpProbe,
    ) -> tuple[str, ProbeSpec]:
        if isinstance(written, HttpProbe):
            spec = self._http(name, container, path, written)
            return spec.url, spec
        if isinstance(written, TcpProbe):
            tcp = self._tcp(name, container, path, written)
            return join_address(tcp.host, tcp.port), tcp
        if isinstance(written, DnsProbe):
            return written.name, _dns(written)
        host = written.host or self._address(name, container, None)[0]
        return host, IcmpSpec(host, written.payload, written.ttl, written.ip)

    def _address(self, name: str, container: Container, port: int | None) -> tuple[str, int | None]:
        """Host and port at which the daemon finds a service; `port` is the probe's own, if it has one."""
        listens = container.listen_port if isinstance(container, Store) else container.port
        published = container.host_port if self._environment.publishes_all else None
        chosen = port or published or listens
        template = container.address or self._environment.address
        if chosen is None:
            template = template.replace(":{port}", "")
            if "{port}" in template:
                raise ValueError("needs a port; write it here or on the service")
        text = template.format(
            service=name,
            port=chosen,
            project=self._catalog.project,
            environment=self._catalog.environment_name,
        )
        host, given = split_address(text)
        return host, port or given

    def _http(self, name: str, container: Container, path: CatalogPath, written: HttpProbe) -> HttpSpec:
        url = written.url
        if url is None:
            host, port = self._address(name, container, written.port)
            url = f"{written.scheme}://{join_address(host, port)}{written.path}"
        auth = written.basic_auth
        return HttpSpec(
            url=url,
            method=written.method,
            headers=tuple(
                (header, self._text((*path, "headers", header), value))
                for header, value in written.headers.items()
            ),
            body=None if written.send is None else self._text((*path, "send"), written.send),
            statuses=written.status,
            versions=written.versions,
            body_conditions=_body_conditions(written),
            json_conditions=tuple(
                JsonCondition(item.path, item.equals_json, item.matches, not item.absent)
                for item in written.json_conditions
            ),
            header_conditions=_header_conditions(written),
            follow_redirects=written.redirects >= 0,
            max_redirects=max(written.redirects, 0),
            tls=self._tls(written.tls),
            basic_auth=auth
            and BasicAuth(auth.username, self._secret((*path, "basic_auth", "password"), auth.password)),
            bearer_token=written.bearer_token and self._secret((*path, "bearer_token"), written.bearer_token),
            proxy=written.proxy and self._text((*path, "proxy"), written.proxy),
            ip_protocol=written.ip,
            max_body_bytes=written.max_body,
            compression=written.compression,
        )

    def _tcp(self, name: str, container: Container, path: CatalogPath, written: TcpProbe) -> TcpSpec:
        listens = container.listen_port if isinstance(container, Store) else container.port
        if written.address is not None:
            host, port = written.address
        elif written.host is not None:
            host, port = written.host, written.port
        else:
            host, port = self._address(name, container, written.port)
        port = port or written.port or listens
        if port is None:
            raise ValueError("needs a port; write it here or on the service")
        return TcpSpec(
            host=host,
            port=port,
            tls=written.tls and self._tls(written.tls),
            starttls=written.starttls,
            exchanges=tuple(
                Exchange(
                    step.expect,
                    step.send and self._text((*path, "exchanges", index, "send"), step.send),
                    step.starttls,
                )
                for index, step in enumerate(written.exchanges)
            ),
            ip_protocol=written.ip,
        )

    def _tls(self, written: Tls) -> TlsSpec:
        spec = TlsSpec(
            verify=written.verify,
            server_name=written.server_name,
            min_version=written.min_version,
            ca_file=written.ca and absolute(self._catalog, written.ca),
            certificate_file=written.certificate and absolute(self._catalog, written.certificate),
            key_file=written.key and absolute(self._catalog, written.key),
        )
        return self._shared.setdefault(spec, spec)

    def _text(self, path: CatalogPath, template: TextTemplate) -> str | SecretText:
        text = resolve(self._catalog, template)
        if not isinstance(text, str):
            self.uses.append(SecretUse(path, text))
        return text

    def _secret(self, path: CatalogPath, template: TextTemplate) -> SecretText:
        text = self._text(path, template)
        return SecretText((text,)) if isinstance(text, str) else text


def protocol_of(written: HttpProbe | TcpProbe | DnsProbe | IcmpProbe) -> str:
    """The key that holds it in a probe."""
    return {HttpProbe: "http", TcpProbe: "tcp", DnsProbe: "dns", IcmpProbe: "icmp"}[type(written)]


def join_address(host: str, port: int | None) -> str:
    """`host:port`, with brackets round an IPv6 address."""
    text = f"[{host}]" if ":" in host else host
    return text if port is None else f"{text}:{port}"


def _body_conditions(written: HttpProbe) -> tuple[Condition, ...]:
    body = written.body
    return (
        *(Condition(re.escape(text)) for text in body.contains),
        *(Condition(pattern) for pattern in body.matches),
        *(Condition(re.escape(text), present=False) for text in body.absent),
        *(Condition(pattern, present=False) for pattern in body.not_matches),
    )


def _header_conditions(written: HttpProbe) -> tuple[HeaderCondition, ...]:
    conditions = []
    for name, item in written.header.items():
        if item.matches is not None:
            conditions.append(HeaderCondition(name, item.matches))
        if item.not_matches is not None:
            conditions.append(HeaderCondition(name, item.not_matches, present=False))
        if item.absent:
            # Every value matches the empty expression, so only a missing header passes.
            conditions.append(HeaderCondition(name, "", present=False))
    return tuple(conditions)


def _dns(written: DnsProbe) -> DnsSpec:
    minimum = written.min_answers
    if minimum is None:
        minimum = 1 if written.rcodes == ("NOERROR",) else 0
    return DnsSpec(
        name=written.name,
        type=written.type,
        server=written.server,
        transport=written.transport,
        rcodes=written.rcodes,
        answers=_answers(written.answers),
        min_answers=minimum,
        recursion=written.recursion,
        ip_protocol=written.ip,
    )


def _answers(answers: DnsAnswers) -> tuple[Condition, ...]:
    return (
        *(Condition(pattern) for pattern in answers.matches),
        *(Condition(pattern, present=False) for pattern in answers.not_matches),
    )


_PORT = TcpProbe()
_NO_TIMES = ProbeTimes()
