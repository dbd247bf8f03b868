"""A limit on what a peer may send in a handshake, and on how much of it is worked on at once.

OpenSSL passes over messages without meaning as long as they come, 10 µs for each, and asyncio hands it a quarter of a
megabyte at a time: the loop would stand still for 0.3 s again and again until the deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

HANDSHAKE_BYTES = 256 * 1024
"""OpenSSL takes 100 kB of certificates, and everything else of a handshake is small."""
HANDSHAKE_CHUNK = 16 * 1024
CHUNK = 64 * 1024
"""Bytes that are read before other work of the loop gets its turn: 25 ms of the smallest records."""


class Meter(asyncio.BufferedProtocol):
    """Stands before asyncio's protocol of TLS on one connection."""

    __slots__ = ("_chunk", "_left", "_secured", "_transport", "exceeded")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._left = HANDSHAKE_BYTES
        self._chunk = HANDSHAKE_CHUNK
        self._secured: Any = None
        self.exceeded = False
        # It runs before the two calls by which `start_tls` begins to read.
        asyncio.get_running_loop().call_soon(self._install, transport.get_protocol())

    def done(self) -> None:
        """The handshake is over; what comes now is for the protocol above, which has limits of its own."""
        self._left = 0
        self._chunk = CHUNK

    def _install(self, before: asyncio.BaseProtocol) -> None:
        secured = self._transport.get_protocol()
        if secured is not before and not self._transport.is_closing():
            self._secured = secured
            self._transport.set_protocol(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(cast("memoryview", self._secured.get_buffer(sizehint)))[: self._chunk]

    def buffer_updated(self, nbytes: int) -> None:
        if self._left:
            self._left -= nbytes
            if self._left <= 0:
                self.exceeded = True
                self._transport.abort()
                return
        self._secured.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return cast("bool | None", self._secured.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._secured.connection_lost(exc)

    def pause_writing(self) -> None:
        self._secured.pause_writing()

    def resume_writing(self) -> None:
        self._secured.resume_writing()
