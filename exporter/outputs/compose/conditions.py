"""The dependencies that a service waits for, and their conditions: started, healthy or completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from exporter.outputs.compose.names import deployed_services, deployed_stores
from exporter.outputs.health import service_check

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Dependency, Service

When = Literal["started", "healthy", "completed"]

CONDITIONS: dict[When, str] = {
    "started": "service_started",
    "healthy": "service_healthy",
    "completed": "service_completed_successfully",
}
"""Compose's names."""


def dependencies(catalog: Catalog, service: Service) -> dict[str, When]:
    """Return what the service waits for: only dependencies that have a container here."""
    found = {name: _when(catalog, name, needed) for name, needed in service.depends_on.items()}
    return {name: when for name, when in found.items() if when}


def awaited(catalog: Catalog) -> set[str]:
    """Return the names that must be healthy or completed before another service starts."""
    return {
        name
        for service in deployed_services(catalog).values()
        for name, when in dependencies(catalog, service).items()
        if when != "started"
    }


def jobs(catalog: Catalog) -> set[str]:
    """Return the services that others wait for until they have ended, and that must not be restarted."""
    return {
        name
        for service in deployed_services(catalog).values()
        for name, needed in service.depends_on.items()
        if needed.condition == "completed"
    }


def _when(catalog: Catalog, name: str, dependency: Dependency) -> When | None:
    if name in deployed_stores(catalog):
        return "started" if dependency.optional else dependency.condition
    needed = deployed_services(catalog).get(name)
    if needed is None or not needed.replicas:
        return None
    # If neither this file nor the image has a health check, Compose would refuse to start.
    unknown = dependency.condition == "healthy" and service_check(catalog, needed) is None
    return "started" if dependency.optional or unknown else dependency.condition
