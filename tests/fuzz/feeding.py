"""Feed bytes to an asyncio protocol as a peer would send them, without a socket."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.peer_text import Secrets
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import Run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Reading = Callable[["Peer", Run], Awaitable[object]]

SECONDS = 20.0
"""A reading that takes longer than this is considered hung."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a reading: its value, or the reason why it failed. The message may contain how many bytes
    arrived."""

    value: object = None
    reason: Reason = Reason.OK


class Transport(asyncio.Transport):
    """A transport that takes whatever is written and ends when it is closed."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)})
        self.protocol = protocol
        self.closed = False

    def write(self, data: Any) -> None:
        assert isinstance(data, bytes | bytearray | memoryview)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Peer:
    """A peer that sends `pieces` to each protocol connected to it, then closes."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._sending: list[asyncio.Task[None]] = []

    def connect(self, protocol: asyncio.Protocol) -> Transport:
        transport = Transport(protocol)
        protocol.connection_made(transport)
        self._sending.append(asyncio.create_task(self._send(protocol, transport)))
        return transport

    async def _send(self, protocol: asyncio.Protocol, transport: Transport) -> None:
        for piece in self._pieces:
            await asyncio.sleep(0)
            if transport.closed:
                return
            protocol.data_received(piece)
        await asyncio.sleep(0)
        if not transport.closed and not protocol.eof_received():
            transport.abort()

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        # An exception raised to the sender is a defect of the protocol that received the bytes.
        for result in await asyncio.gather(*self._sending, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def read(pieces: Sequence[bytes], reading: Reading) -> Outcome:
    """Return the outcome of `reading` with a peer that sends `pieces`. Any exception except `ProbeFailure` is a
    defect."""

    async def run() -> Outcome:
        peer, notes = Peer(pieces), Run(time.monotonic() + SECONDS)
        try:
            async with asyncio.timeout(SECONDS):
                return Outcome(await reading(peer, notes))
        except ProbeFailure as failure:
            return _checked(failure)
        finally:
            await peer.close()

    return asyncio.run(run())


def _checked(failure: ProbeFailure) -> Outcome:
    assert failure.reason is not Reason.INTERNAL
    assert failure.sentence.shown(Secrets()).isprintable()
    return Outcome(None, failure.reason)
