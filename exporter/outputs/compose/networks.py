"""The three networks: one for public services, one for all services, one for stores and their users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.names import EDGE, INTERNAL, STORES, deployed_stores, network_name
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service


def service_networks(catalog: Catalog, name: str, service: Service) -> list[str]:
    """Return the networks of a service: edge if it is public or the gateway sends requests to it, stores if it
    depends on one.
    """
    routed = catalog.own_gateway is not None and any(
        route.service == name for route in catalog.own_gateway.routes.values()
    )
    networks = [EDGE] if service.public or routed else []
    networks.append(INTERNAL)
    if any(needed in deployed_stores(catalog) for needed in service.depends_on):
        networks.append(STORES)
    return networks


def networks(catalog: Catalog) -> dict[str, Any]:
    """Return the top-level `networks`."""
    return {
        EDGE: Note(
            "The gateway and public services, reachable from outside.", {"name": network_name(catalog, EDGE)}
        ),
        INTERNAL: Note("All services.", {"name": network_name(catalog, INTERNAL)}),
        STORES: _stores(catalog),
    }


def _stores(catalog: Catalog) -> Note:
    name = {"name": network_name(catalog, STORES)}
    if catalog.environment.publishes_all:
        return Note(
            "Stores and the services that depend on them. Not internal: otherwise no port could be opened.",
            name,
        )
    return Note(
        "Stores and the services that depend on them, without access to the outside.",
        {**name, "internal": True},
    )
