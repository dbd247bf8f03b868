"""Targets of a catalog: whom each probe asks, how often, and with which secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.addresses import split_address
from exporter.catalog.http_probe import HttpProbe
from exporter.catalog.network_probes import GrpcProbe, WebSocketProbe
from exporter.catalog.probe_specs import (
    body_conditions,
    dns_spec,
    header_conditions,
    join_address,
    protocol_of,
)
from exporter.catalog.probes import DnsProbe, Health, Probe, ProbeTimes, TcpProbe
from exporter.catalog.references import LITERAL_SECRET
from exporter.catalog.secret_paths import absolute, resolve
from exporter.catalog.secrets import SecretText
from exporter.catalog.store_specs import file_spec, server_spec
from exporter.catalog.targets import (
    BasicAuth,
    Exchange,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    JsonCondition,
    Target,
    TcpSpec,
    TlsSpec,
    WebSocketSpec,
)

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.containers import Container
    from exporter.catalog.http_probe import BasicAuth as WrittenAuth
    from exporter.catalog.http_probe import Tls
    from exporter.catalog.network_probes import AddressedProbe
    from exporter.catalog.probes import ProtocolProbe
    from exporter.catalog.problems import CatalogPath
    from exporter.catalog.references import TextTemplate
    from exporter.catalog.services import Metrics, Service
    from exporter.catalog.stores import Store
    from exporter.catalog.targets import ProbeSpec

DEFAULT_INTERVAL = 15.0

DEFAULT_TIMEOUT = 5.0

DEFAULT_PORTS = {"http": 80, "https": 443}

PORT_PROBE = "port"

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"})

HEALTH_PROBE = "health"


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A secret that a probe reads, and the key that asks for it."""

    path: CatalogPath
    text: SecretText


Times = Health | Probe | ProbeTimes

Finding = tuple["CatalogPath", str]
"""A place and a sentence."""


