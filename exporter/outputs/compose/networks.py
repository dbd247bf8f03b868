"""Networks: one for public services, one for all services, one for stores and their users; and the catalog's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.networks import DEFAULT
from exporter.outputs.base import OutputError
from exporter.outputs.compose.names import (
    EDGE,
    INTERNAL,
    STORES,
    deployed_services,
    deployed_stores,
    network_name,
)
from exporter.outputs.compose.options import named, texts
from exporter.outputs.compose.text import interpolated
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.container.networks import Attachment
    from exporter.catalog.keys.networks import Network, Range
    from exporter.catalog.keys.services import Service
    from exporter.catalog.keys.stores import Store


def service_networks(catalog: Catalog, name: str, service: Service) -> list[str] | dict[str, Any]:
    """Return the networks of a service: those of the catalog, or that of all services; and edge if it is public or the
    gateway sends requests to it, and stores if it depends on one there.
    """
    routed = catalog.own_gateway is not None and any(
        route.service == name for route in catalog.own_gateway.routes.values()
    )
    before = [EDGE] if service.public or routed else []
    after = [STORES] if any(STORES in _names(catalog, needed) for needed in service.depends_on) else []
    if service.networks:
        return _attached(service, [*before, *after])
    return [*before, INTERNAL, *after]


def store_networks(store: Container) -> list[str] | dict[str, Any]:
    """Return the networks of a store: those of the catalog, or that of all stores."""
    return _attached(store, []) if store.networks else [STORES]


def networks(catalog: Catalog) -> dict[str, Any]:
    """Return the top-level `networks`: the generated ones, and those of the catalog that a container is on."""
    default = catalog.networks.get(DEFAULT)
    own = _described(default) if default else {}
    return {
        EDGE: Note(
            "The gateway and public services, reachable from outside.", {"name": network_name(catalog, EDGE)}
        ),
        INTERNAL: Note("All services.", {"name": network_name(catalog, INTERNAL), **own}),
        STORES: _stores(catalog),
        **{
            name: {"name": network_name(catalog, name), **_described(catalog.networks[name])}
            for name in own_networks(catalog)
        },
    }


def own_networks(catalog: Catalog) -> list[str]:
    """Return the catalog's own networks that a container is on, in the catalog's order."""
    containers = (*deployed_services(catalog).values(), *deployed_stores(catalog).values())
    used = {name for container in containers for name in container.networks}
    return [name for name in catalog.networks if name in used and name != DEFAULT]


def check_networks(catalog: Catalog) -> Iterator[OutputError]:
    """Yield containers whose network cannot be as the catalog says, services that share no network with what they
    depend on, and those that the gateway cannot reach.
    """
    there: dict[str, Service | Store] = {**deployed_services(catalog), **deployed_stores(catalog)}
    for name, container in there.items():
        section = "services" if name in catalog.services else "stores"
        other = container.network_of
        if other in {**catalog.services, **catalog.stores} and other not in there:
            yield OutputError(
                f"uses the network of {other}, which is not deployed here; write container:NAME of a "
                "container that somebody else runs",
                *(section, name, "network_mode"),
            )
    for name, service in deployed_services(catalog).items():
        if service.network_mode:
            continue
        on = set(service_networks(catalog, name, service))
        for other in service.depends_on:
            if other in there and not there[other].network_mode and not on & _names(catalog, other):
                yield OutputError(
                    f"depends on {other}, which is on other networks ({', '.join(sorted(_names(catalog, other)))}); "
                    f"put both on one of them",
                    *("services", name, "networks" if service.networks else "depends_on"),
                )
    for path, route in catalog.own_gateway.routes.items() if catalog.own_gateway else ():
        routed = there.get(route.service)
        if routed and routed.network_mode:
            yield OutputError(
                f"the gateway cannot reach {route.service}, which has network_mode {routed.network_mode}; remove "
                "the route or network_mode",
                *("gateway", "routes", path),
            )


def _names(catalog: Catalog, name: str) -> set[str]:
    """Return the networks of a service or store that is deployed."""
    store = deployed_stores(catalog).get(name)
    if store:
        return set() if store.network_mode else set(store_networks(store))
    service = deployed_services(catalog).get(name)
    if service is None or service.network_mode:
        return set()
    own = {INTERNAL if network == DEFAULT else network for network in service.networks} or {INTERNAL}
    return own | ({EDGE} if service.public else set())


def _attached(container: Container, further: list[str]) -> list[str] | dict[str, Any]:
    """Return the networks of the catalog and further ones: a list, or a mapping where one has settings."""
    found = {
        INTERNAL if name == DEFAULT else name: _attachment(attachment)
        for name, attachment in container.networks.items()
    }
    found |= {name: {} for name in further if name not in found}
    return {name: keys or None for name, keys in found.items()} if any(found.values()) else list(found)


def _attachment(attachment: Attachment) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "aliases": texts(attachment.aliases),
        "link_local_ips": texts(attachment.link_local_ips),
        "driver_opts": named(attachment.driver_opts),
        "priority": attachment.priority,
        "gw_priority": attachment.gw_priority,
    }
    for key in ("ipv4_address", "ipv6_address", "mac_address", "interface_name"):
        value = getattr(attachment, key)
        keys[key] = interpolated(value) if value else None
    return {key: value for key, value in keys.items() if value not in (None, [], {})}


def _described(network: Network) -> dict[str, Any]:
    ipam = {
        "driver": interpolated(network.ipam.driver) if network.ipam.driver else None,
        "config": [_range(each) for each in network.ipam.config],
        "options": named(network.ipam.options),
    }
    keys: dict[str, Any] = {
        "external": network.external,
        "internal": network.internal,
        "attachable": network.attachable,
        "enable_ipv6": network.enable_ipv6,
        "driver": interpolated(network.driver) if network.driver else None,
        "driver_opts": named(network.driver_opts),
        "ipam": {key: value for key, value in ipam.items() if value},
        "labels": named(network.labels),
    }
    return {key: value for key, value in keys.items() if value}


def _range(written: Range) -> dict[str, Any]:
    keys: dict[str, Any] = {
        key: interpolated(value)
        for key in ("subnet", "ip_range", "gateway")
        if (value := getattr(written, key))
    }
    return {**keys, **({"aux_addresses": named(written.aux_addresses)} if written.aux_addresses else {})}


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
