"""Three networks: what the world reaches, what services share, and the stores, which only their users reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.names import EDGE, INTERNAL, STORES, deployed_stores, network_name
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service


def service_networks(catalog: Catalog, name: str, service: Service) -> list[str]:
    """Those of a service: the edge where it is public or the gateway sends requests to it, the stores where it
    depends on one.
    """
    routed = catalog.gateway is not None and any(
        route.service == name for route in catalog.gateway.routes.values()
    )
    networks = [EDGE] if service.public or routed else []
    networks.append(INTERNAL)
    if any(needed in deployed_stores(catalog) for needed in service.depends_on):
        networks.append(STORES)
    return networks


def networks(catalog: Catalog) -> dict[str, Any]:
    """The top-level `networks`."""
    return {
        EDGE: Note(
            "What the world reaches: the gateway and public services.", {"name": network_name(catalog, EDGE)}
        ),
        INTERNAL: Note("What services share.", {"name": network_name(catalog, INTERNAL)}),
        STORES: _stores(catalog),
    }


def _stores(catalog: Catalog) -> Note:
    name = {"name": network_name(catalog, STORES)}
    if catalog.environment.publishes_all:
        return Note(
            "Stores and those that depend on them. Not internal: that would open none of its ports.", name
        )
    return Note("Stores and those that depend on them, without a way out.", {**name, "internal": True})
