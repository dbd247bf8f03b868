"""The heads of HTTP/1 messages, read as curl, Go and browsers read them, within limits on size and count.

RFC 9112 asks for CRLF and lets a reader accept what servers have always sent: a bare LF (section 2.2) and fields
folded over several lines (section 5.2). A head is parsed once it is whole, so it makes no difference how it came.
"""

from __future__ import annotations

import re
from functools import lru_cache

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason

MAX_HEAD_BYTES = 256 * 1024
"""All heads of one answer with its trailers. Go's net/http has a limit of this order; a probe needs far less."""
MAX_FIELDS = 1000
"""Lines of one head: 256 KiB of the shortest ones would take a tenth of a second."""
MAX_INTERIM = 10
"""Answers of the 1xx class before the real one; real servers send one or two."""

Fields = list[tuple[str, str]]
"""Names in lower case; values as Latin-1, so that every byte survives."""

END = re.compile(rb"\n\r?\n")
"""The end of a head's last line, and the empty line."""
_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]) +([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_NAME = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z ]*)\t*")
"""A blank in a name is against RFC 9112; curl and Go let it pass, and so the server's users see nothing of it."""
_FOLD = re.compile(r"\n[ \t]+")
FRAMING = frozenset(("content-length", "transfer-encoding"))
"""Fields that say how long the body is."""
NOTED = FRAMING | {"content-encoding", "last-modified"}
"""Fields that are looked at in any case."""
MAX_KNOWN = 1024
KNOWN_CHARACTERS = 40
"""Of a line or a name that is remembered, since servers send the same ones again and again; hostile ones are long."""
_LENGTH = re.compile("[0-9]{1,18}")
_START = b"HTTP/1."
_SETTINGS = re.compile(rb"\0..\x04\0\0\0\0\0", re.DOTALL)
"""The head of the frame that a server of HTTP/2 sends first (RFC 9113 section 3.4)."""


class HeadBudget:
    """How much of all heads of one answer may still come."""

    __slots__ = ("_room",)

    def __init__(self) -> None:
        self._room = MAX_HEAD_BYTES

    def check(self, waiting: int) -> None:
        """See that `waiting` bytes, which have not ended yet, are not too many.

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
    """Take a head off the front of `buffer`, without its last line end. None: it is not whole yet; `searched` is how
    much was there the last time.

    Raises:
        ProbeFailure: `protocol`, when it is too large or no head of HTTP.
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
    """See that the first bytes can begin an answer, so that nobody waits for the end of what is no head.

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
    """Status, version (`1.1`) and fields of one head, without its last line end.

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
    """The fields of trailers, without their last line end.

    Raises:
        ProbeFailure: `protocol`.
    """
    return _fields(_lines(b"\n" + block)[1:]) if block else []


def _lines(block: bytes) -> list[str]:
    """The lines of a head, folded ones made whole."""
    text = block.decode("latin-1").replace("\r\n", "\n").removesuffix("\r")
    if text.count("\n") > MAX_FIELDS:
        raise ProbeFailure(Reason.PROTOCOL, f"the answer has more than {MAX_FIELDS} header lines")
    if "\n " in text or "\n\t" in text:
        first, _, rest = text.partition("\n")
        text = f"{first}\n{_FOLD.sub(' ', rest)}"  # nothing is folded into the first line
    if "\0" in text:
        raise _invalid_line(next(line for line in text.split("\n") if "\0" in line))
    if "\r" in text:
        text = text.replace("\r", " ")  # as RFC 9112 section 2.2 lets a reader do with a bare CR
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
    """Status and version of a status line; 0 where it is none."""
    match = _STATUS_LINE.fullmatch(line)
    return (int(match[2]), match[1]) if match else (0, "")


class _Names(dict[str, str]):
    """Names of fields in lower case, by the way they were written. A hit costs a tenth of an expression."""

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
    """The failure of an answer that begins with `data`."""
    return ProbeFailure(
        Reason.PROTOCOL, "the answer is not valid HTTP: it begins with {}", PeerText(bytes(data[:256]))
    )


def content_length(fields: Fields) -> int | None:
    """The length that the Content-Length header gives; None without one.

    Raises:
        ProbeFailure: `protocol`, when it is no length, or several that differ (RFC 9112 section 6.3).
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
    """True if the body comes in chunks. HTTP/1.0 has none: Go and browsers take no notice of the header there.

    Raises:
        ProbeFailure: `protocol`, when the body is encoded in another way.
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
    """Return the bytes of a field as they came: a secret in UTF-8 is found in these alone."""
    return PeerText(text.encode("latin-1"))


def utf8(text: str) -> str:
    """The text of a header as the UTF-8 that most servers mean; otherwise as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
