"""Names that contain the environment, so that two environments on one host never collide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.networks import DEFAULT
from exporter.catalog.planning.places import compose_project, own_volume_name
from exporter.outputs.base import OutputError
from exporter.outputs.compose.text import interpolated

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service
    from exporter.catalog.keys.stores import Store

EDGE = "edge"
INTERNAL = "internal"
STORES = "stores"
GATEWAY = "gateway"

NOBODY = "65532"
"""The uid and gid of containers without a user in the catalog. Secret files are readable to this group, which every
container with a secret gets: Compose mounts them as they are on the host, and a store runs as its image's user.
"""


def network_name(catalog: Catalog, network: str) -> str:
    """Return the engine's name of a network of the Compose file, in Compose's syntax."""
    described = catalog.networks.get(DEFAULT if network == INTERNAL else network)
    if described and described.name:
        return interpolated(described.name)
    if described and described.external:
        return network
    if network == INTERNAL:
        return f"{catalog.network_name}-{catalog.environment_name}"
    return f"{compose_project(catalog)}_{network}"


def volume_name(catalog: Catalog, volume: str) -> str:
    """Return the engine's name of a volume of the catalog, in Compose's syntax."""
    own = own_volume_name(catalog, volume)
    return interpolated(own) if own else f"{compose_project(catalog)}_{volume}"


def deployed_services(catalog: Catalog) -> dict[str, Service]:
    return {name: service for name, service in catalog.services.items() if service.deployed}


def deployed_stores(catalog: Catalog) -> dict[str, Store]:
    """Return the stores that are deployed in a container: SQLite is a file in a service's container."""
    return {
        name: store for name, store in catalog.stores.items() if store.deployed and store.engine != "sqlite"
    }


def check_gateway_name(catalog: Catalog) -> None:
    """Check that no service or store has the gateway's name.

    Raises:
        OutputError: one of them has.
    """
    if catalog.own_gateway is None:
        return
    for section, names in (("services", deployed_services(catalog)), ("stores", deployed_stores(catalog))):
        if GATEWAY in names:
            raise OutputError(
                "has the name of the gateway's container; give it another name",
                section,
                GATEWAY,
            )
