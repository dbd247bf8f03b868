"""Common parts of the monitoring stack: names, networks, and the settings of every container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.base import OutputError, Refusals
from exporter.outputs.compose.container import hardened, health, log_rotation, mount_keys
from exporter.outputs.compose.mounts import volume_places
from exporter.outputs.compose.names import deployed_services, deployed_stores
from exporter.outputs.compose.networks import own_networks
from exporter.outputs.compose.text import generated, interpolated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import CatalogPath

EXPORTER = "exporter"
DOCKER_PROXY = "docker-proxy"
PROMETHEUS = "prometheus"
ALERTMANAGER = "alertmanager"
GRAFANA = "grafana"
SERVICES = (EXPORTER, DOCKER_PROXY, PROMETHEUS, ALERTMANAGER, GRAFANA)

MONITORING = "monitoring"
DOCKER = "docker"
"""Networks of the stack: one for its programs, and one on which only the daemon reaches the Docker engine."""
DATA_VOLUMES = ("prometheus-data", "alertmanager-data", "grafana-data")

LOOPBACK = "127.0.0.1"
TEMPORARY = "/tmp"  # noqa: S108 - a path inside the container
NOBODY = "65534:65534"
"""The user of the images of Prometheus and Alertmanager, who owns their data volumes."""


def application_networks(catalog: Catalog, *names: str) -> list[str]:
    """Return the networks of what is watched: `names` and the catalog's own of compose.yaml, and existing ones."""
    deployed = (*names, *own_networks(catalog)) if catalog.deploys else ()
    return [*deployed, *map(existing, catalog.observe.networks)]


def existing(network: str) -> str:
    """Return the name in the file of a network that exists already, which no other network there has."""
    return f"existing-{network}"


def check_names(catalog: Catalog) -> None:
    """Check that no name of the catalog is used by the stack.

    Raises:
        OutputError: a name is used twice.
    """
    sections = (("services", deployed_services(catalog)), ("stores", deployed_stores(catalog)))
    refusals = Refusals()
    for section, containers in sections:
        for name in containers:
            with refusals.gathered():
                if name in SERVICES:
                    raise OutputError(
                        "has the name of a container of the generated monitoring stack, which runs in the same Compose "
                        "project; give it another name",
                        section,
                        name,
                    )
    for name, path in volume_places(catalog).items():
        with refusals.gathered():
            # A store with such a name is refused above, and its volume is named after it.
            if name in DATA_VOLUMES and path[1] not in SERVICES:
                raise OutputError(
                    f"the volume {name} has the name of one in the generated monitoring stack; give it another name",
                    *path,
                )
    for path in _networks(catalog):
        with refusals.gathered():
            # Containers on the network of the proxy can read everything from the engine, without a login.
            if path[-1] in (MONITORING, DOCKER):
                raise OutputError(
                    f"the network {path[-1]} has the name of one in the generated monitoring stack; give it another "
                    "name",
                    *path,
                )
    refusals.end()


def _networks(catalog: Catalog) -> Iterator[CatalogPath]:
    """Yield the places of the networks of compose.yaml that the catalog names."""
    yield from (("networks", name) for name in own_networks(catalog))
    yield from (("compose", "networks", name) for name in catalog.compose.get("networks") or ())


def stack_service(
    catalog: Catalog,
    image: str,
    user: str,
    *,
    memory: str,
    cpus: float,
    check: Sequence[str],
) -> dict[str, Any]:
    """Return the keys that each container has. `memory`: its limit; `check`: the command of its health check."""
    return {
        "image": interpolated(image),
        "restart": catalog.defaults.restart,
        **hardened(user),
        "cpus": cpus,
        "mem_limit": memory,
        "pids_limit": 200,
        "logging": log_rotation(catalog),
        "healthcheck": health(check, catalog.defaults.healthcheck),
    }


def folder(path: str, target: str, *, shared: bool = False) -> dict[str, Any]:
    """Return a read-only mount of a generated folder, relative to the Compose file, or if shared to the catalog."""
    return {"type": "bind", "source": generated(path, shared=shared), "target": target, "read_only": True}


def data(volume: str, target: str) -> dict[str, Any]:
    return {"type": "volume", "source": volume, "target": target}


def mounts(mounted: Iterable[dict[str, Any] | str], *folders: str) -> dict[str, Any]:
    """Return the keys for these mounts, and for `/tmp` and further folders in memory."""
    return mount_keys(mounted, [TEMPORARY, *folders])


def loopback_port(catalog: Catalog, variable: str, port: int) -> list[str]:
    """Return `ports` of a page that people open on the host itself, or through `ssh -L`.

    Pages without a login, or whose login should not be reachable from outside, are never opened to the network. The
    default port on the host is the first one from `port` on that the catalog does not use.
    """
    taken = {port for port in _ports_of_the_host(catalog) if port is not None}
    default = next(number for number in range(port, 65536) if number not in taken)
    return [f"{LOOPBACK}:${{{variable}:-{default}}}:{port}"]


def _ports_of_the_host(catalog: Catalog) -> list[int | None]:
    containers = (*catalog.services.values(), *catalog.stores.values())
    gateway = catalog.own_gateway
    edge = [gateway.http_port, gateway.https_port] if gateway else []
    written = (port.outside for container in containers for port in container.ports)
    opened = (number for outside in written if outside for number in range(outside[0], outside[1] + 1))
    # A service that somebody else runs may well have its port open on this host, too.
    return [
        *(container.host_port or container.opened_port or container.listen_port for container in containers),
        *opened,
        *edge,
    ]
