"""Limit on the bytes that a peer may send in a handshake, and on how many are processed at a time.

OpenSSL skips meaningless messages without limit, at 10 µs each, and asyncio passes it a quarter of a megabyte at a
time: the loop would be blocked for 0.3 s again and again until the deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

HANDSHAKE_BYTES = 256 * 1024
"""OpenSSL accepts 100 kB of certificates, and the rest of a handshake is small."""
HANDSHAKE_CHUNK = 16 * 1024
CHUNK = 64 * 1024
"""Bytes read before the event loop gets a turn: 25 ms with the smallest records."""


class Meter(asyncio.BufferedProtocol):
    """A filter between one connection and asyncio's TLS protocol."""

    __slots__ = ("_chunk", "_left", "_secured", "_transport", "exceeded")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._left = HANDSHAKE_BYTES
        self._chunk = HANDSHAKE_CHUNK
        self._secured: Any = None
        self.exceeded = False
        # This runs before the two calls with which `start_tls` begins to read.
        asyncio.get_running_loop().call_soon(self._install, transport.get_protocol())

    def done(self) -> None:
        """Stop counting after the handshake. The protocol above TLS has its own limits."""
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
