"""WebSocket frames (RFC 6455 section 5), read with limits."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.head import cut_head
from exporter.probes.net.stream import MAX_BYTES, LineStream

if TYPE_CHECKING:
    from exporter.probes.http.head import HeadBudget
    from exporter.probes.measure import Run

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
DATA = {CONTINUATION, TEXT, BINARY}
CONTROL = {CLOSE, PING, PONG}
FINAL, RESERVED, OPCODE = 0x80, 0x70, 0x0F
MASKED, LENGTH = 0x80, 0x7F
MAX_CONTROL_BYTES = 125
LENGTH_16, LENGTH_64 = 126, 127
"""Length values that mean: the length follows in two or eight bytes."""

FRAMES_AT_A_TIME = 50
"""Frames read before the event loop gets a turn: a peer can send thousands of empty frames in one piece."""

NORMAL = 1000
CLOSE_CODES = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer's close frame. `code` is None if it has none."""

    code: int | None
    reason: bytes

    @property
    def meaning(self) -> str:
        """Return the code, with its name if it has one."""
        if self.code is None:
            return "no code"
        name = CLOSE_CODES.get(self.code)
        return f"code {self.code}, {name}" if name else f"code {self.code}"


class WebSocketStream(LineStream):
    """The client side of a connection: an HTTP head, then frames. At most `MAX_BYTES` are read in total."""

    __slots__ = ("_frames",)

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._frames = 0

    async def head(self, budget: HeadBudget) -> bytes:
        """Return the next HTTP head, without the empty line that ends it.

        Raises:
            ProbeFailure: `protocol`, `disconnect`, `tls`.
        """
        searched = 0
        while (head := cut_head(self._buffer, budget, searched)) is None:
            searched = len(self._buffer)
            if not await self._more():
                when = "within the headers" if self._buffer else "before any answer"
                raise ProbeFailure(Reason.DISCONNECT, f"connection closed {when}")
        return head

    async def message(self) -> bytes | Closed | None:
        """Return the next text message or the peer's close frame; None after the end. Answers pings, skips others.

        Raises:
            ProbeFailure: `protocol` if the peer violates RFC 6455, `size`, `disconnect`, `tls`.
        """
        parts: list[bytes] = []
        kind = None
        while (frame := await self._frame()) is not None:
            first, payload = frame
            opcode, final = first & OPCODE, bool(first & FINAL)
            self._frames += 1
            if self._frames % FRAMES_AT_A_TIME == 0:
                await asyncio.sleep(0)
            if opcode == CLOSE:
                return _closed(payload)
            if opcode == PING:
                self.send(encode(PONG, payload))
            if opcode in CONTROL:
                continue
            if (opcode == CONTINUATION) is (kind is None):
                raise _broken(
                    "a continuation without a message" if kind is None else "a message within another"
                )
            kind = kind if opcode == CONTINUATION else opcode
            parts.append(payload)
            if final and kind == TEXT:
                return b"".join(parts)
            if final:
                kind = None
                parts.clear()
        return None

    async def _frame(self) -> tuple[int, bytes] | None:
        """Return the first byte and the payload of the next frame."""
        head = await self._exactly(2)
        if head is None:
            return None
        first, second = head
        if first & RESERVED or first & OPCODE not in DATA | CONTROL:
            raise _broken("a frame of an unknown kind")
        if second & MASKED:
            raise _broken("a masked frame, which only a client may send")
        size = second & LENGTH
        if first & OPCODE in CONTROL and (size > MAX_CONTROL_BYTES or not first & FINAL):
            raise _broken("a control frame that is too long or fragmented")
        if size in (LENGTH_16, LENGTH_64):
            extended = await self._exactly(2 if size == LENGTH_16 else 8)
            if extended is None:
                return None
            size = int.from_bytes(extended, "big")
        if size > MAX_BYTES:
            raise ProbeFailure(Reason.SIZE, f"the server sends a message larger than {MAX_BYTES} bytes")
        payload = await self._exactly(size)
        return None if payload is None else (first, payload)

    async def _exactly(self, count: int) -> bytes | None:
        """Return the next `count` bytes; None if the connection ends before."""
        while len(self._buffer) < count:
            if not await self._more():
                return None
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def _more(self) -> bool:
        """Wait for more bytes; return False after the last."""
        if self._failure is not None:
            raise self._failure
        if self._ended:
            return False
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter
        return True


def encode(opcode: int, payload: bytes) -> bytes:
    """Return a complete frame, masked as required for clients."""
    size = len(payload)
    if size <= MAX_CONTROL_BYTES:
        length = bytes([MASKED | size])
    elif size < 1 << 16:
        length = bytes([MASKED | LENGTH_16]) + size.to_bytes(2, "big")
    else:
        length = bytes([MASKED | LENGTH_64]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    # XOR of two long numbers: a loop over the bytes takes a hundred times as long.
    pattern = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
    return bytes([FINAL | opcode]) + length + mask + masked


def _closed(payload: bytes) -> Closed:
    return Closed(int.from_bytes(payload[:2], "big") if len(payload) > 1 else None, payload[2:])


def _broken(what: str) -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, f"the server violates the WebSocket protocol: {what}")
