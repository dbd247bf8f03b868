"""Reader of the DER form of certificates, for the facts that a probe reports.

Python's `ssl` decodes only trusted certificates, while operators most want to know about expired ones. The bytes come
from a peer: each is read a constant number of times, the result is limited in size, and anything but a certificate is a
ValueError.

RFC 5280 section 4.1: Certificate and TBSCertificate are SEQUENCEs; TBSCertificate holds an optional [0] version,
serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, and perhaps [3] extensions.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.probes.tls.x509_names import MAX_DNS_NAME, MAX_TEXT, escaped, name_text, oid_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSION, EXTENSIONS, DNS_NAME = 0xA0, 0xA3, 0x82
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
MAX_NAMES = 100
MAX_NAMES_TEXT = 4096
MAX_LENGTH_BYTES = 4
REMEMBERED = 4096
"""Number of cached certificates; each takes a few kilobytes at most."""

_TIME = re.compile(rb"(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")

Element = tuple[int, int, int]
"""Tag, start and end of the contents."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The reported facts of one certificate. Texts are printable, limited, and formatted as in blackbox_exporter."""

    ends: float
    """Seconds since the epoch."""
    fingerprint: str
    """SHA-256, hexadecimal."""
    serial: str
    subject: str
    issuer: str
    names: str
    """Its DNS names, separated by commas."""
    has_names: bool
    """True if there is a subjectAltName of any kind."""


_known: dict[bytes, Certificate] = {}


def read_certificate(der: bytes) -> Certificate:
    """Return the reported facts of a certificate.

    Raises:
        ValueError: `der` is not a certificate. The message repeats nothing of it.
    """
    digest = hashlib.sha256(der).digest()
    known = _known.get(digest)
    if known is None:
        known = _read(der, digest.hex())
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[digest] = known
    return known


def earliest_end(chain: Sequence[bytes]) -> float:
    """Return when the first certificate of a chain expires, in seconds since the epoch.

    Raises:
        ValueError: a certificate is not valid, or there is none.
    """
    return min(read_certificate(der).ends for der in chain)


def _read(der: bytes, fingerprint: str) -> Certificate:
    whole = _element(der, 0, len(der))
    fields = _children(der, _element(der, whole[1], whole[2]))
    try:
        first = next(fields)
        serial = next(fields) if first[0] == VERSION else first
        _, issuer, validity, subject, _ = (next(fields) for _ in range(5))
        _, end = list(_children(der, validity))
    except (StopIteration, RuntimeError, ValueError):
        raise ValueError("the certificate lacks a field") from None
    names, has_names = _alternative_names(der, fields)
    return Certificate(
        ends=_time(end[0], der[end[1] : end[2]]),
        fingerprint=fingerprint,
        serial=der[serial[1] : serial[2]].lstrip(b"\0")[: MAX_TEXT // 2].hex(),
        subject=name_text(_attributes(der, subject)),
        issuer=name_text(_attributes(der, issuer)),
        names=names,
        has_names=has_names,
    )


def _alternative_names(der: bytes, fields: Iterator[Element]) -> tuple[str, bool]:
    """Return the DNS names of the extension, and True if it exists."""
    for field in fields:
        if field[0] != EXTENSIONS:
            continue
        for extension in _children(der, _element(der, field[1], field[2])):
            oid, *_, value = _children(der, extension)
            if oid_text(der[oid[1] : oid[2]]) == SUBJECT_ALTERNATIVE_NAME:
                general = _element(der, value[1], value[2])
                return _dns_names(der, general), True
    return "", False


def _dns_names(der: bytes, general: Element) -> str:
    found: list[str] = []
    length = 0
    for tag, start, end in _children(der, general):
        if tag != DNS_NAME:
            continue
        name = escaped(der[start:end][: MAX_DNS_NAME + 1].decode("latin-1"), MAX_DNS_NAME)
        length += len(name) + 1
        if len(found) == MAX_NAMES or length > MAX_NAMES_TEXT:
            return ",".join([*found, "…"])
        found.append(name)
    return ",".join(found)


def _attributes(der: bytes, name: Element) -> list[tuple[str, int, bytes]]:
    """Return the attributes of a distinguished name in order: type, tag of the value, value."""
    found = []
    for relative in _children(der, name):
        for attribute in _children(der, relative):
            kind, value = _pair(der, attribute)
            found.append((oid_text(der[kind[1] : kind[2]]), value[0], der[value[1] : value[2]]))
            if len(found) == MAX_NAMES:
                return found
    return found


def _pair(der: bytes, parent: Element) -> tuple[Element, Element]:
    kind = _element(der, parent[1], parent[2])
    return kind, _element(der, kind[2], parent[2])


def _children(der: bytes, parent: Element) -> Iterator[Element]:
    position, end = parent[1], parent[2]
    while position < end:
        child = _element(der, position, end)
        yield child
        position = child[2]


def _element(der: bytes, position: int, limit: int) -> Element:
    """Return the element at `position` (X.690 section 8.1), which ends by `limit`."""
    if position + 2 > limit:
        raise ValueError("the certificate is truncated")
    tag, length = der[position], der[position + 1]
    start = position + 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= MAX_LENGTH_BYTES:
            raise ValueError("the certificate holds a length that DER does not allow")
        length = int.from_bytes(der[start : start + size], "big")
        start += size
    if start + length > limit:
        raise ValueError("the certificate is truncated")
    return tag, start, start + length


def _time(tag: int, text: bytes) -> float:
    """Return a time. UTCTime has a two-digit year; from 50 on it is in the last century (RFC 5280 4.1.2.5.1)."""
    match = _TIME.fullmatch(text)
    if match is None or len(match[1]) != {UTC_TIME: 2, GENERALIZED_TIME: 4}.get(tag):
        raise ValueError("the certificate's end is not a time")
    year, month, day, hour, minute, second = map(int, match.groups())
    if tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError("the certificate's end is not a time") from None
