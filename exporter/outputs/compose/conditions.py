"""The dependencies that a service waits for, and their conditions: started, healthy or completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.names import deployed_services, deployed_stores
from exporter.outputs.health import has_check

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.depends_on import Condition, Dependency
    from exporter.catalog.keys.container.model import Container

CONDITIONS: dict[Condition, str] = {
    "started": "service_started",
    "healthy": "service_healthy",
    "completed": "service_completed_successfully",
}
"""Compose's names."""


def dependencies(catalog: Catalog, container: Container) -> dict[str, Condition]:
    """Return what the service or store waits for: only dependencies that have a container here."""
    found = {name: _when(catalog, container, name, needed) for name, needed in container.depends_on.items()}
    return {name: when for name, when in found.items() if when}


def depends_keys(catalog: Catalog, container: Container) -> dict[str, Any]:
    """Return `depends_on` of a service of Compose."""
    found = {
        name: {
            "condition": CONDITIONS[when],
            **({"restart": True} if container.depends_on[name].restart else {}),
        }
        for name, when in dependencies(catalog, container).items()
    }
    return {"depends_on": found} if found else {}


def awaited(catalog: Catalog) -> set[str]:
    """Return the names that must be healthy or completed before another service starts."""
    return {
        name
        for container in (*deployed_services(catalog).values(), *deployed_stores(catalog).values())
        for name, when in dependencies(catalog, container).items()
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


def _when(catalog: Catalog, container: Container, name: str, dependency: Dependency) -> Condition | None:
    there = {**deployed_services(catalog), **deployed_stores(catalog)}
    needed = there.get(name)
    if needed is None or not (name in catalog.stores or catalog.services[name].replicas):
        return None
    if not dependency.needed:
        # Compose refuses to wait for what no profile has started.
        return "started" if container.starts_with(needed) else None
    return dependency.condition or ("healthy" if has_check(catalog, needed) else "started")
