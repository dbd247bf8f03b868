"""All connections at once: how many there may be, and which one goes when there are too many.

One client must not keep another out. So what goes first belongs to the address with the most connections, and of that
address it is the one that has waited longest for a request, whole or half. A client that sends one byte now and then
does not become younger by it.
"""

from __future__ import annotations

import ipaddress
import resource
from collections import Counter
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CONNECTIONS = 512
MAX_HANDSHAKES = 32
"""TLS handshakes under way; each takes the loop about 2 ms."""
MAX_OUTGOING_BYTES = 32 * 1024 * 1024
"""Of answers that clients have not taken yet. Clients that share one answer hold it together."""
SHARE = 4
"""One descriptor of this many is for the web side; the others are kept for probes."""


class Stage(IntEnum):
    """What a connection is doing, in the order in which it is given up."""

    HANDSHAKE = 0
    WAITING = 1
    ENDING = 2
    SENDING = 3
    ANSWERING = 4


IDLE = frozenset({Stage.HANDSHAKE, Stage.WAITING, Stage.ENDING})


class Member(Protocol):
    """A connection, as the crowd sees it."""

    @property
    def address(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def since(self) -> float:
        """When it came to its stage, by the monotonic clock."""

    def abort(self) -> None: ...


class Crowd:
    """The connections of a server."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit or connection_limit()
        self._members: dict[Member, str] = {}
        self._outgoing: dict[Member, bytes] = {}

    def __len__(self) -> int:
        return len(self._members)

    def members(self) -> list[Member]:
        """Return all connections there are now."""
        return list(self._members)

    def join(self, member: Member) -> int:
        """Add a connection, in the place of others if there are too many. Return how many had to go."""
        gone = 0
        while len(self._members) >= self._limit and self.evict():
            gone += 1
        if member.stage is Stage.HANDSHAKE:
            shaking = [other for other in self._members if other.stage is Stage.HANDSHAKE]
            if len(shaking) >= MAX_HANDSHAKES:
                self._drop(victim(shaking))
                gone += 1
        self._members[member] = member.address
        return gone

    def leave(self, member: Member) -> None:
        """Forget a connection; not knowing it is no mistake."""
        self._members.pop(member, None)
        self._outgoing.pop(member, None)

    def evict(self) -> bool:
        """End the connection that can be spared most. False if there is none."""
        if not self._members:
            return False
        self._drop(victim(self._members))
        return True

    def hold(self, member: Member, body: bytes) -> int:
        """Note what a connection is about to send. Return how many others had to go because all hold too much."""
        self._outgoing[member] = body
        gone = 0
        while self._outgoing_bytes() > MAX_OUTGOING_BYTES:
            others = [other for other in self._outgoing if other is not member]
            if not others:
                break
            self._drop(victim(others))
            gone += 1
        return gone

    def let_go(self, member: Member) -> None:
        """Note that a connection has sent what it held."""
        self._outgoing.pop(member, None)

    def _outgoing_bytes(self) -> int:
        return sum({id(body): len(body) for body in self._outgoing.values()}.values())

    def _drop(self, member: Member) -> None:
        self.leave(member)
        member.abort()


def victim(members: Iterable[Member]) -> Member:
    """Return the one that can be spared most."""
    listed = list(members)
    count = Counter(member.address for member in listed)
    return min(
        listed,
        key=lambda member: (
            -count[member.address],
            0 if member.stage in IDLE else member.stage,
            member.since,
        ),
    )


def connection_limit() -> int:
    """Return how many connections there may be: probes must find descriptors whatever clients do."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(8, min(MAX_CONNECTIONS, soft // SHARE))


@lru_cache(maxsize=1024)
def owner_of(host: str) -> str:
    """Return whom an address belongs to: itself, or its /64 network, of which one client can have every address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host
