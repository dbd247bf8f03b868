"""Keys of a service about networks: ports as they were asked for, networks, aliases, host name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.imports.engine.answers import Part
    from exporter.imports.engine.found import Found
    from exporter.imports.engine.shared import Shared

_SHORT_ID = 12


def network_keys(containers: list[Found], shared: Shared) -> dict[str, Any]:
    """Return the network keys of a service; the first container is used for all."""
    found = containers[0]
    host, config = found.described.part("HostConfig"), found.described.part("Config")
    mode = host.text("NetworkMode")
    keys: dict[str, Any] = {}
    if mode in ("host", "none") or mode.startswith("container:"):
        # Ports and the host name belong to the host or to the other container.
        return {"network_mode": shared.peer(mode)}
    published = _published(host)
    keys["ports"] = published
    keys["expose"] = [_exposed(port) for port in _ports(config) if port not in host.listed("PortBindings")]
    if host.flag("PublishAllPorts"):
        keys["ports"] += [
            _exposed(port) for port in _ports(config) if port not in host.listed("PortBindings")
        ]
        keys["expose"] = []
    hostname = config.text("Hostname")
    if hostname and not found.id.startswith(hostname):
        keys["hostname"] = hostname
    if mode in ("", "default", "bridge"):
        keys["network_mode"] = "bridge"
    else:
        keys["networks"] = _networks(containers, shared)
    return {key: value for key, value in keys.items() if value}


def bound_ports(found: Found) -> dict[str, list[str]]:
    """Return where the ports are published now, those that the engine chose included, by port of the container."""
    ports = found.described.part("NetworkSettings").listed("Ports")
    return {
        port: [
            _address(each.text("HostIp"), each.text("HostPort")) for each in bindings if each.text("HostPort")
        ]
        for port, bindings in ports.items()
        if bindings
    }


def _published(host: Part) -> list[str]:
    """Return the ports in Compose's short form. Ports of the host that the engine chose are omitted."""
    found = []
    for port, bindings in host.listed("PortBindings").items():
        for each in bindings:
            published = "" if each.text("HostPort") in ("", "0") else each.text("HostPort")
            address = each.text("HostIp")
            # Without a port, `127.0.0.1::80` still says at which address.
            outside = _address("" if address in ("0.0.0.0", "::") else address, published)  # noqa: S104 - the usual
            found.append(f"{outside}:{_exposed(port)}" if outside else _exposed(port))
    return list(dict.fromkeys(found))


def _address(host: str, port: str) -> str:
    if not host:
        return port
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ports(config: Part) -> list[str]:
    return [*config.named("ExposedPorts")]


def _exposed(port: str) -> str:
    """Return `80` for `80/tcp` and `53/udp` for itself."""
    return port.removesuffix("/tcp")


def _networks(containers: list[Found], shared: Shared) -> dict[str, Any]:
    """Return networks with aliases and fixed addresses; empty for Compose's default network alone."""
    found = containers[0]
    usual = {
        found.service,
        *(each.name for each in containers),
        *(each.id[:_SHORT_ID] for each in containers),
    }
    result: dict[str, Any] = {}
    for name, part in found.described.part("NetworkSettings").named("Networks").items():
        key = shared.network(name)
        addresses = part.part("IPAMConfig")
        fixed = {
            "ipv4_address": addresses.text("IPv4Address"),
            "ipv6_address": addresses.text("IPv6Address"),
        }
        aliases = [alias for alias in dict.fromkeys(part.texts("Aliases")) if alias not in usual]
        definition = {name: value for name, value in {"aliases": aliases, **fixed}.items() if value}
        if any(fixed.values()):
            shared.give_subnets(key)
        result[key] = definition or None
    return {} if result == {"default": None} else result
