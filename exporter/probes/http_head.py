"""The heads of HTTP/1 messages, read as curl, Go and browsers read them, within limits on size and count.

RFC 9112 asks for CRLF and lets a reader accept what servers have always sent: a bare LF (section 2.2) and fields
folded over several lines (section 5.2). A head is parsed once it is whole, so it makes no difference how it came.
"""

from __future__ import annotations

import re

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
_STATUS_LINE = re.compile(rb"HTTP/(1\.[0-9]) +([1-9][0-9]{2})(?: [^\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z ]*)\t*:[ \t]*([^\n]*)")
"""A blank in a name is against RFC 9112; curl and Go let it pass, and so the server's users see nothing of it."""
_FOLD = re.compile(rb"\n[ \t]+")
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
    first, _, rest = head.replace(b"\r\n", b"\n").partition(b"\n")
    match = _STATUS_LINE.fullmatch(first.rstrip(b"\r"))
    if match is None:
        raise not_http(first)
    return int(match[2]), match[1].decode(), parse_fields(rest)


def parse_fields(block: bytes) -> Fields:
    """The fields of a head or of trailers, folded ones made whole.

    Raises:
        ProbeFailure: `protocol`.
    """
    block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if block.count(b"\n") >= MAX_FIELDS:
        raise ProbeFailure(Reason.PROTOCOL, f"the answer has more than {MAX_FIELDS} header lines")
    if b"\n " in block or b"\n\t" in block:
        block = _FOLD.sub(b" ", block)
    if b"\r" in block:
        block = block.replace(b"\r", b" ")  # as RFC 9112 section 2.2 lets a reader do with a bare CR
    fields = []
    for line in block.split(b"\n") if block else ():
        match = _FIELD.fullmatch(line)
        if match is None or b"\0" in line:
            raise ProbeFailure(
                Reason.PROTOCOL, "the answer is not valid HTTP: header line {}", PeerText(line)
            )
        name, value = match.groups()
        fields.append((name.decode("latin-1").rstrip(" ").lower(), value.rstrip(b" \t").decode("latin-1")))
    return fields


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
    values = {value for name, value in fields if name == "content-length"}
    if not values:
        return None
    value = values.pop()
    if values or not _LENGTH.fullmatch(value):
        shown = PeerText(", ".join((value, *sorted(values))))
        raise ProbeFailure(Reason.PROTOCOL, "the answer is not valid HTTP: Content-Length is {}", shown)
    return int(value)


def is_chunked(fields: Fields, version: str) -> bool:
    """True if the body comes in chunks. HTTP/1.0 has none: Go and browsers take no notice of the header there.

    Raises:
        ProbeFailure: `protocol`, when the body is encoded in another way.
    """
    given = ",".join(value for name, value in fields if name == "transfer-encoding")
    if not given or version == "1.0":
        return False
    codings = [
        coding for word in given.split(",") if (coding := word.strip().lower()) not in ("", "identity")
    ]
    if codings and codings != ["chunked"]:
        raise ProbeFailure(
            Reason.PROTOCOL, "the server sends the unknown Transfer-Encoding {}", PeerText(given)
        )
    return bool(codings)


def utf8(text: str) -> str:
    """The text of a header as the UTF-8 that most servers mean; otherwise as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
