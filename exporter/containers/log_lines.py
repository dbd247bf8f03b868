"""Parser of a container's log: frames with a header of eight bytes and a payload, or raw bytes for a terminal.

The engine is asked for timestamps, so each line begins with a timestamp and a space. It splits a line of more than
16 KiB into parts, each with the timestamp of the first; they are joined here. Only the beginning of a line is kept, so
memory is bounded whatever a container writes.

The log driver `local`, which is also used for drivers that cannot be read, omits the newline of a line that was split.
So a line ends at a part that is not full, and at a part that is followed by another timestamp.
"""

from __future__ import annotations

import re
from datetime import datetime
from math import inf

HEADER_BYTES = 8
"""Stream number, three zeros, length of the payload (big-endian)."""
SYSTEM_STREAM = 3
"""The stream on which the engine reports that it cannot read any further."""
PART_BYTES = 16 * 1024
"""Bytes of text in each part of a line except the last one."""
REPEATED_SECONDS = 10.0
STAMP_BYTES = 36
"""The longest timestamp, `2024-01-02T15:04:05.000000000+02:00`, and a space."""
FRACTION = 19
"""Position of the decimal point in a timestamp."""
STAMP = re.compile(
    rb"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    rb"(?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_NEXT = re.compile(STAMP.pattern + rb" ")


class BrokenLogError(Exception):
    """The engine cannot read the rest of a log, or sent something that is not a log. One sentence."""


class LineSplitter:
    """A splitter of bytes into the beginnings of complete lines: timestamp, space, text, without the newline.

    `tty`: True if the container has a terminal, so that its log is one raw stream. `max_line`: bytes of each text that
    are kept.
    """

    __slots__ = ("_log",)

    def __init__(self, *, tty: bool, max_line: int) -> None:
        self._log: _Frames | _Raw = _Raw(max_line) if tty else _Frames(max_line)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. Raises BrokenLogError."""
        return self._log.feed(data)

    def end(self) -> list[bytes]:
        """Return the text after the last newline, once the log has ended."""
        return self._log.end()


class _Line:
    """The incomplete line of one stream, with the parts received so far."""

    __slots__ = ("_last", "_limit", "_stamp", "_text", "length")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last = b""
        self._stamp = b""
        self._text = bytearray()
        self.length = 0
        """Bytes of the current part."""

    def begin_part(self, stamp: bytes, found: list[bytes]) -> None:
        """Begin a part with its timestamp. If it does not continue the line before, that line ends."""
        # Docker before 18.09 gives each part its own time.
        goes_on = self._stamp == stamp or self.length == PART_BYTES
        if self._stamp and not goes_on:
            self.end(found)
        self._stamp = self._stamp or stamp
        self.length = 0

    def add(self, text: bytes) -> None:
        self.length += len(text)
        if room := self._limit - len(self._text):
            self._text += text[:room]

    def whole(self, part: bytes, found: list[bytes]) -> None:
        """Take a line that is complete in one part with its timestamp, as most are. No other line may be open."""
        blank = part.find(b" ", 0, STAMP_BYTES) + 1
        if self._is_new(part[:blank]):
            found.append(part[: blank + self._limit])

    def end(self, found: list[bytes]) -> None:
        """End the line, and add it to `found` unless the engine sent it before."""
        if self._is_new(self._stamp):
            found.append(self._stamp + bytes(self._text))
        self._stamp, self.length = b"", 0
        self._text.clear()

    def _is_new(self, stamp: bytes) -> bool:
        """False for a line that the engine sent before.

        The times of a stream increase. When the engine rotates a log, it can send the first lines of the new file
        twice. A clock that was set back is recognised by the size of the step.
        """
        if stamp < self._last and _seconds_between(stamp, self._last) < REPEATED_SECONDS:
            return False
        if stamp == self._last and stamp[FRACTION : FRACTION + 1] == b".":
            # Podman's times have no fraction: several lines can have the same time.
            return False
        self._last = stamp
        return True

    def __bool__(self) -> bool:
        return bool(self._stamp or self._text)


def _seconds_between(earlier: bytes, later: bytes) -> float:
    """Return the seconds between two timestamps; infinity if one is not valid."""
    try:
        one, other = (datetime.fromisoformat(stamp.decode("ascii").strip()) for stamp in (earlier, later))
        return (other - one).total_seconds()
    except (ValueError, TypeError):
        return inf


class _Frames:
    """A log with frames, for standard output and standard error."""

    __slots__ = ("_header", "_left", "_line", "_lines", "_stamp")

    def __init__(self, max_line: int) -> None:
        self._lines = (_Line(max_line), _Line(max_line), _Line(max_line))
        self._line = self._lines[0]
        self._header = b""
        self._left = 0
        """Bytes of the frame that have not arrived yet."""
        self._stamp: bytearray | None = None
        """The beginning of a frame, until its timestamp is complete."""

    def feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        at = 0
        while at < len(data):
            if not self._left:
                wanted = HEADER_BYTES - len(self._header)
                self._header += data[at : at + wanted]
                at += wanted
                if len(self._header) == HEADER_BYTES:
                    self._begin_frame()
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            self._take(piece, found)
        return found

    def end(self) -> list[bytes]:
        found: list[bytes] = []
        for line in self._lines:
            if line:
                line.end(found)
        return found

    def _begin_frame(self) -> None:
        number = self._header[0]
        if self._header[1:4] != b"\0\0\0" or number > SYSTEM_STREAM:
            raise BrokenLogError("the engine's answer is not a log")
        if number == SYSTEM_STREAM:
            raise BrokenLogError("the engine cannot read the rest of the log")
        self._left = int.from_bytes(self._header[4:], "big")
        self._header = b""
        self._line = self._lines[number]
        self._stamp = bytearray()

    def _take(self, piece: bytes, found: list[bytes]) -> None:
        if (
            self._stamp is not None
            and not self._stamp
            and not self._left
            and not self._line
            and piece.find(b"\n") == len(piece) - 1
        ):
            self._line.whole(piece[:-1], found)
            return
        if self._stamp is not None:
            self._stamp += piece
            blank = self._stamp.find(b" ", 0, STAMP_BYTES) + 1
            if not blank and self._left and len(self._stamp) < STAMP_BYTES:
                return
            stamp, piece = bytes(self._stamp[:blank]), bytes(self._stamp[blank:])
            self._stamp = None
            self._line.begin_part(stamp, found)
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            self._line.add(piece[at:end])
            self._line.end(found)
            at = end + 1
        self._line.add(piece[at:])
        if not self._left and self._line and self._line.length < PART_BYTES:
            self._line.end(found)


class _Raw:
    """A log of a terminal. It has no frames, so a part ends at its full length, a newline or the next timestamp."""

    __slots__ = ("_cut", "_in_text", "_line", "_rest")

    def __init__(self, max_line: int) -> None:
        self._line = _Line(max_line)
        self._rest = b""
        """Bytes that cannot be parsed yet: at most a part and a timestamp."""
        self._in_text = False
        self._cut = False
        """True after the first part of a line that was split."""

    def feed(self, data: bytes) -> list[bytes]:
        data = self._rest + data
        found: list[bytes] = []
        at: int | None = 0
        done = 0
        while at is not None and at < len(data):
            at = self._text(data, at, found) if self._in_text else self._stamp(data, at, found)
            done = done if at is None else at
        self._rest = data[done:]
        return found

    def end(self) -> list[bytes]:
        found: list[bytes] = []
        if self._rest and not self._in_text:
            self._line.begin_part(b"", found)
        self._line.add(self._rest)
        self._rest = b""
        if self._line:
            self._line.end(found)
        return found

    def _stamp(self, data: bytes, at: int, found: list[bytes]) -> int | None:
        """Parse a timestamp. Return the position of the text after it; None if more bytes are needed."""
        blank, newline = (data.find(sign, at, at + STAMP_BYTES) for sign in (b" ", b"\n"))
        if blank < 0 and newline < 0 and len(data) - at < STAMP_BYTES:
            return None
        stamp = data[at : blank + 1] if blank >= 0 and STAMP.fullmatch(data, at, blank) else b""
        self._line.begin_part(stamp, found)
        self._in_text = True
        return at + len(stamp)

    def _text(self, data: bytes, at: int, found: list[bytes]) -> int | None:
        """Parse text. Return the position after it; None if more bytes are needed."""
        full = at + PART_BYTES - self._line.length
        newline = data.find(b"\n", at, full)
        if self._cut:
            # A timestamp that begins within the part ends it.
            reach = newline if newline >= 0 else full + STAMP_BYTES
            next_ = _NEXT.search(data, at, reach)
            if next_ and next_.start() < full:
                return self._ended(data[at : next_.start()], next_.start(), found)
            if newline < 0 and len(data) < reach:
                known = min(len(data) - STAMP_BYTES, full - 1)
                if known <= at:
                    return None
                self._line.add(data[at:known])
                return known
        if newline >= 0:
            return self._ended(data[at:newline], newline + 1, found)
        self._line.add(data[at:full])
        if len(data) >= full:
            self._in_text, self._cut = False, True
        return min(full, len(data))

    def _ended(self, text: bytes, at: int, found: list[bytes]) -> int:
        self._line.add(text)
        self._line.end(found)
        self._in_text = self._cut = False
        return at
