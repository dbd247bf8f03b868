"""Parser of the heads of HTTP/1 messages, as tolerant as curl, Go and browsers, with limits on size and count.

RFC 9112 requires CRLF, but a reader may also accept what servers have always sent: a bare LF (section 2.2) and fields
folded over several lines (section 5.2). A head is parsed once it is complete, however it was split into packets.
"""

from __future__ import annotations

import re
from functools import lru_cache

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

MAX_HEAD_BYTES = 256 * 1024
"""Limit of all heads of one answer and its trailers. Go's net/http has a similar one; a probe needs far less."""
MAX_FIELDS = 1000
"""Limit of lines of one head: 256 KiB of the shortest ones would take a tenth of a second."""
MAX_INTERIM = 10
"""Limit of 1xx answers before the final one; real servers send one or two."""

Fields = list[tuple[str, str]]
"""Names in lower case; values as Latin-1, which preserves every byte."""

END = re.compile(rb"\n\r?\n")
"""The end of the last line of a head, and the empty line."""
_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]) +([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_NAME = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z ]*)\t*")
"""RFC 9112 forbids a space in a name, but curl and Go accept it, so users of the server do not notice it."""
_FOLD = re.compile(r"\n[ \t]+")
FRAMING = frozenset(("content-length", "transfer-encoding"))
"""Fields that determine the length of the body."""
NOTED = FRAMING | {"content-encoding", "last-modified"}
"""Fields that are always read."""
MAX_KNOWN = 1024
KNOWN_CHARACTERS = 40
"""Length of a line or name that is cached: servers send the same ones again and again; hostile ones are long."""
_LENGTH = re.compile("[0-9]{1,18}")
_START = b"HTTP/1."
_SETTINGS = re.compile(rb"\0..\x04\0\0\0\0\0", re.DOTALL)
"""The head of the frame that an HTTP/2 server sends first (RFC 9113 section 3.4)."""


class HeadBudget:
    """The remaining size limit for all heads of one answer."""

    __slots__ = ("_room",)

    def __init__(self) -> None:
        self._room = MAX_HEAD_BYTES

    def check(self, waiting: int) -> None:
        """Check that `waiting` bytes of an incomplete head are within the limit.

        Raises:
            ProbeFailure: `protocol`.
        """
        if waiting > self._room:
            raise ProbeFailure(Reason.PROTOCOL, f"the headers are larger than {MAX_HEAD_BYTES} bytes")

    def spend(self, size: int) -> None:
        """Count `size` bytes that have been read.

        Raises:
            ProbeFailure: `protocol`.
        """
        self.check(size)
        self._room -= size


def cut_head(buffer: bytearray, budget: HeadBudget, searched: int) -> bytes | None:
    """Take a head off the front of `buffer`, without its last line end. Return None if it is not complete yet.

    `searched`: the size of the buffer at the last call.

    Raises:
        ProbeFailure: `protocol`, if it is too large or not an HTTP head.
    """
    check_start(buffer)
    match = END.search(buffer, max(0, searched - 2))
    if match is None:
        budget.check(len(buffer))
        return None
    start, end = match.span()
    del match  # it holds the buffer, which then could not shrink
    budget.spend(end)
    head = bytes(buffer[:start])
    del buffer[:end]
    return head


def check_start(data: bytes | bytearray) -> None:
    """Check that the first bytes can begin an answer, so that the probe does not wait for the end of something else.

    Raises:
        ProbeFailure: `protocol`.
    """
    if data[: len(_START)] == _START[: len(data)]:
        return
    if _SETTINGS.match(data):
        raise ProbeFailure(
            Reason.PROTOCOL, "the server speaks HTTP/2 without being asked; set http2_prior_knowledge: true"
        )
    raise not_http(data)


def parse_head(head: bytes) -> tuple[int, str, Fields]:
    """Return status, version (`1.1`) and fields of one head, without its last line end.

    Raises:
        ProbeFailure: `protocol`.
    """
    first, *lines = _lines(head)
    status, version = _known_status(first) if len(first) <= KNOWN_CHARACTERS else _status(first)
    if not status:
        check_start(head)
        raise not_http(head)
    return status, version, _fields(lines)


