"""The words of a peer, in the one form in which a person may see them.

What a target, a container, a store or an engine sent can hold escape sequences for a terminal, a hundred kilobytes,
or the secret that it was sent. `PeerText` carries such bytes and cannot be formatted; `Secrets.shown` is the only way
to their text: secrets removed in every spelling, *then* cut, then quoted.
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
"""Of a peer's own words."""
LOOKED_AT_BYTES = 4 * 1024
"""How much is searched for secrets: far more than is shown, and 20 ms at the worst."""
KNOWN_BY_BYTES = 8
"""The beginning of a secret that gives it away: a peer may repeat no more of it."""
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
"""How URLs, forms, C, JSON and HTML write a character that they cannot hold as it is, also one within another."""
_LETTERS = dict(zip(b"abfnrtv0", b"\a\b\f\n\r\t\v\0", strict=True))
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, repr=False)
class PeerText:
    """Bytes of a peer, or text that was decoded from them."""

    raw: bytes | str

    def __str__(self) -> NoReturn:
        raise TypeError("the text of a peer is shown by Secrets.shown alone")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("the text of a peer is shown by Secrets.shown alone")


class Sentence:
    """One sentence of ours with a `{}` for each of `words`; without words, braces are just braces."""

    __slots__ = ("template", "words")

    def __init__(self, template: str, *words: PeerText | str | int) -> None:
        self.template = template
        self.words = words

    def shown(self, secrets: Secrets) -> str:
        """The sentence for a person, without `secrets` where the peer repeated them."""
        if not self.words:
            return self.template
        return self.template.format(
            *(secrets.shown(word) if isinstance(word, PeerText) else word for word in self.words)
        )


class Secrets:
    """The secrets that one conversation sends, to be removed from what comes back."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[bytes] = set()
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Remove `value`, too; an empty one is no secret."""
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
        """The text of a peer in quotes: no secret, `SHOWN_CHARACTERS` at most, what does not print as an escape."""
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
        """Where a spelling of a secret begins and ends in `raw`."""
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
        """What base64 makes of each secret whatever comes before and after it: 3 alignments, both alphabets."""
        cores = set()
        for value in self._values:
            for shift in range(3):
                code = base64.b64encode(bytes(shift) + value)
                first, last = -(-8 * shift // 6), 8 * (shift + len(value)) // 6
                if last > first:
                    cores |= {code[first:last], code[first:last].translate(_URL_SAFE)}
        return cores


class _Reading:
    """A text, perhaps unescaped, and the place in the original of each of its bytes and of its end."""

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
        """The places of `wanted`, or of its beginning, in the original, with `around` more bytes on each side."""
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
