"""`ports` and `expose`: ranges, host addresses, protocols, and entries that are a variable.

Ranges stay ranges: a media server may publish ten thousand ports in one entry. `single` yields them one by one.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.compose.expressions import by_default, has_variable, split
from exporter.imports.compose.forms.base import FormError, items_of, number_of, optional, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.imports.project import ModelPath

MAX_PORT = 65535
_PROTOCOLS = ("tcp", "udp", "sctp")
_WITHOUT_ADDRESS = 2
"""Parts of `8080:80`."""
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a container, or a range of them."""

    raw: str
    """The entry as written; empty for the long form."""
    path: ModelPath
    target: str = ""
    """Return the container's port or range as text. Empty where the whole entry is one variable without a default."""
    published: str = ""
    """The host's port; a range where `target` is one too, or to choose from; empty: any free one."""
    host_ip: str = ""
    """The host's address; empty: all of them."""
    protocol: str = "tcp"
    mode: str = ""
    name: str = ""
    app_protocol: str = ""
    certain: bool = True
    """False where a variable may hold more than one part, such as `IP:PORT`."""

    @property
    def number(self) -> int | None:
        """The container's port, by the default of a variable; None if it is not known or a range."""
        return number_of(self.target)

    @property
    def published_number(self) -> int | None:
        """Return the host's port, by the default of a variable; None if it is not known, a range, or any free one."""
        return number_of(self.published)


def ports(value: Any) -> tuple[Port, ...]:
    """Return the ports of a service, each binding once.

    Raises:
        FormError: an entry is no port, or its ranges do not fit each other.
    """
    found = [
        _long(entry, path) if isinstance(entry, dict) else _short(text_of(entry, path), path)
        for path, entry in items_of(value)
    ]
    bindings = {
        (port.host_ip, port.published, port.target or port.raw, port.protocol): port for port in found
    }
    return tuple(bindings.values())


def single(port: Port) -> Iterator[Port]:
    """Yield each port of a range; the port itself where it is none, or a variable decides."""
    targets, published = _numbers(port.target, port.path), _numbers(port.published, port.path)
    if targets is None or len(targets) == 1:
        yield port
        return
    for index, target in enumerate(targets):
        yield replace(
            port, target=str(target), published=str(published[index]) if published else port.published
        )


def exposed(value: Any) -> tuple[Port, ...]:
    """Return the ports of `expose`, which are published nowhere.

    Raises:
        FormError: an entry is no port.
    """
    return tuple(_short(text_of(entry, path), path) for path, entry in items_of(value))


def _long(entry: dict[str, Any], path: ModelPath) -> Port:
    target = optional(entry, "target", path)
    if target is None:
        raise FormError("the key target is missing", path)
    port = Port(
        "",
        path,
        target=target,
        published=optional(entry, "published", path) or "",
        host_ip=optional(entry, "host_ip", path) or "",
        protocol=optional(entry, "protocol", path) or "tcp",
        mode=optional(entry, "mode", path) or "",
        name=optional(entry, "name", path) or "",
        app_protocol=optional(entry, "app_protocol", path) or "",
    )
    _numbers(target, (*path, "target"))
    _numbers(port.published, (*path, "published"))
    return port


def _short(text: str, path: ModelPath) -> Port:
    whole, _, protocol = _protocol(text)
    parts = split(whole, ":")
    target, published, address = parts[-1], parts[-2] if len(parts) > 1 else "", ":".join(parts[:-2])
    port = Port(
        text, path, target, published, address.removeprefix("[").removesuffix("]"), protocol.lower() or "tcp"
    )
    if has_variable(text):
        return _with_variables(port, parts)
    if port.protocol not in _PROTOCOLS:
        raise FormError(f"{quoted(protocol)} is not a protocol; known: {', '.join(_PROTOCOLS)}", path)
    if port.host_ip:
        _check_address(port.host_ip, path)
    return _fitting(port)


def _with_variables(port: Port, parts: list[str]) -> Port:
    """Return the ports of an entry with variables, which may hold more than one of its parts."""
    if len(parts) == 1:
        return _only_variable(port)
    pieces = split(by_default(port.published) or "", ":") if len(parts) == _WITHOUT_ADDRESS else []
    if len(pieces) > 1:
        # `${BIND:-127.0.0.1:8080}:80` holds the address and the port.
        return replace(port, host_ip=":".join(pieces[:-1]), published=pieces[-1], certain=False)
    if not (has_variable(port.target) or has_variable(port.published)):
        return _fitting(port)
    known = number_of(port.target) is not None and number_of(port.published) is not None
    return replace(port, certain=known or len(parts) > _WITHOUT_ADDRESS)


def _only_variable(port: Port) -> Port:
    """Return the port of `${PORTS}`, which may hold all of `IP:PORT:PORT/udp`, by what its default holds."""
    literal = by_default(port.raw)
    try:
        known = _short(literal, port.path) if literal else None
    except FormError:
        known = None
    if not known:
        return replace(port, target="", certain=False)
    return port if literal and literal.isdigit() else replace(known, raw=port.raw, certain=False)


def _protocol(text: str) -> tuple[str, str, str]:
    pieces = split(text, "/")
    return (text, "", "") if len(pieces) == 1 else ("/".join(pieces[:-1]), "/", pieces[-1])


def _fitting(port: Port) -> Port:
    """Check a port without variables."""
    targets, published = _numbers(port.target, port.path), _numbers(port.published, port.path)
    if targets is None or not targets.start:
        raise FormError("does not name a port of the container", port.path)
    if published and len(targets) not in (1, len(published)):
        raise FormError(
            f"{len(published)} ports of the host ({port.published}) do not fit "
            f"{len(targets)} ports of the container ({port.target})",
            port.path,
        )
    return port


def _numbers(text: str, path: ModelPath) -> range | None:
    """Return the ports of a number or a range; None for no text or a variable."""
    if not text or has_variable(text):
        return None
    found = _RANGE.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (-1, -1)
    if not 0 <= first <= last <= MAX_PORT:
        raise FormError(f"{quoted(text)} is not a port or a range such as 8000-8010", path)
    return range(first, last + 1)


def _check_address(text: str, path: ModelPath) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise FormError(
            f"{quoted(text)} is not an IP address; write HOST_IP:HOST_PORT:CONTAINER_PORT", path
        ) from None
