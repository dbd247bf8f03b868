"""PostgreSQL's protocol 3.0 on a stream, as far as a probe needs it, with limits.

libpq is not used: it reads messages of any length into memory, runs any number of SCRAM iterations in a call that
blocks the event loop, and has no setting against either.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.probes.stores.stream import StoreStream

PROTOCOL = 3 << 16
SSL_REQUEST = struct.pack("!II", 8, 80877103)
TERMINATE = b"X\0\0\0\x04"

MAX_MESSAGE_BYTES = 256 * 1024
"""The longest message that is read. Answers to the queries of a probe have less than 1 KiB."""
MAX_MESSAGES = 1000
"""Limit per run; a login has about 20, a query 6. Without it, notices could keep the event loop busy."""
MAX_AUTHENTICATION_BYTES = 2000
"""The limit of libpq: a longer message that begins with `R` does not come from a PostgreSQL server."""

ASIDE = b"NSA"
"""Notices, settings and notifications, which may arrive between any two messages."""

SQLSTATE = re.compile(rb"[0-9A-Z]{5}")


@dataclass(frozen=True, slots=True)
class ServerError:
    """An ErrorResponse. `state`: its SQLSTATE, empty if it has none."""

    state: str
    words: PeerText
    fatal: bool
    """The server closes the connection after it."""


class Messages:
    """The messages of one connection, in both directions."""

    __slots__ = ("_count", "_stream")

    def __init__(self, stream: StoreStream) -> None:
        self._stream = stream
        self._count = 0

    def send(self, kind: bytes, body: bytes) -> None:
        """Send a message; only the first one of a connection has no `kind`."""
        self._stream.send(kind + struct.pack("!I", len(body) + 4) + body)

    async def next(self, kinds: bytes) -> tuple[bytes, bytes]:
        """Return the kind and the body of the next message; those in `ASIDE` are skipped unless in `kinds`.

        Raises:
            ProbeFailure: `protocol` if it is not one of `kinds`; `size` beyond the limits; `disconnect`.
        """
        while True:
            kind, body = await self._any(kinds)
            if kind in kinds:
                return kind, body

    async def _any(self, kinds: bytes) -> tuple[bytes, bytes]:
        self._count += 1
        if self._count > MAX_MESSAGES:
            raise ProbeFailure(Reason.SIZE, f"the server sent more than {MAX_MESSAGES} messages")
        upcoming = await self._stream.upcoming(1)
        if upcoming[:1] not in kinds + ASIDE:
            raise strange(upcoming)
        header = await self._stream.exactly(5)
        kind, length = header[:1], int.from_bytes(header[1:], "big") - 4
        if _is_text(header[1:]):
            if kind != b"E":
                raise strange(header)
            # A server that cannot start a process reports it in the protocol of 1997: text to the end of the line.
            return kind, b"M" + header[1:] + (await self._stream.until(b"\n"))
        if length < 0 or (kind == b"R" and length > MAX_AUTHENTICATION_BYTES):
            raise strange(header)
        if length > MAX_MESSAGE_BYTES:
            raise ProbeFailure(
                Reason.SIZE, f"the server sent a message of {length} bytes, more than {MAX_MESSAGE_BYTES}"
            )
        return kind, await self._stream.exactly(length)


def startup(settings: Mapping[str, str]) -> bytes:
    """Return the body of the first message.

    Raises:
        ValueError: a value cannot be sent; one sentence.
    """
    body = struct.pack("!I", PROTOCOL)
    for name, value in settings.items():
        if "\0" in value:
            raise ValueError(f"the {name} holds a NUL character")
        body += name.encode() + b"\0" + value.encode("utf-8", "surrogateescape") + b"\0"
    return body + b"\0"


def server_error(body: bytes) -> ServerError:
    """Parse an ErrorResponse."""
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    state = fields.get(b"C", b"")
    severity = fields.get(b"V") or fields.get(b"S", b"")  # V is never translated; servers before 9.6 lack it
    return ServerError(
        state.decode() if SQLSTATE.fullmatch(state) else "",
        PeerText(fields.get(b"M", b"").rstrip()),
        severity in (b"FATAL", b"PANIC"),
    )


def columns(body: bytes) -> list[str]:
    """Return the names in a RowDescription.

    Raises:
        ProbeFailure: `protocol`.
    """
    names, at = [], 2
    for _ in range(_count(body)):
        end = body.find(b"\0", at)
        if end < 0 or end + 19 > len(body):
            raise damaged()
        names.append(body[at:end].decode("utf-8", "replace"))
        at = end + 19
    return names


def values(body: bytes) -> list[bytes | None]:
    """Return the values of a DataRow; None for NULL.

    Raises:
        ProbeFailure: `protocol`.
    """
    found: list[bytes | None] = []
    at = 2
    for _ in range(_count(body)):
        if at + 4 > len(body):
            raise damaged()
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        if length < -1 or at + length > len(body):
            raise damaged()
        found.append(None if length == -1 else body[at : at + length])
        at += max(0, length)
    return found


def strange(start: bytes) -> ProbeFailure:
    """Return the failure for bytes that are not a message of this protocol, or not an expected one."""
    return ProbeFailure(Reason.PROTOCOL, "the server does not speak PostgreSQL: {}", PeerText(start))


def damaged() -> ProbeFailure:
    """Return the failure for a message whose parts exceed it."""
    return ProbeFailure(Reason.PROTOCOL, "the server answered a query with a malformed message")


def _count(body: bytes) -> int:
    if len(body) < 2:
        raise damaged()
    return int.from_bytes(body[:2], "big")


def _is_text(length: bytes) -> bool:
    """True if the four bytes are text: as a length they would exceed 512 MiB, while real lengths have zero bytes."""
    return length.isascii() and length.decode().isprintable()
