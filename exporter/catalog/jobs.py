"""Which containers must run all the time, and which end when their work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.services import Service
from exporter.catalog.stores import Store

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.containers import Container

MAY_END = ("no", "on-failure")
"""Restart policies that leave a container alone that has ended with 0."""


def is_job(catalog: Catalog, name: str, container: Container) -> bool:
    """Return True if the container is expected to end: others wait for that, or nothing would start it again.

    `restart: "no"` alone does not make a job: who listens on a port, or is probed, serves somebody and is missed.
    """
    if not isinstance(container, Service):
        return False
    if (container.restart or catalog.defaults.restart) not in MAY_END:
        return container.restart is None and _is_waited_for(catalog, name)
    serves = container.port or container.public or container.health or container.probes or container.metrics
    return _is_waited_for(catalog, name) or not serves


def wanted(catalog: Catalog, name: str, container: Container) -> int | None:
    """Return how many containers must run; None of what is not deployed, of a job, and of a file."""
    if isinstance(container, Store):
        return None if container.engine == "sqlite" else 1
    if not container.deployed or is_job(catalog, name, container):
        return None
    return container.replicas if isinstance(container, Service) else 1


def _is_waited_for(catalog: Catalog, name: str) -> bool:
    return any(
        needed.condition == "completed"
        for service in catalog.services.values()
        for other, needed in service.depends_on.items()
        if other == name
    )
