"""Lines of a container's log out of the engine's bytes: frames of eight bytes and a payload, or raw of a terminal.

The engine is asked for timestamps, so each line begins with one and a blank. It cuts a line of more than 16 KiB into
parts, each with the timestamp of the first; those are joined here. Only the beginning of a line is kept, so memory is
bounded whatever a container writes.

The log driver `local`, which also keeps what drivers without a log of their own pass on, leaves out the newline of a
line that was cut. So a part that is not full ends its line, and so does one before another time.
"""

from __future__ import annotations

import re
from datetime import datetime
from math import inf

HEADER_BYTES = 8
"""Stream, three zeros, length of the payload (big-endian)."""
SYSTEM_STREAM = 3
"""On which the engine says that it could not read on."""
PART_BYTES = 16 * 1024
"""Of text, in each part of a line but the last one."""
REPEATED_SECONDS = 10.0
STAMP_BYTES = 36
"""The longest timestamp, `2024-01-02T15:04:05.000000000+02:00`, and a blank."""
FRACTION = 19
"""Where a timestamp has its point."""
STAMP = re.compile(
    rb"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    rb"(?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_NEXT = re.compile(STAMP.pattern + rb" ")


class BrokenLogError(Exception):
    """The engine said in the midst of a log that it cannot read it, or sent what is no log. One sentence."""


class LineSplitter:
    """Bytes in, beginnings of complete lines out: timestamp, blank, text, without the line's end.

    `tty`: whether the container has a terminal, so that its log is one raw stream. `max_line`: bytes of the text that
    are kept.
    """

    __slots__ = ("_log",)

    def __init__(self, *, tty: bool, max_line: int) -> None:
        self._log: _Frames | _Raw = _Raw(max_line) if tty else _Frames(max_line)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises BrokenLogError."""
        return self._log.feed(data)

    def end(self) -> list[bytes]:
        """What was written after the last line's end, when the log itself has ended."""
        return self._log.end()


class _Line:
    """The line of one stream that is not yet complete, from part to part."""

    __slots__ = ("_last", "_limit", "_stamp", "_text", "length")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last = b""
        self._stamp = b""
        self._text = bytearray()
        self.length = 0
        """Bytes of the part under way."""

    def begin_part(self, stamp: bytes, found: list[bytes]) -> None:
        """A part begins, with its timestamp; unless it is a part of the line before, that one ends."""
        # Docker before 18.09 gives each part a time of its own.
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
        """A line of one part, with its timestamp, and no line before it is open: as most are."""
        blank = part.find(b" ", 0, STAMP_BYTES) + 1
        if self._is_new(part[:blank]):
            found.append(part[: blank + self._limit])

    def end(self, found: list[bytes]) -> None:
        """The line is over; add it to `found`, unless the engine gave it before."""
        if self._is_new(self._stamp):
            found.append(self._stamp + bytes(self._text))
        self._stamp, self.length = b"", 0
        self._text.clear()

    def _is_new(self, stamp: bytes) -> bool:
        """False of a line that the engine gave before.

        The times of a stream rise. An engine that rotates a log can give the first lines of the new file twice. A clock
        that was set back is told apart by how far it goes back.
        """
        if stamp < self._last and _seconds_between(stamp, self._last) < REPEATED_SECONDS:
            return False
        if stamp == self._last and stamp[FRACTION : FRACTION + 1] == b".":
            # Podman has no fractions, so there many lines have the same time.
            return False
        self._last = stamp
        return True

    def __bool__(self) -> bool:
        return bool(self._stamp or self._text)


def _seconds_between(earlier: bytes, later: bytes) -> float:
    """Infinity where one of them is no timestamp."""
    try:
        one, other = (datetime.fromisoformat(stamp.decode("ascii").strip()) for stamp in (earlier, later))
        return (other - one).total_seconds()
    except (ValueError, TypeError):
        return inf


class _Frames:
    """A log of standard output and standard error."""

    __slots__ = ("_header", "_left", "_line", "_lines", "_stamp")

    def __init__(self, max_line: int) -> None:
        self._lines = (_Line(max_line), _Line(max_line), _Line(max_line))
        self._line = self._lines[0]
        self._header = b""
        self._left = 0
        """Bytes of the frame that are still to come."""
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
            raise BrokenLogError("the engine says that it cannot read on in the log")
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
    """A log of a terminal: without frames, so that a part ends by its length, a newline or the next timestamp."""

    __slots__ = ("_cut", "_in_text", "_line", "_rest")

    def __init__(self, max_line: int) -> None:
        self._line = _Line(max_line)
        self._rest = b""
        """Bytes that cannot be told apart yet: a part at most, and a timestamp."""
        self._in_text = False
        self._cut = False
        """True after the first part of a line that was cut."""

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
        """Where the text of a part begins; None if more bytes are needed."""
        blank, newline = (data.find(sign, at, at + STAMP_BYTES) for sign in (b" ", b"\n"))
        if blank < 0 and newline < 0 and len(data) - at < STAMP_BYTES:
            return None
        stamp = data[at : blank + 1] if blank >= 0 and STAMP.fullmatch(data, at, blank) else b""
        self._line.begin_part(stamp, found)
        self._in_text = True
        return at + len(stamp)

    def _text(self, data: bytes, at: int, found: list[bytes]) -> int | None:
        """Where to go on; None if more bytes are needed."""
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
