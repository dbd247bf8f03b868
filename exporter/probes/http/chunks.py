"""Parser of the chunked transfer coding (RFC 9112 section 7.1), which reads from a buffer as bytes arrive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.http.head import END, parse_fields

if TYPE_CHECKING:
    from exporter.probes.http.body import Body
    from exporter.probes.http.head import HeadBudget

MAX_LINE_BYTES = 4096
"""Limit of a line with the size of a chunk and its extensions."""
FREE_LINE_BYTES = 20
"""More than the size itself needs. Bytes beyond it count as part of the head, so that extensions have a limit."""
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n")


class Chunks:
    """A parser that takes chunks and then the trailers off the front of a buffer."""

    __slots__ = ("_body", "_budget", "_ends_data", "_left", "_searched", "_trailers")

    def __init__(self, body: Body, budget: HeadBudget) -> None:
        self._body = body
        self._budget = budget
        self._left = 0
        """Bytes of the current chunk still to come."""
        self._ends_data = False
        self._trailers = False
        self._searched = 0

    def step(self, buffer: bytearray) -> bool | None:
        """Take the next part. Return True after the last chunk and its trailers, None if it needs more bytes.

        Raises:
            ProbeFailure: `protocol`, `size` or `encoding`.
        """
        if self._left:
            return self._take_data(buffer)
        if self._ends_data:
            return self._take_line_end(buffer)
        if self._trailers:
            return self._take_trailers(buffer)
        return self._take_size(buffer)

    def _take_size(self, buffer: bytearray) -> bool | None:
        end = buffer.find(b"\n", 0, MAX_LINE_BYTES) + 1
        if not end and len(buffer) < MAX_LINE_BYTES:
            return None
        match = _SIZE_LINE.match(buffer, 0, end)
        if match is None:
            raise _invalid(buffer)
        self._left = int(match[1], 16)
        del match, buffer[:end]  # a match holds its buffer, which could not shrink
        self._budget.spend(max(0, end - FREE_LINE_BYTES))
        self._body.expect(self._left)
        self._trailers = not self._left
        self._ends_data = bool(self._left)
        if self._left and buffer[self._left : self._left + 2] == b"\r\n":  # complete: three steps in one
            self._take_data(buffer)
            self._take_line_end(buffer)
        return False

    def _take_data(self, buffer: bytearray) -> bool | None:
        if not buffer:
            return None
        data = bytes(buffer[: self._left])
        del buffer[: len(data)]
        self._left -= len(data)
        self._body.feed(data)
        return False

    def _take_line_end(self, buffer: bytearray) -> bool | None:
        if buffer.startswith(b"\r\n"):
            size = 2
        elif buffer.startswith(b"\n"):
            size = 1
        else:
            if not buffer or buffer == b"\r":
                return None
            raise _invalid(buffer)
        del buffer[:size]
        self._ends_data = False
        return False

    def _take_trailers(self, buffer: bytearray) -> bool | None:
        match = _EMPTY_LINE.match(buffer) or END.search(buffer, self._searched)
        if match is None:
            self._searched = max(0, len(buffer) - 2)
            self._budget.check(len(buffer))
            return None
        start, end = match.span()
        del match
        self._budget.spend(end)
        parse_fields(bytes(buffer[:start]))
        del buffer[:end]
        return True


def _invalid(buffer: bytearray) -> ProbeFailure:
    return ProbeFailure(
        Reason.PROTOCOL, "the body is not valid HTTP: {} instead of a chunk", PeerText(bytes(buffer[:256]))
    )
