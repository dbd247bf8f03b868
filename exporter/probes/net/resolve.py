"""Names to addresses, without a thread per name: a name whose DNS server is silent holds up nobody else.

c-ares reads /etc/hosts and /etc/resolv.conf and asks for IPv4 and IPv6 at the same time. Every run asks again:
whether the name resolves now is part of what is probed, and a container that was made anew has a new address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aiodns

from exporter.catalog.values.hostnames import HostNameError, ascii_host
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import clock

if TYPE_CHECKING:
    import pycares

    from exporter.catalog.planning.specs import IpProtocol
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

RESOLVER_SECONDS = 0.5
"""How long one resolver takes questions. c-ares keeps answers for their time to live, which is ten minutes in
Docker's networks, and neither aiodns nor pycares can turn that off: a container made anew would be asked for at its
old address. A new resolver has no memory; within this time, a thousand targets of one name ask for it once.
"""

NAMESERVERS: list[str] | None = None
"""`address:port` of the servers to ask; None: those of /etc/resolv.conf."""

# Without inotify watches it warns, for each resolver, that a changed resolv.conf will not be noticed. A new resolver
# reads it anew, so there is nothing to warn of.
logging.getLogger("aiodns").setLevel(logging.ERROR)

_resolvers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Resolver] = WeakKeyDictionary()


@lru_cache(maxsize=16384)
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
    try:
        answer = await _current().getaddrinfo(ascii_host(host), family)
    except aiodns.error.DNSError as error:
        raise ProbeFailure(Reason.RESOLVE, f"cannot resolve {host}: {error.args[1]}") from None
    except HostNameError as error:
        raise ProbeFailure(Reason.RESOLVE, f"cannot resolve {host}: {error}") from None
    return [(socket.AddressFamily(node.family), _text(node.addr[0])) for node in answer.nodes]


class _Resolver:
    """One c-ares channel, closed when its time is over and the last question has ended."""

    __slots__ = ("_asking", "_dns", "_retired", "until")

    def __init__(self) -> None:
        self._dns = aiodns.DNSResolver(NAMESERVERS, asyncio.get_running_loop())
        self._asking = 0
        self._retired = False
        self.until = clock() + RESOLVER_SECONDS

    async def getaddrinfo(self, host: str, family: socket.AddressFamily) -> pycares.AddrInfoResult:
        self._asking += 1
        try:
            return await self._dns.getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
        finally:
            self._asking -= 1
            self._close_if_done()

    def retire(self) -> None:
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and not self._asking:
            closing = asyncio.ensure_future(self._dns.close())
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
"""Keeps a task from being collected before it has run."""


def _current() -> _Resolver:
    """The resolver of this loop that takes questions now."""
    loop = asyncio.get_running_loop()
    resolver = _resolvers.get(loop)
    if resolver is None or clock() >= resolver.until:
        if resolver is not None:
            resolver.retire()
        resolver = _resolvers[loop] = _Resolver()
    return resolver


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
        resolver.retire()
    await asyncio.gather(*_closing)
