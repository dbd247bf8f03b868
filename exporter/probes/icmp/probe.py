"""Probe by ICMP echo, which reads replies in the event loop without blocking or polling.

icmplib makes the packets and sockets, but is not used to receive replies: its AsyncSocket checks only identifier and
sequence number, does not return the hop limit, and cannot read reports of the network on an unprivileged socket.
Linux queues these reports (ip(7), IP_RECVERR), each with the packet it is about, on both kinds of socket.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import select
import socket
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from icmplib import ICMPRequest, ICMPSocketError, ICMPv4Socket, ICMPv6Socket, SocketPermissionError

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import OUT_OF_SOCKETS, MeasuredProbe, Run
from exporter.probes.net.connect import ATTEMPT_DELAY, note_address
from exporter.probes.net.race import race
from exporter.probes.net.resolve import resolve

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import IcmpSpec
    from exporter.probes.compile import Shared
    from exporter.probes.net.resolve import Address

IP_RECVERR = 11
IP_RECVTTL = 12
IPV6_RECVERR = 25
"""Numbers of Linux; Python has names for them from 3.14 on."""

HEADER_BYTES = 8
MAX_IP_HEADER_BYTES = 60
NOT_PERMITTED = (
    "no permission to open an ICMP socket: include the exporter's group in net.ipv4.ping_group_range, "
    "or give the exporter the capability CAP_NET_RAW"
)


@dataclass(frozen=True, slots=True)
class Family:
    """The differences between the two versions of IP."""

    socket: type[ICMPv4Socket | ICMPv6Socket]
    options: tuple[tuple[int, int], ...]
    """Level and number of the socket options for network reports and for the hop limit of the reply."""
    hop_limit: tuple[int, int]
    """Level and type of the control message with the hop limit."""
    report: tuple[int, int]
    """Level and type of the control message with a network report."""
    reply: int
    """ICMP type of an echo reply."""
    reports: dict[int, tuple[str, dict[int, str]]]
    """Texts of reports by their type and, more exact, by their code."""


UNREACHABLE_4 = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "packet too large",
    9: "network prohibited",
    10: "host prohibited",
    13: "prohibited by a filter",
}
UNREACHABLE_6 = {
    0: "no route",
    1: "prohibited by a filter",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address refused by policy",
    6: "route rejected",
}
FAMILIES = {
    socket.AF_INET: Family(
        ICMPv4Socket,
        ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IP, IP_RECVTTL)),
        (socket.IPPROTO_IP, socket.IP_TTL),
        (socket.IPPROTO_IP, IP_RECVERR),
        0,
        {
            3: ("destination unreachable", UNREACHABLE_4),
            11: ("time to live exceeded", {}),
            12: ("bad IP header", {}),
        },
    ),
    socket.AF_INET6: Family(
        ICMPv6Socket,
        ((socket.IPPROTO_IPV6, IPV6_RECVERR), (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT)),
        (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT),
        (socket.IPPROTO_IPV6, IPV6_RECVERR),
        129,
        {
            1: ("destination unreachable", UNREACHABLE_6),
            2: ("packet too large", {}),
            3: ("hop limit exceeded", {}),
            4: ("bad IP header", {}),
        },
    ),
}
"""RFC 792 and RFC 4443."""


@dataclass(frozen=True, slots=True)
class Reply:
    address: Address
    hop_limit: int | None


class IcmpProbe(MeasuredProbe):
    """Echo requests to one address after another until one answers: a dead IPv6 address costs a short delay."""

    __slots__ = ("_payload", "_spec")

    def __init__(self, spec: IcmpSpec, shared: Shared) -> None:  # noqa: ARG002 - every protocol has this signature
        self._spec = spec
        self._payload = bytes(index & 0xFF for index in range(spec.payload_bytes))

    async def ask(self, run: Run) -> None:
        addresses = await resolve(self._spec.host, self._spec.ip_protocol, run)
        run.enter("setup")
        run.peer = self._spec.host
        reply = await race([partial(self._echo, address, run) for address in addresses], ATTEMPT_DELAY)
        note_address(reply.address, run)
        if reply.hop_limit is not None:
            run.facts["reply_hop_limit"] = reply.hop_limit

    async def _echo(self, address: Address, run: Run) -> Reply:
        family = FAMILIES[address[0]]
        with _open(family) as icmp, select.epoll() as events:
            icmp.blocking = False
            for level, option in family.options:
                icmp.sock.setsockopt(level, option, 1)
            _connect(icmp.sock, address)
            exchange = Exchange(icmp, family, address, self._request(address[1]), self._payload)
            # Watched through a separate epoll: uvloop drops a descriptor with a pending error without calling its
            # reader, while an epoll that has events is simply readable.
            events.register(icmp.sock, select.EPOLLIN)
            loop = asyncio.get_running_loop()
            loop.add_reader(events.fileno(), exchange.read)
            try:
                run.enter("rtt")
                note_address(address, run)
                exchange.send()
                return await exchange.done
            finally:
                loop.remove_reader(events.fileno())

    def _request(self, host: str) -> ICMPRequest:
        """Return a request with a random identifier and sequence number.

        A raw socket also receives the replies to all other sockets.
        """
        return ICMPRequest(
            host,
            secrets.randbits(16),
            secrets.randbits(16),
            self._payload,
            len(self._payload),
            self._spec.ttl,
        )


class Exchange:
    """One echo request on one socket. Await `done`."""

    __slots__ = ("_address", "_family", "_icmp", "_payload", "_request", "done")

    def __init__(
        self,
        icmp: ICMPv4Socket | ICMPv6Socket,
        family: Family,
        address: Address,
        request: ICMPRequest,
        payload: bytes,
    ) -> None:
        self._icmp = icmp
        self._family = family
        self._address = address
        self._request = request
        self._payload = payload
        self.done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def send(self) -> None:
        try:
            self._icmp.send(self._request)
        except ICMPSocketError as error:
            raise ProbeFailure(Reason.UNREACHABLE, f"cannot send to {self._address[1]}: {error}") from None

    def read(self) -> None:
        """Read the received packets until one is the reply or a report about the request."""
        sock = self._icmp.sock
        size = MAX_IP_HEADER_BYTES + HEADER_BYTES + len(self._payload)
        while not self.done.done():
            try:
                report, control, _, _ = sock.recvmsg(size, 512, socket.MSG_ERRQUEUE)
            except BlockingIOError:
                pass
            else:
                self._reported(report, control)
                continue
            try:
                packet, control, _, _ = sock.recvmsg(size, 512)
            except BlockingIOError:
                return
            except OSError:
                continue  # the errno of a report, which is in the queue with its details
            self._received(packet, control)

    def _received(self, packet: bytes, control: list[tuple[int, int, bytes]]) -> None:
        if self._icmp.is_privileged and self._address[0] == socket.AF_INET:
            packet = packet[(packet[0] & 0x0F) * 4 :]
        if (
            packet[:2] == bytes((self._family.reply, 0))
            and self._is_ours(packet)
            and packet[8:] == self._payload
        ):
            hop_limit = _control(control, self._family.hop_limit)
            value = None if hop_limit is None else struct.unpack_from("@i", hop_limit)[0]
            self.done.set_result(Reply(self._address, value))

    def _reported(self, packet: bytes, control: list[tuple[int, int, bytes]]) -> None:
        """Handle a report about our request.

        Its format is `struct sock_extended_err` of ip(7): errno, origin, type, code, pad, info, data; then the
        reporter.
        """
        report = _control(control, self._family.report)
        if report is None or not self._is_ours(packet):
            return
        error, origin, kind, code = struct.unpack_from("@IBBB", report)
        what, details = self._family.reports.get(kind, ("", {}))
        if origin not in (2, 3) or not what:  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6; else from this machine
            what = os.strerror(error)
        failure = f"{self._address[1]}: {details.get(code, what)}, reported by {_reporter(report, self._address[0])}"
        self.done.set_exception(ProbeFailure(Reason.UNREACHABLE, failure))
        self.done.exception()  # without this asyncio would log the failure if nobody waits any more

    def _is_ours(self, packet: bytes) -> bool:
        return packet[4:8] == struct.pack("!HH", self._request.id, self._request.sequence)


def _open(family: Family) -> ICMPv4Socket | ICMPv6Socket:
    for privileged in (False, True):
        try:
            return family.socket(privileged=privileged)
        except SocketPermissionError:
            continue
        except ICMPSocketError as error:
            cause = error.__context__
            if isinstance(cause, OSError) and cause.errno in OUT_OF_SOCKETS:
                raise cause from None
            raise ProbeFailure(Reason.UNREACHABLE, f"no ICMP socket can be opened: {error}") from None
    raise ProbeFailure(Reason.PERMISSION, NOT_PERMITTED)


def _connect(sock: socket.socket, address: Address) -> None:
    """Bind the socket to the host, to receive only its packets; fails at once if there is no route."""
    host = address[1]
    try:
        sock.connect(socket.getaddrinfo(host, None, address[0], sock.type, flags=socket.AI_NUMERICHOST)[0][4])
    except OSError as error:
        raise ProbeFailure(Reason.UNREACHABLE, f"cannot send to {host}: {error.strerror}") from None


def _control(control: list[tuple[int, int, bytes]], wanted: tuple[int, int]) -> bytes | None:
    return next((data for level, kind, data in control if (level, kind) == wanted), None)


def _reporter(report: bytes, family: socket.AddressFamily) -> str:
    """Return the address in the `sockaddr` that follows the 16 bytes of `struct sock_extended_err`."""
    start, size = (20, 4) if family == socket.AF_INET else (24, 16)
    address = report[start : start + size]
    return socket.inet_ntop(family, address) if len(address) == size and any(address) else "this machine"
