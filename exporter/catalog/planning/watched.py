"""Containers of services that somebody else runs: which they are, and how many there must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.services import Service
from exporter.catalog.planning.places import compose_project
from exporter.catalog.planning.plan import Claim

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.keys.volumes import Volume


def contained(catalog: Catalog, name: str, container: Service | Store) -> bool:
    """True if containers on the watched engine can be those of this service or store."""
    if not isinstance(container, Service) and container.engine == "sqlite":
        return False
    if container.deployed or container.containers is not None:
        return True
    if isinstance(container, Service):
        known = container.deployable or not container.probed or catalog.observe.projects
        return bool(known)
    return not container.runs_elsewhere(name)


def claim(container: Service | Store) -> Claim | None:
    """Return which containers are its own, if it says so."""
    written = container.containers
    return Claim(written.service, written.project, written.name) if written else None


def host_name(name: str, container: Service | Store) -> str:
    """Return the name that its containers have on their network."""
    written = container.containers
    return (written.name or written.service or name) if written and not container.deployed else name


def replicas(container: Service | Store) -> int | None:
    """Return how many containers somebody else must run; None if the catalog does not say."""
    if isinstance(container, Service) and "replicas" in container.model_fields_set:
        return container.replicas
    return None


def least(container: Service | Store) -> int:
    """Return how many containers somebody else must run at least: one if they are what the catalog watches."""
    named = container.containers is not None
    only = isinstance(container, Service) and not container.probed and not container.deployable
    return int(not container.deployed and (named or only))


def on_demand(catalog: Catalog, name: str, container: Service | Store) -> bool:
    """True if a person starts it on the watched engine, by a profile: while it does not run, nothing is wrong."""
    return bool(container.profiles) and contained(catalog, name, container)


def own_volumes(catalog: Catalog) -> dict[str, Volume]:
    """Return the catalog's volumes without those that only somebody else's containers mount, or that are unused in a
    catalog that only watches: their names on the engine are not known.
    """
    ours, theirs = set[str | None](), set[str | None]()
    for container in (*catalog.services.values(), *catalog.stores.values()):
        mounted = ours if container.deployed else theirs
        mounted |= {mount.volume for mount in container.volumes}
    return {
        name: volume
        for name, volume in catalog.volumes.items()
        if name in ours or (name not in theirs and catalog.managed)
    }


def projects(catalog: Catalog) -> tuple[str, ...]:
    """Return the Compose projects and Swarm stacks whose containers are the catalog's services of the same name."""
    return tuple(dict.fromkeys((catalog.project, compose_project(catalog), *catalog.observe.projects)))
