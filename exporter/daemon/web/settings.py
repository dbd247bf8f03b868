"""What the web configuration comes to: values that requests and connections are held to."""

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
    """A token bucket: one request each `interval` seconds, and `burst` of them at once."""

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
    """Who may ask. `hashes`: of each user the bcrypt hash of the password. `passwords`: of others the SHA-256 of it,
    where the configuration names the file of the password itself. `decoy`: a hash that no password has, for users that
    are not known; none where no user has a hash."""

    hashes: Mapping[str, bytes] = field(default_factory=dict)
    passwords: Mapping[str, bytes] = field(default_factory=dict)
    decoy: bytes | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """`tls`: none where HTTP is served. `clients`: names of which a client's certificate must have one, if any.
    `users`: none where nobody has to log in."""

    tls: ssl.SSLContext | None = None
    clients: frozenset[str] | None = None
    users: Users | None = None
    headers: Headers = ()
    rate: Rate | None = None

    def admits(self, certificate: dict[str, object] | None) -> bool:
        """Judge a client's certificate, which is verified, by its alternative names; the first match lets it in."""
        return self.clients is None or bool(self.clients & alternative_names(certificate or {}))


OPEN = Settings()
"""Without a web configuration: HTTP, and everybody may ask."""


def alternative_names(certificate: dict[str, object]) -> frozenset[str]:
    """Return the names, addresses, e-mail addresses and URIs of a certificate, as Go writes them."""
    found = certificate.get("subjectAltName", ())
    pairs = found if isinstance(found, tuple) else ()
    return frozenset(_address(value) if kind == "IP Address" else value for kind, value in pairs)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text
