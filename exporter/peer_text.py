"""Text from a peer, and the only form in which it is shown to a person.

What a target, a container, a store or an engine sends can hold escape sequences for a terminal, a hundred kilobytes
of text, or the secret that was sent to it. `PeerText` carries such bytes and cannot be formatted. Only
`Secrets.shown` gives their text: it removes secrets in every spelling, *then* cuts, then quotes.
"""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN_CHARACTERS = 120
"""Limit of a peer's text in a message."""
LOOKED_AT_BYTES = 4 * 1024
"""How much is searched for secrets: far more than is shown, in 20 ms at worst."""
KNOWN_BY_BYTES = 8
"""A peer may repeat only the beginning of a secret: this much of it is recognised."""
REDACTED = "***"

_PERCENT = re.compile(rb"%(?P<byte>[0-9A-Fa-f]{2})")
_FORM = re.compile(rb"%(?P<byte>[0-9A-Fa-f]{2})|(?P<plus>\+)")
_BACKSLASH = (
    rb"(?P<pair>\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2})|\\[uU]0{0,4}(?P<point>[0-9A-Fa-f]{4,5})"
    rb"|\\(?P<octal>[0-3][0-7]{2})|\\(?P<letter>[abfnrtv0])|\\(?P<other>[^0-9A-Za-z])"
)
_IN_BYTES = re.compile(rb"\\x(?P<byte>[0-9A-Fa-f]{2})|" + _BACKSLASH)
_IN_CHARACTERS = re.compile(rb"\\x(?P<point>[0-9A-Fa-f]{2})|" + _BACKSLASH.replace(b"P<point>", b"P<long>"))
_HTML = re.compile(
    rb"&#(?P<decimal>[0-9]{1,7});|&#[xX](?P<point>[0-9A-Fa-f]{1,6});|&(?P<named>amp|lt|gt|quot|apos);"
)
SPELLINGS = (
    (_PERCENT,),
    (_PERCENT, _PERCENT),
    (_FORM,),
    (_IN_BYTES,),
    (_IN_CHARACTERS,),
    (_IN_CHARACTERS, _IN_CHARACTERS),
    (_HTML,),
    (_HTML, _IN_CHARACTERS),
)
"""Escapes of URLs, forms, C, JSON and HTML for characters that they cannot hold as they are, also nested."""
_LETTERS = dict(zip(b"abfnrtv0", b"\a\b\f\n\r\t\v\0", strict=True))
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, repr=False)
class PeerText:
    """Bytes from a peer, or text that was decoded from them."""

    raw: bytes | str

    def __str__(self) -> NoReturn:
        raise TypeError("only Secrets.shown shows the text of a peer")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("only Secrets.shown shows the text of a peer")


class Sentence:
    """A sentence with a `{}` for each of `words`; without words, braces are just braces."""

    __slots__ = ("template", "words")

    def __init__(self, template: str, *words: PeerText | str | int) -> None:
        self.template = template
        self.words = words

    def shown(self, secrets: Secrets) -> str:
        """Return the sentence for a person, with `secrets` that the peer repeated removed."""
        if not self.words:
            return self.template
        return self.template.format(
            *(secrets.shown(word) if isinstance(word, PeerText) else word for word in self.words)
        )


