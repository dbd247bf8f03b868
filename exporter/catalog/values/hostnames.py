"""Host names as the network uses them: the only place where an international name becomes the ASCII of DNS and TLS.

IDNA 2008 (RFC 5891) after the mapping that browsers apply (UTS 46, non-transitional): capitals, full-width letters and
full-width dots are folded, and `faß.de` and `fass.de` stay different names. A part that is already ASCII is used as it
is written, so names with underscores (`_dmarc.example.com`, Docker's `my_service`) work.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

MAX_NAME = 253
MAX_LABEL = 63

_ASCII_LABEL = re.compile(r"[A-Za-z0-9_-]+")
_TOO_LONG = f"a name has at most {MAX_NAME} characters in ASCII, and {MAX_LABEL} between two dots"
_CODE_POINT = re.compile(r"U\+[0-9A-F]{4,6}")


class HostNameError(ValueError):
    """A text that is not a host. The message is one clause, and never repeats the text, which may be a peer's."""


@lru_cache(maxsize=16384)
def ascii_host(host: str) -> str:
    """Return `host` as DNS, TLS and HTTP write it: an address as it is, a name in ASCII.

    Raises:
        HostNameError: it is neither.
    """
    if ":" in host:
        return _checked_ipv6(host)
    if len(host) > MAX_NAME + 1:
        raise HostNameError(_TOO_LONG)
    if not host.isascii():
        host = _mapped(host)
    name = ".".join([_label(label) for label in host.removesuffix(".").split(".")])
    if len(name) > MAX_NAME:
        raise HostNameError(_TOO_LONG)
    return f"{name}." if host.endswith(".") else name


def tls_name(host: str) -> str:
    """Return `host` as a certificate names it: without the dot of the root, without the zone of an address.

    Raises:
        HostNameError: as `ascii_host`.
    """
    return ascii_host(host).partition("%")[0].removesuffix(".")


def ascii_authority(text: str) -> str:
    """Return `host` or `host:port`, the value of a Host header, in ASCII; ASCII is left as it is.

    Raises:
        HostNameError: as `ascii_host`.
    """
    if text.isascii():
        return text
    host, separator, port = text.partition(":")
    return f"{ascii_host(host)}{separator}{port}"


def _checked_ipv6(host: str) -> str:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise HostNameError("it is not an IPv6 address") from None
    return host


def _mapped(host: str) -> str:
    import idna  # here, because its tables cost 2 MB that most catalogs never need

    try:
        return idna.uts46_remap(host, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        raise HostNameError(_why(error)) from None


def _label(label: str) -> str:
    if not label:
        raise HostNameError("there is nothing between two dots")
    if len(label) > MAX_LABEL:
        raise HostNameError(_TOO_LONG)
    if not label.isascii():
        return _a_label(label)
    if not _ASCII_LABEL.fullmatch(label):
        raise HostNameError("a name holds letters, digits, hyphens, underscores and dots")
    return label


def _a_label(label: str) -> str:
    """Return the form of a label that begins with `xn--`."""
    import idna  # as above

    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNABidiError:
        raise HostNameError("it mixes left-to-right and right-to-left letters") from None
    except idna.IDNAError as error:
        raise HostNameError(_TOO_LONG if "too long" in str(error) else _why(error)) from None


def _why(error: Exception) -> str:
    """Return why, with the character's number only: the character may be a line break, or reverse the text."""
    found = _CODE_POINT.search(str(error))
    return f"IDNA 2008 does not allow {found[0]} there" if found else "IDNA 2008 does not allow hyphens there"
