"""The port that shows a service's health, its address on this machine, and whether it is public."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.ports import MAX_PORT, single

if TYPE_CHECKING:
    from exporter.imports.compose.forms.ports import Port
    from exporter.imports.compose.forms.service import Service

_TRAEFIK_PORT = re.compile(r"traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port")
_PORT = re.compile("[0-9]{1,5}")
_NEVER = frozenset({22})
_TWINS = {443: 80, 8443: 8080}
"""The port of TLS and that of the same server without it."""
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - as Compose files say it
_LOCAL = re.compile(r"127\.|::1$|localhost$")
_MAX_RANGE = 50


def health_port(service: Service) -> int | None:
    """Return the port at which a service most likely answers, without its health test; None if there are several."""
    for pair in service.labels:
        if _TRAEFIK_PORT.fullmatch(pair.name) and (port := port_of(pair.value or "")):
            return port
    for pair in service.environment:
        if pair.name == "VIRTUAL_PORT" and (port := port_of(pair.value or "")):
            return port
    return _only(service.ports) or _only(service.expose)


def port_of(text: str) -> int | None:
    """Return the number of a port that may be written in a label, a variable or a command; None if it is none."""
    number = int(text) if _PORT.fullmatch(text) else 0
    return number if 0 < number <= MAX_PORT else None


def _only(ports: tuple[Port, ...]) -> int | None:
    numbers = {port.number for port in ports if port.protocol == "tcp"}
    known = {number for number in numbers if number and number <= MAX_PORT} - _NEVER
    known = {number for number in known if _TWINS.get(number) not in known}
    return known.pop() if len(known) == 1 and None not in numbers else None


def local_address(service: Service, port: int, seen: dict[str, Any]) -> str | None:
    """Return the address on this machine at which a port of the containers is published; None if it is not.

    `seen`: what the engine says is published, by port of the container.
    """
    if service.network_mode == "host":
        return f"localhost:{port}"
    for address in seen.get(f"{port}/tcp", ()):
        host, _, number = str(address).rpartition(":")
        return f"{_reachable(host.strip('[]'))}:{number}"
    for entry in service.ports:
        small = entry.target.count("-") == 0 or _size(entry) <= _MAX_RANGE
        for each in single(entry) if small else ():
            if each.protocol == "tcp" and each.number == port and each.published_number:
                return f"{_reachable(each.host_ip)}:{each.published_number}"
    return None


def is_public(service: Service) -> bool:
    """True if a proxy's label or variable names it, or one of its ports is published on all addresses."""
    if any(pair.name == "VIRTUAL_HOST" for pair in service.environment):
        return True
    if any(pair.name.startswith("traefik.http.routers.") for pair in service.labels):
        return True
    return any(is_everywhere(port) for port in service.ports)


def is_everywhere(port: Port) -> bool:
    """True if a port is published on all addresses of the host."""
    return port.protocol == "tcp" and port.host_ip in _EVERYWHERE


def _reachable(host: str) -> str:
    if host in _EVERYWHERE or _LOCAL.match(host) or "$" in host:
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _size(port: Port) -> int:
    first, _, last = port.target.partition("-")
    return int(last) - int(first) + 1 if first.isdigit() and last.isdigit() else 1
