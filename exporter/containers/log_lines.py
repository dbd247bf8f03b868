"""Lines of a container's log out of the engine's bytes: frames of eight bytes and a payload, or raw of a terminal.

The engine is asked for timestamps, so each line begins with one and a blank. It cuts a line of more than 16 KiB into
parts, each with the timestamp of the first; those of frames are joined here. Only the beginning of a line is kept, so
memory is bounded whatever a container writes.
"""

from __future__ import annotations

HEADER_BYTES = 8
"""Stream, three zeros, length of the payload (big-endian)."""
SYSTEM_STREAM = 3
"""On which the engine says that it could not read on."""
STAMP_BYTES = 36
"""The longest timestamp, `2024-01-02T15:04:05.000000000+02:00`, and a blank."""


class BrokenLogError(Exception):
    """The engine said in the midst of a log that it cannot read it, or sent what is no log. One sentence."""


class _Stream:
    """One of standard output and standard error. `head`: the beginning of the line that is not yet complete."""

    __slots__ = ("head", "strip")

    def __init__(self) -> None:
        self.head = bytearray()
        self.strip = 0
        """Bytes of a repeated timestamp that are still to come."""


class LineSplitter:
    """Bytes in, beginnings of complete lines out: timestamp, blank, text, without the line's end.

    `tty`: whether the container has a terminal, so that its log is one raw stream. `max_line`: bytes of the text that
    are kept.
    """

    __slots__ = ("_header", "_left", "_limit", "_stream", "_streams", "_tty")

    def __init__(self, *, tty: bool, max_line: int) -> None:
        self._tty = tty
        self._limit = max_line + STAMP_BYTES
        self._streams = (_Stream(), _Stream(), _Stream())
        self._stream = self._streams[0]
        self._header = b""
        self._left = 0
        """Bytes of the frame that are still to come."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises BrokenLogError."""
        lines: list[bytes] = []
        if self._tty:
            self._add(self._stream, data, lines)
            return lines
        at = 0
        while at < len(data):
            if not self._left:
                wanted = HEADER_BYTES - len(self._header)
                self._header += data[at : at + wanted]
                at += wanted
                if len(self._header) < HEADER_BYTES:
                    break
                self._begin_frame()
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            self._add(self._stream, piece, lines)
        return lines

    def end(self) -> list[bytes]:
        """What was written after the last line's end, when the log itself has ended."""
        return [bytes(stream.head) for stream in self._streams if stream.head]

    def _begin_frame(self) -> None:
        number = self._header[0]
        if self._header[1:4] != b"\0\0\0" or number > SYSTEM_STREAM:
            raise BrokenLogError("the engine's answer is not a log")
        if number == SYSTEM_STREAM:
            raise BrokenLogError("the engine says that it cannot read on in the log")
        self._left = int.from_bytes(self._header[4:], "big")
        self._header = b""
        self._stream = self._streams[number]
        if self._stream.head:
            self._stream.strip = self._stream.head.find(b" ", 0, STAMP_BYTES) + 1

    def _add(self, stream: _Stream, piece: bytes, lines: list[bytes]) -> None:
        if stream.strip:
            piece, stream.strip = piece[stream.strip :], max(stream.strip - len(piece), 0)
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            room = self._limit - len(stream.head)
            line = piece[at : min(end, at + room)]
            lines.append(bytes(stream.head) + line if stream.head else line)
            stream.head.clear()
            at = end + 1
        if room := self._limit - len(stream.head):
            stream.head += piece[at : at + room]
