"""Names to addresses, without a thread per name: a name whose DNS server is silent holds up nobody else.

c-ares reads /etc/hosts and /etc/resolv.conf and asks for IPv4 and IPv6 at the same time. Every run asks again:
whether the name resolves now is part of what is probed, and a container that was made anew has a new address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aiodns

from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.catalog.targets import IpProtocol
    from exporter.probes.measure import Run

Address = tuple[socket.AddressFamily, str]

FAMILIES: dict[IpProtocol, socket.AddressFamily] = {
    "ip4": socket.AddressFamily.AF_INET,
    "ip6": socket.AddressFamily.AF_INET6,
}
FIRST: dict[IpProtocol, socket.AddressFamily] = {
    "any": socket.AddressFamily.AF_INET6,
    "prefer_ip4": socket.AddressFamily.AF_INET,
    "prefer_ip6": socket.AddressFamily.AF_INET6,
}
MAX_ADDRESSES = 8
"""More addresses of one name are not tried: each would get too small a part of the deadline to mean anything."""

_resolvers: WeakKeyDictionary[asyncio.AbstractEventLoop, aiodns.DNSResolver] = WeakKeyDictionary()


def literal(host: str) -> Address | None:
    """The address that `host` is, when it is one and not a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    family = socket.AddressFamily.AF_INET if address.version == 4 else socket.AddressFamily.AF_INET6
    return family, host


async def resolve(host: str, ip_protocol: IpProtocol, run: Run) -> list[Address]:
    """The addresses of `host`, in the order to try them. Enters the phase `resolve` when there is a name to ask.

    Raises:
        ProbeFailure: `resolve`, when there is no address of a family that may be used.
    """
    family = FAMILIES.get(ip_protocol, socket.AddressFamily.AF_UNSPEC)
    known = literal(host)
    if known is None:
        run.enter("resolve")
        run.peer = host
        addresses = await _ask(host, family)
    else:
        addresses = [known] if family in (socket.AF_UNSPEC, known[0]) else []
    if not addresses:
        wanted = {"ip4": "IPv4 ", "ip6": "IPv6 "}.get(ip_protocol, "")
        raise ProbeFailure(Reason.RESOLVE, f"{host} has no {wanted}address")
    first = FIRST.get(ip_protocol)
    return _interleave(addresses, first)[:MAX_ADDRESSES]


async def _ask(host: str, family: socket.AddressFamily) -> list[Address]:
    loop = asyncio.get_running_loop()
    resolver = _resolvers.get(loop)
    if resolver is None:
        resolver = _resolvers[loop] = aiodns.DNSResolver(loop=loop)
    try:
        answer = await resolver.getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
    except aiodns.error.DNSError as error:
        raise ProbeFailure(Reason.RESOLVE, f"cannot resolve {host}: {error.args[1]}") from None
    except UnicodeError:
        raise ProbeFailure(Reason.RESOLVE, f"cannot resolve {host}: not a valid name") from None
    return [(socket.AddressFamily(node.family), _text(node.addr[0])) for node in answer.nodes]


def _text(address: bytes | str) -> str:
    return address.decode() if isinstance(address, bytes) else address


def _interleave(addresses: list[Address], first: socket.AddressFamily | None) -> list[Address]:
    """The families in turn, as RFC 8305 section 4 orders them, so that a dead family costs one delay, not many."""
    if first is None or len(addresses) < 2:
        return addresses
    ahead = [address for address in addresses if address[0] == first]
    behind = [address for address in addresses if address[0] != first]
    ordered: list[Address] = []
    for index in range(max(len(ahead), len(behind))):
        ordered += ahead[index : index + 1] + behind[index : index + 1]
    return ordered


async def close_resolver() -> None:
    """Close this loop's resolver, if one was opened: its sockets and its thread."""
    resolver = _resolvers.pop(asyncio.get_running_loop(), None)
    if resolver is not None:
        await resolver.close()
