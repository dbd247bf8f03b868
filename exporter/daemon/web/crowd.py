"""Limits for all connections, and the choice of the one to close when there are too many.

One client must not lock out another. So the connection to close is one of the address with the most connections: the
one that has waited longest for a complete request. Sending a byte from time to time does not reset this time.
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
"""TLS handshakes at the same time; each uses the event loop for about 2 ms."""
MAX_OUTGOING_BYTES = 32 * 1024 * 1024
"""Bytes of answers that clients have not received yet. An answer shared by several clients counts once."""
SHARE = 4
"""One of this many descriptors is for the web server; the others are kept for probes."""


class Stage(IntEnum):
    """The activity of a connection, in the order in which connections are closed."""

    HANDSHAKE = 0
    WAITING = 1
    ENDING = 2
    SENDING = 3
    ANSWERING = 4


IDLE = frozenset({Stage.HANDSHAKE, Stage.WAITING, Stage.ENDING})


class Member(Protocol):
    """A connection, as `Crowd` sees it."""

    @property
    def address(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def since(self) -> float:
        """Return the time at which it entered its stage, on the monotonic clock."""

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
        """Return all current connections."""
        return list(self._members)

    def join(self, member: Member) -> int:
        """Add a connection, and close others if there are too many. Return the number of closed ones."""
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
        """Forget a connection, which may be unknown."""
        self._members.pop(member, None)
        self._outgoing.pop(member, None)

    def evict(self) -> bool:
        """Close the least important connection. False if there is none."""
        if not self._members:
            return False
        self._drop(victim(self._members))
        return True

    def hold(self, member: Member, body: bytes) -> int:
        """Record the answer that a connection will send. Return the number of others closed to stay in the limit."""
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
        """Record that a connection has sent its answer."""
        self._outgoing.pop(member, None)

    def _outgoing_bytes(self) -> int:
        return sum({id(body): len(body) for body in self._outgoing.values()}.values())

    def _drop(self, member: Member) -> None:
        self.leave(member)
        member.abort()


def victim(members: Iterable[Member]) -> Member:
    """Return the least important connection."""
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
    """Return the maximum number of connections: descriptors must be left for probes, whatever clients do."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(8, min(MAX_CONNECTIONS, soft // SHARE))


@lru_cache(maxsize=1024)
def owner_of(host: str) -> str:
    """Return the owner of an address: itself, or its /64 network, since one client can use all addresses of that."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host