def parse_fields(block: bytes) -> Fields:
    """Return the fields of trailers, without their last line end.

    Raises:
        ProbeFailure: `protocol`.
    """
    return _fields(_lines(b"\n" + block)[1:]) if block else []


def _lines(block: bytes) -> list[str]:
    """Return the lines of a head, with folded lines joined."""
    text = block.decode("latin-1").replace("\r\n", "\n").removesuffix("\r")
    if text.count("\n") > MAX_FIELDS:
        raise ProbeFailure(Reason.PROTOCOL, f"the answer has more than {MAX_FIELDS} header lines")
    if "\n " in text or "\n\t" in text:
        first, _, rest = text.partition("\n")
        text = f"{first}\n{_FOLD.sub(' ', rest)}"  # the first line cannot be folded
    if "\0" in text:
        raise _invalid_line(next(line for line in text.split("\n") if "\0" in line))
    if "\r" in text:
        text = text.replace("\r", " ")  # RFC 9112 section 2.2 allows this for a bare CR
    return text.split("\n")


def _fields(lines: list[str]) -> Fields:
    try:
        return [
            (_NAMES[written], value.strip(" \t")) for written, value in [line.split(":", 1) for line in lines]
        ]
    except (KeyError, ValueError):
        wrong = next(line for line in lines if ":" not in line or not _NAME.fullmatch(line.partition(":")[0]))
        raise _invalid_line(wrong) from None


def _invalid_line(line: str) -> ProbeFailure:
    return ProbeFailure(Reason.PROTOCOL, "the answer is not valid HTTP: header line {}", latin1(line))


def _status(line: str) -> tuple[int, str]:
    """Return status and version of a status line; 0 if it is not a status line."""
    match = _STATUS_LINE.fullmatch(line)
    return (int(match[2]), match[1]) if match else (0, "")


class _Names(dict[str, str]):
    """Cache of field names in lower case, by the original spelling. A hit costs a tenth of the regular expression."""

    def __missing__(self, written: str) -> str:
        match = _NAME.fullmatch(written)
        if match is None:
            raise KeyError
        name = match[1].rstrip(" ").lower()
        if len(self) < MAX_KNOWN and len(written) <= KNOWN_CHARACTERS:
            self[written] = name
        return name


_NAMES = _Names()
_known_status = lru_cache(maxsize=256)(_status)


def not_http(data: bytes | bytearray) -> ProbeFailure:
    """Return the failure of an answer that begins with `data`."""
    return ProbeFailure(
        Reason.PROTOCOL, "the answer is not valid HTTP: it begins with {}", PeerText(bytes(data[:256]))
    )


def content_length(fields: Fields) -> int | None:
    """Return the length in the Content-Length header; None without one.

    Raises:
        ProbeFailure: `protocol`, if it is not a length or several differ (RFC 9112 section 6.3).
    """
    length = None
    for name, value in fields:
        if name == "content-length":
            if not _LENGTH.fullmatch(value) or value != (length or value):
                raise ProbeFailure(
                    Reason.PROTOCOL, "the answer is not valid HTTP: Content-Length is {}", latin1(value)
                )
            length = value
    return None if length is None else int(length)


def is_chunked(fields: Fields, version: str) -> bool:
    """True if the body is sent in chunks. HTTP/1.0 has none: Go and browsers ignore the header there.

    Raises:
        ProbeFailure: `protocol`, if the body has another transfer encoding.
    """
    values = [value for name, value in fields if name == "transfer-encoding"]
    if not values or version == "1.0":
        return False
    given = ", ".join(values)
    codings = [
        coding for word in given.split(",") if (coding := word.strip().lower()) not in ("", "identity")
    ]
    if codings and codings != ["chunked"]:
        raise ProbeFailure(
            Reason.PROTOCOL, "the server sends the unknown Transfer-Encoding {}", latin1(given)
        )
    return bool(codings)


def latin1(text: str) -> PeerText:
    """Return the bytes of a field as received: a secret in UTF-8 can be found only in these."""
    return PeerText(text.encode("latin-1"))


def utf8(text: str) -> str:
    """Return the text of a header decoded as UTF-8, as most servers intend, or as Latin-1 if that fails."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
