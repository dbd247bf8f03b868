"""Settings from the web configuration, applied to requests and connections."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from exporter.daemon.web.answers import Headers


class Rate:
    """A token bucket: one request per `interval` seconds, and up to `burst` at once."""

    def __init__(self, interval: float, burst: int) -> None:
        self.limit = (interval, burst)
        self._tokens = float(burst)
        self._at = time.monotonic()

    def take(self) -> bool:
        """Take a token. False if there is none."""
        now = time.monotonic()
        interval, burst = self.limit
        self._tokens = min(burst, self._tokens + (now - self._at) / interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class Users:
    """The users who can log in. `hashes`: bcrypt hashes of passwords by user. `passwords`: SHA-256 hashes of passwords
    by user, for passwords that the configuration reads from files. `decoy`: a hash that no password matches, for
    unknown users; None if no user has a bcrypt hash."""

    hashes: Mapping[str, bytes] = field(default_factory=dict)
    passwords: Mapping[str, bytes] = field(default_factory=dict)
    decoy: bytes | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the web server. `tls`: None for plain HTTP. `clients`: a client's certificate must have one of these
    names; None if any is allowed. `users`: None if no login is required."""

    tls: ssl.SSLContext | None = None
    clients: frozenset[str] | None = None
    users: Users | None = None
    headers: Headers = ()
    rate: Rate | None = None

    def admits(self, certificate: dict[str, object] | None) -> bool:
        """True if a client's verified certificate has an allowed alternative name, or all are allowed."""
        return self.clients is None or bool(self.clients & alternative_names(certificate or {}))


OPEN = Settings()
"""Settings without a web configuration: plain HTTP without access control."""


def alternative_names(certificate: dict[str, object]) -> frozenset[str]:
    """Return the names, addresses, e-mail addresses and URIs of a certificate, in Go's notation."""
    found = certificate.get("subjectAltName", ())
    pairs = found if isinstance(found, tuple) else ()
    return frozenset(_address(value) if kind == "IP Address" else value for kind, value in pairs)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text
