"""When a certificate ends, read from its DER form.

Python's `ssl` decodes certificates only of connections that it trusts, while an expired one is what an operator
most wants to be told about. RFC 5280 section 4.1: Certificate and TBSCertificate are SEQUENCEs; TBSCertificate
holds an optional [0] version, serialNumber, signature, issuer, then validity, a SEQUENCE of two times.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

CONTEXT_0 = 0xA0
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18


@lru_cache(maxsize=4096)
def not_after(der: bytes) -> float:
    """The end of a certificate's validity, in seconds since the epoch.

    Raises:
        ValueError: `der` is not a certificate.
    """
    try:
        _, position, _ = _header(der, 0)
        _, position, _ = _header(der, position)
        if der[position] == CONTEXT_0:
            position = _skip(der, position)
        for _ in ("serialNumber", "signature", "issuer"):
            position = _skip(der, position)
        _, position, _ = _header(der, position)
        tag, start, end = _header(der, _skip(der, position))
    except IndexError:
        raise ValueError("the certificate is cut short") from None
    return _time(tag, der[start:end].decode("ascii"))


def _header(der: bytes, position: int) -> tuple[int, int, int]:
    """Of the element at `position`: its tag, and where its contents start and end (X.690 section 8.1)."""
    tag, length = der[position], der[position + 1]
    start = position + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[start : start + size], "big")
        start += size
    return tag, start, start + length


def _skip(der: bytes, position: int) -> int:
    return _header(der, position)[2]


def _time(tag: int, text: str) -> float:
    """UTCTime has two digits of the year, of which 50 and above are of the last century (RFC 5280 4.1.2.5.1)."""
    if tag == UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError("the certificate's validity is not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
