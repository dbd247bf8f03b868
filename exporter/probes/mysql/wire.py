"""The part of MySQL's client/server protocol that the probe needs, within limits.

No client library is used: aiomysql and asyncmy read packets of any length into memory, send the password in clear to a
server that asks for it, and connect without a way to measure or limit each phase.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.probes.stores.stream import StoreStream

MAX_PACKET_BYTES = 256 * 1024
"""The longest packet that is read. The state of a replica is the longest answer: 3 KiB, and the sets of its GTIDs. A
packet of 16 MiB, which the protocol continues in the next one, is never read."""
MAX_PACKETS = 2000
"""Of one run; a login has about 6 packets, the state of a replica about 70."""
MAX_COLUMNS = 256
"""Of one answer; the state of a replica has about 60."""
MAX_ROWS = 256
"""Of one answer: channels, replicas or settings."""

OK, LOCAL_FILE, END, ERROR = 0x00, 0xFB, 0xFE, 0xFF
"""First bytes of packets."""
MAX_END_BYTES = 9
"""A packet that begins with `END` and is as long or longer is a row."""
NULL = 0xFB
LENGTH_BYTES = {0xFC: 2, 0xFD: 3, 0xFE: 8}
"""How many bytes follow the first one of a length, where it is not the length itself."""

PROTOCOL_VERSION = 10
UTF8MB4 = 45
"""utf8mb4_general_ci, which every server since MySQL 5.5 and MariaDB 5.5 has."""

LONG_PASSWORD, LONG_FLAG, CONNECT_WITH_DB = 1, 1 << 2, 1 << 3
PROTOCOL_41, TLS, TRANSACTIONS, SECURE_CONNECTION = 1 << 9, 1 << 11, 1 << 13, 1 << 15
PLUGIN_AUTH, CONNECT_ATTRIBUTES = 1 << 19, 1 << 20
NEEDED = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH
"""What every server since MySQL 5.5 and MariaDB 5.2 offers."""
OFFERED = LONG_PASSWORD | LONG_FLAG | TRANSACTIONS | NEEDED
"""Not offered: LOCAL INFILE, by which a server reads files of its client; several statements in one; compression."""

COM_QUIT, COM_QUERY = b"\x01", b"\x03"
MORE_RESULTS = 1 << 3
"""Of a status: the answer has another part, which only several statements in one have."""

SCRAMBLE_BYTES = 20
STATE = re.compile(rb"#[0-9A-Z]{5}")


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error packet. `state`: its SQLSTATE, empty if it has none."""

    code: int
    state: str
    words: PeerText


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first packet of a server. `scramble`: 20 random bytes. `plugin`: its default authentication plugin."""

    version: bytes
    capabilities: int
    scramble: bytes
    plugin: bytes


class Packets:
    """The packets of one connection, in both directions."""

    __slots__ = ("_count", "_sequence", "_stream")

    def __init__(self, stream: StoreStream) -> None:
        self._stream = stream
        self._sequence = 0
        self._count = 0

    def send(self, body: bytes) -> None:
        """Send the next packet of an exchange."""
        self._stream.send(len(body).to_bytes(3, "little") + bytes((self._sequence,)) + body)
        self._sequence = (self._sequence + 1) & 0xFF

    def command(self, body: bytes) -> None:
        """Begin an exchange."""
        self._sequence = 0
        self.send(body)

    async def next(self) -> bytes:
        """Return the body of the next packet, which is not empty.

        Raises:
            ProbeFailure: `protocol`, `disconnect`; `size` beyond the limits.
        """
        self._count += 1
        if self._count > MAX_PACKETS:
            raise ProbeFailure(Reason.SIZE, f"the server sent more than {MAX_PACKETS} packets")
        upcoming = await self._stream.upcoming(5)
        length = int.from_bytes(upcoming[:3], "little")
        # Servers number an error that they send in place of something else in several ways.
        if length == 0 or (upcoming[3] != self._sequence and upcoming[4] != ERROR):
            raise strange(upcoming)
        if length > MAX_PACKET_BYTES:
            raise ProbeFailure(
                Reason.SIZE, f"the server sent a packet of {length} bytes, over {MAX_PACKET_BYTES}"
            )
        await self._stream.exactly(4)
        self._sequence = (upcoming[3] + 1) & 0xFF
        return await self._stream.exactly(length)


class Reader:
    """Reads the parts of a packet in order. A part that does not fit fails with `protocol`."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes, at: int = 0) -> None:
        self._body = body
        self._at = at

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._body)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        end = self._at + count
        if end > len(self._body):
            raise damaged()
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def number(self, count: int) -> int:
        """Return the number in the next `count` bytes."""
        return int.from_bytes(self.take(count), "little")

    def until_nul(self) -> bytes:
        """Return the text up to the next NUL, or up to the end."""
        end = self._body.find(b"\0", self._at)
        text = self._body[self._at : end if end >= 0 else len(self._body)]
        self._at += len(text) + 1
        return text

    def length(self) -> int | None:
        """Return a length-encoded number; None for NULL."""
        first = self.number(1)
        if first == NULL:
            return None
        if first == ERROR:
            raise damaged()
        return self.number(LENGTH_BYTES[first]) if first in LENGTH_BYTES else first

    def text(self) -> bytes | None:
        """Return a length-encoded text; None for NULL."""
        start = self._at + 1
        first = self._body[self._at] if start <= len(self._body) else NULL
        if first < NULL:  # nearly every text is so short, and a replica's state has 400 of them
            self._at = start + first
            if self._at > len(self._body):
                raise damaged()
            return self._body[start : self._at]
        length = self.length()
        return None if length is None else self.take(length)

    def rest(self) -> bytes:
        """Return what is left."""
        return self._body[self._at :]


