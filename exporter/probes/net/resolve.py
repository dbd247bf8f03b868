"""Name resolution without a thread per name: a name whose DNS server is silent delays no other probe.

c-ares reads /etc/hosts and /etc/resolv.conf and queries IPv4 and IPv6 at the same time. Every run resolves again: name
resolution is part of the probe, and a re-created container has a new address.
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
"""More addresses of one name are not tried: each would get too little time before the deadline."""

RESOLVER_SECONDS = 0.5
"""How long one resolver is used. c-ares caches answers for their time to live, which is ten minutes in Docker's
networks, and neither aiodns nor pycares can turn that off: a re-created container would be probed at its old address. A
new resolver has an empty cache; within this time, a thousand targets with the same name resolve it once.
"""

NAMESERVERS: list[str] | None = None
"""`address:port` of the servers to query; None: those of /etc/resolv.conf."""

# Without inotify watches it warns for each resolver that it will not notice changes of resolv.conf. Each new resolver
# reads the file again, so the warning is not needed.
logging.getLogger("aiodns").setLevel(logging.ERROR)

_resolvers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Resolver] = WeakKeyDictionary()


@lru_cache(maxsize=16384)
def literal(host: str) -> Address | None:
    """Return the address if `host` is one; None if it is a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    family = socket.AddressFamily.AF_INET if address.version == 4 else socket.AddressFamily.AF_INET6
    return family, host


async def resolve(host: str, ip_protocol: IpProtocol, run: Run) -> list[Address]:
    """Return the addresses of `host`, in the order to try them. Enters the phase `resolve` if `host` is a name.

    Raises:
        ProbeFailure: `resolve`, if there is no address of an allowed family.
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
    """A c-ares channel, closed when its time is over and the last query has ended."""

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
"""References that keep tasks from being garbage-collected before they have run."""


def _current() -> _Resolver:
    """Return the current resolver of this loop."""
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
    """Return the addresses with families alternating (RFC 8305 section 4), so that a dead family costs one delay."""
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
