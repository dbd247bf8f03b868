"""Targets of a catalog: the probes that it asks for, their addresses, and how often they run.

This module collects the probes. Each gets its times from `times` and its specs from `protocols` or `stores`, which
are made of addresses, TLS and secrets (`parts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.probes.health import HEALTH_PROBE
from exporter.catalog.keys.probes.tcp import TcpProbe
from exporter.catalog.keys.probes.times import ProbeTimes
from exporter.catalog.planning.asked import Asked, AskedStore
from exporter.catalog.planning.plan import Target
from exporter.catalog.planning.protocols import spec_of
from exporter.catalog.planning.stores import store_specs
from exporter.catalog.planning.times import times
from exporter.catalog.planning.watched import on_demand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.planning.parts import Parts
    from exporter.catalog.reading.problems import CatalogPath

PORT_PROBE = "port"


def targets(catalog: Catalog, parts: Parts) -> list[Target]:
    """Return every target; mistakes go to `parts.findings`."""
    found = []
    for asked in _asked(catalog):
        interval, timeout, finding = times(catalog, asked.container, asked.path, asked.times)
        if finding:
            parts.findings.append(finding)
        try:
            specs = store_specs(parts, asked) if isinstance(asked, AskedStore) else [spec_of(parts, asked)]
        except ValueError as error:
            parts.findings.append((asked.address_path, str(error)))
            continue
        rests = on_demand(catalog, asked.service, asked.container)
        found += [
            Target(asked.service, probe, label, interval, timeout, spec, rests)
            for probe, label, spec in specs
        ]
    return found


def _asked(catalog: Catalog) -> Iterator[Asked | AskedStore]:
    for name, service in catalog.services.items():
        yield from _of_service(name, service, ("services", name))
    for name, store in catalog.stores.items():
        yield from _of_store(name, store, ("stores", name))


def _of_service(name: str, service: Service, base: CatalogPath) -> Iterator[Asked]:
    health = service.health
    if health is not None:
        yield Asked(name, HEALTH_PROBE, service, (*base, "health"), health, health, (*base, "health"))
    yield from _written(name, service, base)
    if health is None and not service.probes and service.port is not None:
        yield Asked(name, PORT_PROBE, service, (*base, "port"), _NO_TIMES, _PORT, (*base, "port"))


def _of_store(name: str, store: Store, base: CatalogPath) -> Iterator[Asked | AskedStore]:
    yield from _written(name, store, base)
    if all(probe.name != store.engine for probe in store.probes):
        yield AskedStore(name, store, base, _NO_TIMES)


def _written(name: str, container: Service | Store, base: CatalogPath) -> Iterator[Asked]:
    for index, probe in enumerate(container.probes):
        path = (*base, "probes", index)
        yield Asked(name, probe.name, container, path, probe, probe.spec, (*path, probe.protocol))


_PORT = TcpProbe()

_NO_TIMES = ProbeTimes()