def greeting(body: bytes) -> Greeting:
    """Parse the first packet of a server.

    Raises:
        ProbeFailure: `protocol`: it is not a greeting, or the server is too old.
    """
    if body[0] != PROTOCOL_VERSION:
        raise strange(body)
    reader = Reader(body, 1)
    version = reader.until_nul()
    reader.take(4)  # the number of the connection
    scramble = reader.take(8)
    reader.take(1)
    capabilities = reader.number(2)
    if reader.is_at_end:
        raise _outdated()
    reader.take(3)  # character set and status
    capabilities |= reader.number(2) << 16
    reader.take(11)  # the length of the scramble, which is always the same, and what MariaDB adds
    if capabilities & NEEDED != NEEDED:
        raise _outdated()
    scramble += reader.take(SCRAMBLE_BYTES - len(scramble))
    reader.take(1)
    return Greeting(version, capabilities, scramble, reader.until_nul())


def tls_request(capabilities: int) -> bytes:
    """Return the packet that starts the TLS handshake: the first part of `login`."""
    return struct.pack("<IIB23x", capabilities, MAX_PACKET_BYTES, UTF8MB4)


def login(
    capabilities: int, username: str, response: bytes, database: str | None, plugin: bytes, program: str
) -> bytes:
    """Return the packet with the user and `response`, the proof of the password, which is shorter than 256 bytes."""
    attributes = _texts(b"program_name", program.encode())
    return b"".join(
        (
            tls_request(capabilities),
            encoded(username) + b"\0",
            bytes((len(response),)) + response,
            b"" if database is None else encoded(database) + b"\0",
            plugin + b"\0",
            _texts(attributes) if capabilities & CONNECT_ATTRIBUTES else b"",
        )
    )


def server_error(body: bytes) -> ServerError:
    """Parse an error packet; before the login it has no SQLSTATE."""
    reader = Reader(body, 1)
    code, rest = reader.number(2), reader.rest()
    if STATE.match(rest):
        return ServerError(code, rest[1:6].decode(), PeerText(rest[6:]))
    return ServerError(code, "", PeerText(rest))


def is_end(body: bytes) -> bool:
    """True for the packet after the last column or row.

    Raises:
        ProbeFailure: `protocol`: another answer follows.
    """
    if body[0] != END or len(body) >= MAX_END_BYTES:
        return False
    if len(body) >= 5 and int.from_bytes(body[3:5], "little") & MORE_RESULTS:
        raise ProbeFailure(Reason.PROTOCOL, "the server answered a question twice")
    return True


def encoded(text: str) -> bytes:
    """Return a text as it is sent."""
    return text.encode("utf-8", "surrogateescape")


def strange(start: bytes) -> ProbeFailure:
    """Return the failure for bytes that are not the expected packet."""
    return ProbeFailure(Reason.PROTOCOL, "the server does not speak MySQL: {}", PeerText(start))


def damaged() -> ProbeFailure:
    """Return the failure for a packet whose parts do not fit into it."""
    return ProbeFailure(Reason.PROTOCOL, "the server sent a damaged packet")


def _outdated() -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, "the server speaks MySQL's protocol of before 2010")


def _texts(*texts: bytes) -> bytes:
    """Return texts with their lengths, which are below 251."""
    return b"".join(bytes((len(text),)) + text for text in texts)
