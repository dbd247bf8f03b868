"""Body of an HTTP answer: counted, decompressed and, if needed, kept as it arrives."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.head import latin1

if TYPE_CHECKING:
    from exporter.peer_text import PeerText
    from exporter.probes.http.answer import Answer

GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
RAW_DEFLATE = -zlib.MAX_WBITS
DECODED = {"gzip", "x-gzip", "deflate"}
PIECE_BYTES = 16 * 1024
"""Bytes per call of the decoder: it copies the rest, and a hostile body can hold hundreds of members in them."""
MAX_MEMBERS = 1000
"""Members of one gzip body. Programs that write several write one per 64 KiB or so."""


class Body:
    """A body that is counted, decoded and kept as it arrives.

    `max_bytes` limits the body both before and after decoding: a few kilobytes of gzip can hold gigabytes.
    """

    __slots__ = ("_answer", "_decoder", "_kept", "_max_bytes", "_members", "_start")

    def __init__(self, answer: Answer, max_bytes: int, *, keep: bool) -> None:
        self._answer = answer
        self._max_bytes = max_bytes
        # Not a list of pieces: a hostile body has small ones, and each would take forty bytes more.
        self._kept = bytearray() if keep else None
        self._start: bytes | None = b""
        self._members = 1
        encoding = answer.encoding
        self._decoder = zlib.decompressobj(GZIP_OR_ZLIB) if encoding in DECODED else None

    def expect(self, size: int) -> None:
        """Check that `size` more bytes stay within the limit.

        Raises:
            ProbeFailure: `size`.
        """
        if self._answer.received_bytes + size > self._max_bytes:
            raise self._too_large()

    def _too_large(self) -> ProbeFailure:
        return ProbeFailure(Reason.SIZE, f"body is larger than {self._max_bytes} bytes")

    def feed(self, data: bytes) -> None:
        """Take the next bytes received.

        Raises:
            ProbeFailure: `size` or `encoding`.
        """
        answer = self._answer
        answer.received_bytes += len(data)
        if answer.received_bytes > self._max_bytes:
            raise self._too_large()
        if self._decoder is None:
            answer.decoded_bytes = answer.received_bytes
            if self._kept is not None:
                self._kept += data
            return
        for at in range(0, len(data), PIECE_BYTES):
            self._keep(self._decode(self._decoder, data[at : at + PIECE_BYTES]))

    def _keep(self, data: bytes) -> None:
        self._answer.decoded_bytes += len(data)
        if self._answer.decoded_bytes > self._max_bytes:
            raise ProbeFailure(Reason.SIZE, f"body is larger than {self._max_bytes} bytes when decompressed")
        if self._kept is not None:
            self._kept += data

    def _decode(self, decoder: zlib._Decompress, data: bytes) -> bytes:
        if self._start is not None:
            data = self._start = self._start + data
            if len(data) < 2:
                return b""
            self._start = None
            if self._answer.encoding == "deflate" and not is_zlib(data):
                decoder = zlib.decompressobj(RAW_DEFLATE)
        decoded = []
        room = self._max_bytes - self._answer.decoded_bytes + 1
        try:
            while data and room > 0:
                if decoder.eof:
                    decoder = self._next_member()
                decoded.append(decoder.decompress(data, room))
                room -= len(decoded[-1])
                data = decoder.unused_data
        except zlib.error:
            raise ProbeFailure(Reason.ENCODING, f"the body is not valid {self._answer.encoding}") from None
        self._decoder = decoder
        return b"".join(decoded)

    def _next_member(self) -> zlib._Decompress:
        """Begin the next member of a gzip body, which may have several (RFC 1952 section 2.2)."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise ProbeFailure(Reason.ENCODING, f"the body has more than {MAX_MEMBERS} compressed parts")
        return zlib.decompressobj(GZIP_OR_ZLIB)

    def finish(self) -> None:
        """End the body.

        Raises:
            ProbeFailure: `encoding`, if the compressed stream has not ended.
        """
        if self._decoder is not None and not self._decoder.eof and self._answer.received_bytes:
            raise ProbeFailure(Reason.ENCODING, f"the {self._answer.encoding} body is cut short")
        if self._kept is not None:
            self._answer.body = bytes(self._kept)
            self._kept = None


def is_zlib(start: bytes) -> bool:
    """True if a deflate body has the zlib wrapper that RFC 9110 section 8.4.1.2 requires; some servers omit it.

    The first two bytes tell (RFC 1950 section 2.2).
    """
    return start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0


def cannot_decompress(answer: Answer) -> ProbeFailure:
    """Return the failure of a body that a condition cannot read."""
    return ProbeFailure(Reason.ENCODING, "cannot decompress {}", encoding_of(answer))


def encoding_of(answer: Answer) -> PeerText:
    """Return the encoding as the peer wrote it."""
    return latin1(answer.header("content-encoding") or "")
