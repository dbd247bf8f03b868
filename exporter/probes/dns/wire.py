"""Exchange of one DNS message with a server, by UDP or TCP."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import OUT_OF_SOCKETS
from exporter.probes.net.connect import connect, note_address, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.planning.specs import IpProtocol
    from exporter.probes.measure import Run
    from exporter.probes.net.resolve import Address

HEADER_BYTES = 12
TRUNCATED = 0x02
ANSWER = 0x80
RESEND_SHARE = 1 / 3
"""Share of the remaining time after which an unanswered UDP query is sent again: packets get lost."""


def answers(reply: bytes, query: bytes) -> bool:
    """True if `reply` answers `query`: same identifier, and the same question or, in some refusals, no question.

    Names are compared without regard to case (RFC 1035 section 2.3.3).
    """
    if len(reply) < HEADER_BYTES or reply[:2] != query[:2] or not reply[2] & ANSWER:
        return False
    questions, question = int.from_bytes(reply[4:6], "big"), query[HEADER_BYTES:]
    if questions == 0:
        return bool(reply[3] & 0x0F)
    return questions == 1 and reply[HEADER_BYTES:].lower().startswith(question.lower())


@dataclass(frozen=True, slots=True)
class Datagram:
    """A reply received by UDP, and the address it came from."""

    reply: bytes
    address: Address
    port: int

    @property
    def truncated(self) -> bool:
        """True if the answer is cut short and the query must be repeated by TCP."""
        return bool(self.reply[2] & TRUNCATED)


async def ask_udp(query: bytes, address: Address, port: int, run: Run) -> Datagram:
    """Query one address, at most twice, on a new socket and so from a new source port.

    Raises:
        ProbeFailure: `connect`, if the network or the host refuses.
        OSError: this machine has no socket left.
    """
    host = address[1]
    server = shown(host, port)
    try:
        transport, protocol = await _open_udp(lambda: _UdpProtocol(query, server, run), address, port)
    except OSError as error:
        if error.errno in OUT_OF_SOCKETS:
            raise
        raise _refused(server, error) from None
    try:
        run.enter("request")
        note_address(address, run)
        transport.sendto(query)
        again = asyncio.get_running_loop().call_later(run.time_left() * RESEND_SHARE, transport.sendto, query)
        try:
            return Datagram(await protocol.reply, address, port)
        finally:
            again.cancel()
    finally:
        transport.abort()


async def _open_udp(
    factory: Callable[[], _UdpProtocol], address: Address, port: int
) -> tuple[asyncio.DatagramTransport, _UdpProtocol]:
    """Return a connected socket: it receives only packets of this server, and an error if its port is closed."""
    family, host = address
    endpoint = asyncio.get_running_loop().create_datagram_endpoint(
        factory, remote_addr=(host, port), family=family
    )
    opening = asyncio.ensure_future(endpoint)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # uvloop leaves the socket open when it is cancelled here itself.
        opening.add_done_callback(_discard)
        raise


def _discard(opening: asyncio.Future[tuple[asyncio.DatagramTransport, _UdpProtocol]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abort()


class _UdpProtocol(asyncio.DatagramProtocol):
    def __init__(self, query: bytes, server: str, run: Run) -> None:
        self._query = query
        self._server = server
        self._run = run
        self._others = 0
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        if self.reply.done():
            return
        if answers(data, self._query):
            self.reply.set_result(data)
        else:
            # It may be forged, so ignore it; the true answer may still arrive.
            self._others += 1
            self._run.awaited = f"the answer; {self._others} packets received do not match the question"

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(_refused(self._server, exc))
            self.reply.exception()  # without this asyncio would log the failure if nobody waits any more


def _refused(server: str, error: Exception) -> ProbeFailure:
    number = error.errno if isinstance(error, OSError) else None
    why = os.strerror(number) if number else str(error)
    return ProbeFailure(Reason.CONNECT, f"cannot query {server}: {why}")


async def ask_tcp(query: bytes, host: str, port: int, ip_protocol: IpProtocol, run: Run) -> bytes:
    """Query by TCP, where two bytes of length precede each message (RFC 1035 section 4.2.2).

    Raises:
        ProbeFailure: `resolve`, `connect`, `disconnect` or `protocol`.
        OSError: this machine has no socket left.
    """
    transport, protocol = await connect(_TcpProtocol, host, port, ip_protocol, run)
    try:
        run.enter("request")
        transport.write(len(query).to_bytes(2, "big") + query)
        reply = await protocol.reply
    finally:
        transport.abort()
    if not answers(reply, query):
        raise ProbeFailure(Reason.PROTOCOL, "the reply is not an answer to the question")
    return reply


class _TcpProtocol(asyncio.Protocol):
    """Receiver of one message of at most 64 KiB, since its length has two bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.reply.done():
            return
        self._buffer += data
        end = 2 + int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) >= max(end, 2):
            self.reply.set_result(bytes(self._buffer[2:end]))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.reply.done():
            how = "closed" if exc is None else "reset"
            when = "in the middle of the answer" if self._buffer else "before any answer"
            self.reply.set_exception(ProbeFailure(Reason.DISCONNECT, f"connection {how} {when}"))
            # A probe that ended at its deadline no longer waits; without this asyncio would log the failure.
            self.reply.exception()
