"""Protocol of Redis and Valkey (RESP2): commands and their answers, with limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

if TYPE_CHECKING:
    from exporter.probes.measure import Run
    from exporter.probes.stores.stream import StoreStream

CRLF = b"\r\n"
MARKS = b"+-:$*"
"""First bytes of answers."""
NUMBERS = re.compile(rb"[$*]-1|[$*][0-9]{1,10}|:[-+]?[0-9]{1,19}")
"""First lines of answers that hold a number; int() alone would accept more."""
MAX_ANSWER_BYTES = 256 * 1024
"""Limit of a text; INFO has 10 KiB, with a hundred replicas 20 KiB."""
MAX_ELEMENTS = 64
"""Limit of a list; those that a probe requests have 2."""
MAX_PIECES = 64
"""Limit of texts, numbers and lists in all answers of a run, usually below 20; also limits the nesting of lists."""

CODES = ("ERR", "WRONGPASS", "NOAUTH", "NOPERM", "LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN")
"""First words of errors that add nothing to the sentence after them."""


class ErrorAnswer(Exception):  # noqa: N818 - an answer of the server, not an error of the program
    """An answer that is an error. `code`: one of `CODES`, or empty; `text`: the rest of it."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        code, _, rest = line.partition(" ")
        self.code, self.text = (code, rest) if code in CODES else ("", line)


Answer = bytes | int | list["Answer"] | ErrorAnswer | None


class Session:
    """The commands and answers of one connection."""

    __slots__ = ("_pieces", "_run", "_stream")

    def __init__(self, stream: StoreStream, run: Run) -> None:
        self._stream = stream
        self._run = run
        self._pieces = 0

    async def ask(self, command: str, *arguments: str) -> Answer:
        """Send a command, which may have two words, and return its answer.

        Raises:
            ErrorAnswer: the answer is an error.
            ProbeFailure: `protocol`, `size`, `disconnect`.
        """
        self._run.awaited = f"the answer to {command}"
        words = [word.encode() for word in (*command.split(), *arguments)]
        sent = b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in words])
        self._stream.send(b"*%d\r\n%s" % (len(words), sent))
        answer = await self._read()
        if isinstance(answer, ErrorAnswer):
            raise answer
        return answer

    async def _read(self) -> Answer:
        line = await self._first_line()
        mark, rest = line[:1], line[1:]
        if mark == b"+":
            return rest
        if mark == b"-":
            return ErrorAnswer(rest.decode("utf-8", "replace"))
        number = int(rest)
        if mark == b":":
            return number
        if number < 0:
            return None
        if mark == b"*":
            if number > MAX_ELEMENTS:
                raise ProbeFailure(Reason.SIZE, f"the answer is a list of more than {MAX_ELEMENTS} elements")
            return [await self._read() for _ in range(number)]
        if number > MAX_ANSWER_BYTES:
            raise ProbeFailure(Reason.SIZE, f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        text = await self._stream.exactly(number + len(CRLF))
        if not text.endswith(CRLF):
            raise strange(text[number:])
        return text[:number]

    async def _first_line(self) -> bytes:
        # What begins with another byte may have no lines at all.
        upcoming = await self._stream.upcoming(1)
        if upcoming[0] not in MARKS:
            raise strange(upcoming)
        line = (await self._stream.until(CRLF))[: -len(CRLF)]
        self._pieces += 1
        if self._pieces > MAX_PIECES or (line[0] not in b"+-" and not NUMBERS.fullmatch(line)):
            raise strange(line)
        return line


def strange(start: bytes) -> ProbeFailure:
    """Return the failure for bytes that are not an answer of this protocol."""
    return ProbeFailure(Reason.PROTOCOL, "the answer is not Redis's protocol: {}", PeerText(start))
