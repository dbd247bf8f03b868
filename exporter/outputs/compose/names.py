"""Names that belong to one environment, so that two of them on one host never touch each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.planning.places import compose_project
from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service
    from exporter.catalog.keys.stores import Store

EDGE = "edge"
INTERNAL = "internal"
STORES = "stores"
GATEWAY = "gateway"

NOBODY = "65532"
"""uid and gid of containers whose catalog names no user. Files of secrets are readable to this group, which every
container with a secret is in: Compose mounts them as they lie on the host, and a store runs as its image's own user.
"""

ROOT = "../.."
"""The catalog's folder, from a Compose file's."""


def network_name(catalog: Catalog, network: str) -> str:
    """The engine's name of a network of the Compose file."""
    if network == INTERNAL:
        return f"{catalog.network_name}-{catalog.environment_name}"
    return f"{compose_project(catalog)}_{network}"


def volume_name(catalog: Catalog, volume: str) -> str:
    """The engine's name of one of the catalog's volumes; the same as Compose would give it."""
    described = catalog.volumes.get(volume)
    return volume if described and described.external else f"{compose_project(catalog)}_{volume}"


def deployed_services(catalog: Catalog) -> dict[str, Service]:
    return {name: service for name, service in catalog.services.items() if service.deployed}


def deployed_stores(catalog: Catalog) -> dict[str, Store]:
    """Those with a container of their own: SQLite is a file inside a service's."""
    return {name: store for name, store in catalog.stores.items() if store.engine != "sqlite"}


def check_gateway_name(catalog: Catalog) -> None:
    """See that nothing of the catalog has the gateway's name.

    Raises:
        OutputError: something has.
    """
    if catalog.gateway is None:
        return
    for section, names in (("services", deployed_services(catalog)), ("stores", deployed_stores(catalog))):
        if GATEWAY in names:
            raise OutputError(
                "has the name of the container that the catalog's gateway becomes; give it another name",
                section,
                GATEWAY,
            )
