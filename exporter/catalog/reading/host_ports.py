"""Ports of the host: which containers open which in one environment, and which of them collide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.keys.container.network_mode import HOST
from exporter.catalog.keys.container.ports import PublishedPort
from exporter.catalog.keys.services import Service
from exporter.catalog.values.texts import without_variables
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.reading.problems import CatalogPath, Finding
    from exporter.catalog.values.ports import Range

LOOPBACK = "127.0.0.1"
_GATEWAY = "the gateway"
_ALL = frozenset({None, "", "0.0.0.0", "::"})  # noqa: S104 - compared, not listened on


@dataclass(frozen=True, slots=True)
class Opened:
    """A port that a container opens on the host. `path`: where the catalog says so. `written`: by `ports`."""

    path: CatalogPath
    port: PublishedPort
    written: bool


def opened_ports(catalog: Catalog, section: str, name: str, container: Container) -> Iterator[Opened]:
    """Yield the ports that a service or store opens: those of `ports`; and its own port, if the environment publishes
    all, or if it is public and there is no gateway.
    """
    if not container.deployed or container.network_mode == HOST:
        return
    for index, port in enumerate(container.ports):
        yield Opened((section, name, "ports", index), port, written=True)
    listen = container.listen_port
    public = isinstance(container, Service) and container.public and catalog.own_gateway is None
    if listen is None or container.network_mode or not (catalog.environment.publishes_all or public):
        return
    if any(_leads_to(port, listen) for port in container.ports):
        return
    host_ip = LOOPBACK if catalog.environment.publishes_all else None
    port = PublishedPort(target=str(listen), published=str(container.host_port or listen), host_ip=host_ip)
    yield Opened((section, name, "host_port" if container.host_port else "port"), port, written=False)


class _Taken:
    """Ports of the host that are taken, each with who opens it."""

    def __init__(self, *, publishes_all: bool) -> None:
        self._publishes_all = publishes_all
        self._by_port: dict[tuple[str, int], list[tuple[str, Opened]]] = {}

    def first(self, name: str, opened: Opened) -> str | None:
        """Return who has one of these ports already; None, and remember them, if nobody has."""
        first, last = _fixed(opened.port) or (1, 0)
        ports = [(opened.port.protocol, number) for number in range(first, last + 1)]
        for port in ports:
            for owner, other in self._by_port.get(port, ()):
                if self._collide(other, opened):
                    return owner
        for port in ports:
            self._by_port.setdefault(port, []).append((name, opened))
        return None

    def _collide(self, one: Opened, other: Opened) -> bool:
        if not one.written and not other.written and not self._publishes_all:
            return False  # the output of Compose finds these, and says it in terms of `public`
        at, there = _address(one.port), _address(other.port)
        return at == there or at in _ALL or there in _ALL


def check_ports(catalog: Catalog) -> Iterator[Finding]:
    """Yield ports of the host that two containers would open."""
    taken = _Taken(publishes_all=catalog.environment.publishes_all)
    gateway = catalog.own_gateway
    # On a laptop the gateway is only started when it is asked for.
    if gateway and not catalog.environment.publishes_all:
        for number in (gateway.http_port, *((gateway.https_port,) if gateway.tls else ())):
            port = PublishedPort(target=str(number), published=str(number))
            taken.first(_GATEWAY, Opened(("gateway",), port, written=True))
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            for opened in opened_ports(catalog, section, name, container):
                if first := taken.first(name, opened):
                    yield opened.path, _sentence(opened, first, name)


def _sentence(opened: Opened, first: str, name: str) -> str:
    who = "the gateway" if first == _GATEWAY else "another of its ports" if first == name else quoted(first)
    how = "use another port" if opened.written else "set host_port on one of them"
    return f"port {opened.port.published} of the host is taken by {who}; {how}"


def _address(port: PublishedPort) -> str | None:
    return without_variables(port.host_ip) if port.host_ip else None


def _fixed(port: PublishedPort) -> Range | None:
    """Return the range on the host; None if the engine takes any port of it."""
    inside, outside = port.inside, port.outside
    if not inside or not outside or outside[1] - outside[0] != inside[1] - inside[0]:
        return None
    return outside


def _leads_to(port: PublishedPort, listen: int) -> bool:
    inside = port.inside
    return port.protocol == "tcp" and inside is not None and inside[0] <= listen <= inside[1]
