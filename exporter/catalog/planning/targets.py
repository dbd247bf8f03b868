"""Targets of a catalog: whom each probe asks, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.probes.health import HEALTH_PROBE, Health
from exporter.catalog.keys.probes.probe import Probe
from exporter.catalog.keys.probes.tcp import TcpProbe
from exporter.catalog.keys.probes.times import ProbeTimes
from exporter.catalog.planning.parts import Parts
from exporter.catalog.planning.plan import Target
from exporter.catalog.planning.protocols import protocol_of, spec_of
from exporter.catalog.planning.stores import file_spec, server_spec
from exporter.catalog.values.addresses import join_address

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.probes.probe import ProtocolProbe
    from exporter.catalog.keys.services import Metrics, Service
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.reading.problems import CatalogPath

DEFAULT_INTERVAL = 15.0

DEFAULT_TIMEOUT = 5.0

DEFAULT_PORTS = {"http": 80, "https": 443}

PORT_PROBE = "port"

Times = Health | Probe | ProbeTimes


class Planner:
    """Collects targets."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.parts = Parts(catalog)
        self.targets: list[Target] = []

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
        password = self.parts.optional_secret((*base, "password"), store.password)
        tls = self.parts.tls(store.tls) if store.tls else None
        interval, timeout = self._times(store, base, _NO_TIMES)
        try:
            host, port = self.parts.address(name, store, None)
        except ValueError as error:
            self.parts.findings.append((base, str(error)))
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
            self.parts.findings.append(((*base, "path"), str(error)))
            return
        self.targets.append(Target(name, store.engine, spec.path, interval, timeout, spec))

    def metrics_target(self, name: str, service: Service, metrics: Metrics) -> str | None:
        """host:port of the service's own metrics: the scheme's port where none is written, as of HTTP probes."""
        try:
            host, port = self.parts.address(name, service, metrics.port)
        except ValueError as error:
            self.parts.findings.append((("services", name, "metrics"), str(error)))
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
            label, spec = spec_of(self.parts, name, container, spec_path, written)
        except ValueError as error:
            self.parts.findings.append((spec_path, str(error)))
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
                self.parts.findings.append(((*levels[timeout_level][0], "timeout"), sentence))
            timeout = interval
        return interval, timeout


_PORT = TcpProbe()

_NO_TIMES = ProbeTimes()