class Planner:
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
        if all(probe.name != store.engine for probe in store.probes):
            plan = self._file if store.engine == "sqlite" else self._server
            plan(name, store, base)

    def _server(self, name: str, store: Store, base: CatalogPath) -> None:
        """The store itself, and each server that follows it."""
        password = self._secret((*base, "password"), store.password) if store.password else None
        tls = self._tls(store.tls) if store.tls else None
        interval, timeout = self._times(store, base, _NO_TIMES)
        try:
            host, port = self._address(name, store, None)
        except ValueError as error:
            self.findings.append((base, str(error)))
            return
        port = port or store.listen_port or 0
        places: list[tuple[str, str, int]] = [(store.engine, host, port)]
        places += [(f"replica-{other.host}", other.host, other.port or port) for other in store.replicas]
        hosts = [other.host for other in store.replicas]
        for probe, at, on in places:
            label = join_address(at, on)
            unique = f"{probe}-{on}" if hosts.count(at) > 1 and probe != store.engine else probe
            spec = server_spec(store, at, on, password, tls)
            self.targets.append(Target(name, unique, label, interval, timeout, spec))

    def _file(self, name: str, store: Store, base: CatalogPath) -> None:
        interval, timeout = self._times(store, base, _NO_TIMES)
        try:
            spec = file_spec(self._catalog, store)
        except ValueError as error:
            self.findings.append(((*base, "path"), str(error)))
            return
        self.targets.append(Target(name, store.engine, spec.path, interval, timeout, spec))

    def metrics_target(self, name: str, service: Service, metrics: Metrics) -> str | None:
        """host:port of the service's own metrics: the scheme's port where none is written, as of HTTP probes."""
        try:
            host, port = self._address(name, service, metrics.port)
        except ValueError as error:
            self.findings.append((("services", name, "metrics"), str(error)))
            return None
        return join_address(host, port or DEFAULT_PORTS[metrics.scheme])

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
        written: ProtocolProbe,
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
                sentence = f"a timeout of {timeout:g}s is longer than the interval of {interval:g}s"
                self.findings.append(((*levels[timeout_level][0], "timeout"), sentence))
            timeout = interval
        return interval, timeout

    def _spec(
        self,
        name: str,
        container: Container,
        path: CatalogPath,
        written: ProtocolProbe,
    ) -> tuple[str, ProbeSpec]:
        if isinstance(written, HttpProbe):
            spec = self._http(name, container, path, written)
            return spec.url, spec
        if isinstance(written, TcpProbe):
            tcp = self._tcp(name, container, path, written)
            return join_address(tcp.host, tcp.port), tcp
        if isinstance(written, DnsProbe):
            return written.name, dns_spec(written)
        if isinstance(written, WebSocketProbe):
            websocket = self._websocket(name, container, path, written)
            return websocket.url, websocket
        if isinstance(written, GrpcProbe):
            grpc = self._grpc(name, container, path, written)
            return join_address(grpc.host, grpc.port) + (f"/{grpc.service}" if grpc.service else ""), grpc
        host = written.host or self._address(name, container, None)[0]
        return host, IcmpSpec(host, written.payload, written.ttl, written.ip)

    def _address(self, name: str, container: Container, port: int | None) -> tuple[str, int | None]:
        """Host and port at which the daemon finds a service; `port` is the probe's own, if it has one."""
        published = container.host_port if self._environment.publishes_all else None
        chosen = port or published or container.listen_port
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

    def _url(self, name: str, container: Container, written: HttpProbe | WebSocketProbe) -> str:
        if written.url is not None:
            return written.url
        host, port = self._address(name, container, written.port)
        return f"{written.scheme}://{join_address(host, port)}{written.path}"

    def _http(self, name: str, container: Container, path: CatalogPath, written: HttpProbe) -> HttpSpec:
        return HttpSpec(
            url=self._url(name, container, written),
            method=written.method,
            headers=self._headers((*path, "headers"), written.headers),
            body=self._optional_text((*path, "send"), written.send),
            statuses=written.status,
            versions=written.versions,
            body_conditions=body_conditions(written),
            json_conditions=tuple(
                JsonCondition(item.path, item.equals_json, item.matches, not item.absent)
                for item in written.json_conditions
            ),
            header_conditions=header_conditions(written),
            follow_redirects=written.redirects >= 0,
            max_redirects=max(written.redirects, 0),
            tls=self._tls(written.tls),
            basic_auth=self._basic_auth((*path, "basic_auth"), written.basic_auth),
            bearer_token=self._optional_secret((*path, "bearer_token"), written.bearer_token),
            proxy=self._optional_text((*path, "proxy"), written.proxy),
            ip_protocol=written.ip,
            max_body_bytes=written.max_body,
            compression=written.compression,
        )

    def _websocket(
        self, name: str, container: Container, path: CatalogPath, written: WebSocketProbe
    ) -> WebSocketSpec:
        return WebSocketSpec(
            url=self._url(name, container, written),
            headers=self._headers((*path, "headers"), written.headers),
            subprotocols=written.subprotocols,
            send=self._optional_text((*path, "send"), written.send),
            expect=written.expect,
            tls=self._tls(written.tls),
            basic_auth=self._basic_auth((*path, "basic_auth"), written.basic_auth),
            bearer_token=self._optional_secret((*path, "bearer_token"), written.bearer_token),
            ip_protocol=written.ip,
        )

    def _grpc(self, name: str, container: Container, path: CatalogPath, written: GrpcProbe) -> GrpcSpec:
        host, port = self._port(name, container, written)
        return GrpcSpec(
            host=host,
            port=port,
            service=written.service,
            metadata=self._headers((*path, "metadata"), written.metadata),
            tls=self._tls(written.tls) if written.tls else None,
            ip_protocol=written.ip,
        )

    def _port(self, name: str, container: Container, written: AddressedProbe) -> tuple[str, int]:
        """Host and port of a probe of one port."""
        if written.address is not None:
            host, port = written.address
        elif written.host is not None:
            host, port = written.host, written.port
        else:
            host, port = self._address(name, container, written.port)
        port = port or written.port or container.listen_port
        if port is None:
            raise ValueError("needs a port; write it here or on the service")
        return host, port

    def _tcp(self, name: str, container: Container, path: CatalogPath, written: TcpProbe) -> TcpSpec:
        host, port = self._port(name, container, written)
        return TcpSpec(
            host=host,
            port=port,
            tls=self._tls(written.tls) if written.tls else None,
            starttls=written.starttls,
            exchanges=tuple(
                Exchange(
                    step.expect,
                    self._optional_text((*path, "exchanges", index, "send"), step.send),
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

    def _headers(
        self, path: CatalogPath, headers: dict[str, TextTemplate]
    ) -> tuple[tuple[str, str | SecretText], ...]:
        for header, value in headers.items():
            if header.lower() in _SECRET_HEADERS and value.literal is not None:
                self.findings.append(((*path, header), LITERAL_SECRET))
        return tuple((header, self._text((*path, header), value)) for header, value in headers.items())

    def _basic_auth(self, path: CatalogPath, written: WrittenAuth | None) -> BasicAuth | None:
        if written is None:
            return None
        return BasicAuth(written.username, self._secret((*path, "password"), written.password))

    def _optional_secret(self, path: CatalogPath, template: TextTemplate | None) -> SecretText | None:
        return None if template is None else self._secret(path, template)

    def _optional_text(self, path: CatalogPath, template: TextTemplate | None) -> str | SecretText | None:
        return None if template is None else self._text(path, template)

    def _text(self, path: CatalogPath, template: TextTemplate) -> str | SecretText:
        text = resolve(self._catalog, template)
        if not isinstance(text, str):
            self.uses.append(SecretUse(path, text))
        return text

    def _secret(self, path: CatalogPath, template: TextTemplate) -> SecretText:
        text = self._text(path, template)
        return SecretText((text,)) if isinstance(text, str) else text


_PORT = TcpProbe()

_NO_TIMES = ProbeTimes()
