"""Which ports of the host are opened: all of them for a laptop, on loopback only; elsewhere only the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.services import Service
from exporter.outputs.base import OutputError
from exporter.outputs.compose.names import deployed_services

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container

LOOPBACK = "127.0.0.1"


def service_ports(catalog: Catalog, name: str, container: Container) -> list[str]:
    """`ports` of a service or store.

    Raises:
        OutputError: several replicas would open one port of the host.
    """
    if container.listen_port is None:
        return []
    pair = f"{container.host_port or container.listen_port}:{container.listen_port}"
    if catalog.environment.publishes_all:
        ports = [f"{LOOPBACK}:{pair}"]
    elif catalog.gateway is None and isinstance(container, Service) and container.public:
        ports = [pair]
    else:
        return []
    if isinstance(container, Service) and container.replicas > 1:
        raise OutputError(
            f"has {container.replicas} replicas, and only one of them can open port "
            f"{pair.partition(':')[0]} of the host; give it replicas: 1 here, or put a gateway before it "
            "and open the edge only (publish: edge)",
            "services",
            name,
            "replicas",
        )
    return ports


def check_edge(catalog: Catalog) -> None:
    """See that no two public services would open the same port of the host, where there is no gateway.

    Raises:
        OutputError: two would. Of environments that open all ports, the catalog itself is checked.
    """
    if catalog.gateway or catalog.environment.publishes_all:
        return
    taken: dict[int, str] = {}
    for name, service in deployed_services(catalog).items():
        port = service.published_port
        if not service.public or port is None:
            continue
        if port in taken:
            raise OutputError(
                f"is public and so is {taken[port]}, and both open port {port} of the host; "
                "set host_port on one of them, or put a gateway before them",
                "services",
                name,
            )
        taken[port] = name
