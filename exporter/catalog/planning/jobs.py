"""Containers that must run all the time, and jobs, which end when their work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.planning.watched import contained, on_demand, replicas

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service

MAY_END = ("no", "on-failure")
"""Restart policies that do not restart a container that has exited with 0."""


def jobs(catalog: Catalog) -> frozenset[str]:
    """Return the services whose containers are expected to end.

    `restart: "no"` alone does not make a job: a service that listens on a port or is probed is needed all the time.
    """
    awaited = {
        name
        for service in catalog.services.values()
        for name, needed in service.depends_on.items()
        if needed.condition == "completed"
    }
    return frozenset(
        name
        for name, service in catalog.services.items()
        if contained(catalog, name, service) and _ends(catalog, service, awaited=name in awaited)
    )


def wanted(catalog: Catalog) -> dict[str, int]:
    """Return how many containers must run of each service and store that is neither a job nor a file, and that no
    profile starts on demand.

    A service that somebody else runs is left out if the catalog does not say how many containers it has.
    """
    ending = jobs(catalog)
    services = {
        name: service.replicas if service.deployed else replicas(service)
        for name, service in catalog.services.items()
        if contained(catalog, name, service) and name not in ending and not on_demand(catalog, name, service)
    }
    stores = {
        name: 1 if store.deployed else replicas(store)
        for name, store in catalog.stores.items()
        if contained(catalog, name, store) and not on_demand(catalog, name, store)
    }
    return {name: number for name, number in {**services, **stores}.items() if number is not None}


def _ends(catalog: Catalog, service: Service, *, awaited: bool) -> bool:
    if not service.deployed and service.restart is None:
        return awaited
    if (service.restart or catalog.defaults.restart) not in MAY_END:
        # The generated Compose file sets "no" for it, unless the catalog sets restart.
        return awaited and service.restart is None
    serves = service.port or service.public or service.health or service.probes or service.metrics
    return awaited or not serves