class Secrets:
    """The secrets that are sent in one conversation, to be removed from what comes back."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[bytes] = set()
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Also remove `value`; an empty one is not a secret."""
        if value:
            self._values.add(value.encode(errors="surrogateescape"))
            self.__dict__.pop("_encoded", None)

    def are_in(self, text: str) -> bool:
        """True if `text`, which is bounded, repeats a secret in some spelling."""
        if not self._values:
            return False
        raw = text.encode(errors="replace")
        return self._removed(raw) != raw

    def shown(self, peer: PeerText) -> str:
        """Return a peer's text in quotes: no secrets, `SHOWN_CHARACTERS` at most, unprintable characters as escapes."""
        raw = peer.raw if isinstance(peer.raw, bytes) else peer.raw.encode(errors="replace")
        text = self._removed(raw[:LOOKED_AT_BYTES]).decode(errors="replace")
        if len(raw) > LOOKED_AT_BYTES or len(text) > SHOWN_CHARACTERS:
            text = text[:SHOWN_CHARACTERS] + "…"
        return repr(text)

    def _removed(self, raw: bytes) -> bytes:
        if not self._values:
            return raw
        kept, end = b"", 0
        for start, stop in sorted(set(self._spans(raw))):
            if start >= end:
                kept += raw[end:start] + REDACTED.encode()
            end = max(end, stop)
        return kept + raw[end:]

    def _spans(self, raw: bytes) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each spelling of a secret in `raw`."""
        plain = _Reading(raw, range(len(raw) + 1))
        readings = [plain]
        for escapes in SPELLINGS:
            reading = plain
            for escape in escapes:
                reading = reading.unescaped(escape)
            if reading.text not in [other.text for other in readings]:
                readings.append(reading)
        for reading in readings:
            for value in self._values:
                yield from reading.find(value)
            for core in self._encoded:
                yield from reading.find(core, around=1)
        lower = _Reading(raw.lower(), plain.places)
        for value in self._values:
            yield from lower.find(value.hex().encode())
            yield from lower.find(value.lower())  # as the host of a URL is written
        for core in self._encoded:
            yield from lower.find(core.lower(), around=1)

    @cached_property
    def _encoded(self) -> set[bytes]:
        """Return the base64 of each secret, whatever comes before and after it: 3 alignments, both alphabets."""
        cores = set()
        for value in self._values:
            for shift in range(3):
                code = base64.b64encode(bytes(shift) + value)
                first, last = -(-8 * shift // 6), 8 * (shift + len(value)) // 6
                if last > first:
                    cores |= {code[first:last], code[first:last].translate(_URL_SAFE)}
        return cores


class _Reading:
    """A text, perhaps unescaped, and the position in the original of each of its bytes and of its end."""

    def __init__(self, text: bytes, places: range | list[int]) -> None:
        self.text = text
        self.places = places

    def unescaped(self, escape: re.Pattern[bytes]) -> _Reading:
        text, end = bytearray(), 0
        places: list[int] = []
        for match in escape.finditer(self.text):
            text += self.text[end : match.start()]
            places += self.places[end : match.start()]
            end = match.end()
            character = _character(match)
            text += character
            places += [self.places[match.start()]] * len(character)
        return _Reading(bytes(text + self.text[end:]), [*places, *self.places[end:]])

    def find(self, wanted: bytes, around: int = 0) -> Iterator[tuple[int, int]]:
        """Yield where `wanted`, or its beginning, is in the original, with `around` more bytes on each side."""
        text, start = self.text, wanted[:KNOWN_BY_BYTES]
        at = text.find(start)
        while at >= 0:
            size = len(start)
            while size < len(wanted) and text[at + size : at + size + 1] == wanted[size : size + 1]:
                size += 1
            yield self.places[max(0, at - around)], self.places[min(at + size + around, len(text))]
            at = text.find(start, at + 1)


def _character(match: re.Match[bytes]) -> bytes:
    name = match.lastgroup or ""
    found = match[name]
    if name == "byte":
        return bytes.fromhex(found.decode())
    if name == "plus":
        return b" "
    if name == "octal":
        return bytes((int(found, 8),))
    if name == "letter":
        return bytes((_LETTERS[found[0]],))
    if name == "other":
        return found
    if name == "named":
        return _NAMED[found]
    if name == "pair":
        return bytes.fromhex((found[2:6] + found[8:12]).decode()).decode("utf-16-be").encode()
    number = int(found, 10 if name == "decimal" else 16)
    return chr(number).encode(errors="replace") if number <= sys.maxunicode else b""
