"""Names in certificates, formatted as in Go (RFC 2253) and the labels of blackbox_exporter, printable and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TEXT = 128
"""Characters shown of one value; RFC 5280 limits most to 64."""
MAX_DNS_NAME = 253
MAX_NAME = 512
"""Characters shown of a whole distinguished name."""
MAX_OID_BYTES = 32

SHORT = {
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.3": "CN",
    "2.5.4.17": "POSTALCODE",
    "2.5.4.9": "STREET",
    "2.5.4.8": "ST",
    "2.5.4.7": "L",
    "2.5.4.11": "OU",
    "2.5.4.10": "O",
    "2.5.4.6": "C",
}
"""In the order of Go, whatever the order in the certificate; others follow, the last first."""
SINGLE = {"CN", "SERIALNUMBER"}
"""Go keeps only the last value of these."""

ENCODINGS = {0x0C: "utf-8", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
"""Encodings by the tags of strings; all others are read as Latin-1."""
PRINTABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
UTF8_STRING, PRINTABLE_STRING = 0x0C, 0x13


def name_text(attributes: Sequence[tuple[str, int, bytes]]) -> str:
    """Return a distinguished name. `attributes` are in the order of the certificate: type, tag of the value, value."""
    known: dict[str, list[str]] = {short: [] for short in SHORT.values()}
    others: list[str] = []
    for oid, tag, raw in attributes:
        value = raw[: 4 * MAX_TEXT].decode(ENCODINGS.get(tag, "latin-1"), "replace")
        short = SHORT.get(oid)
        if short is None:
            others.append(f"{oid}=#{_encoded(value)}")
        elif short in SINGLE:
            known[short] = [value]
        else:
            known[short].append(value)
    parts = ["+".join(f"{short}={_quoted(value)}" for value in values) for short, values in known.items()]
    return _cut(",".join([*filter(None, parts), *reversed(others)]), MAX_NAME)


def escaped(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text`, cut and with unprintable characters escaped, because it becomes the value of a label."""
    return _cut("".join([c if c.isprintable() else _escape(c) for c in text[: limit + 1]]), limit)


def oid_text(raw: bytes) -> str:
    """Return an object identifier in dotted form (X.690 section 8.19)."""
    numbers: list[int] = []
    value = 0
    for byte in raw[:MAX_OID_BYTES]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return ""
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _quoted(value: str) -> str:
    text = "".join(f"\\{c}" if c in ',+"\\<>;' else c for c in value[: MAX_TEXT + 1])
    if text.startswith(("#", " ")):
        text = f"\\{text}"
    if text.endswith(" ") and len(value) > 1:
        text = f"{text[:-1]}\\ "
    return escaped(text)


def _encoded(value: str) -> str:
    """Return a text as Go writes it: its DER form in hexadecimal digits."""
    raw = value[:MAX_TEXT].encode()
    tag = PRINTABLE_STRING if PRINTABLE.issuperset(value) else UTF8_STRING
    length = bytes((len(raw),)) if len(raw) < 0x80 else bytes((0x82, *divmod(len(raw), 256)))
    return (bytes((tag,)) + length + raw).hex()[:MAX_NAME]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
