"""Ports on the host: those of `ports`, and all others on loopback for a laptop; elsewhere only those of the gateway or
public services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.services import Service
from exporter.catalog.reading.host_ports import LOOPBACK, opened_ports
from exporter.outputs.base import OutputError
from exporter.outputs.compose.names import deployed_services
from exporter.outputs.compose.options import published

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container

__all__ = ["LOOPBACK", "check_edge", "service_ports"]


def service_ports(catalog: Catalog, name: str, container: Container) -> list[str | dict[str, Any]]:
    """Return `ports` of a service or store.

    Raises:
        OutputError: several replicas would open the same port on the host.
    """
    service = isinstance(container, Service)
    opened = list(opened_ports(catalog, "services" if service else "stores", name, container))
    own = next((each.port.published for each in opened if not each.written), None)
    if own and isinstance(container, Service) and container.replicas > 1:
        raise OutputError(
            f"has {container.replicas} replicas, but only one of them can open port "
            f"{own} on the host; set replicas: 1 here, or put a gateway in front of it "
            "and open only the gateway's ports (publish: edge)",
            "services",
            name,
            "replicas",
        )
    return [published(each.port) for each in opened]


def check_edge(catalog: Catalog) -> None:
    """Check that no two public services open the same port on the host if there is no gateway.

    Environments that open all ports are checked when the catalog is read.

    Raises:
        OutputError: two services open the same port.
    """
    if catalog.own_gateway or catalog.environment.publishes_all:
        return
    taken: dict[int, str] = {}
    for name, service in deployed_services(catalog).items():
        port = service.published_port
        if not service.public or port is None:
            continue
        if port in taken:
            raise OutputError(
                f"is public and so is {taken[port]}, and both open port {port} on the host; "
                "set host_port on one of them, or put a gateway in front of them",
                "services",
                name,
            )
        taken[port] = name
