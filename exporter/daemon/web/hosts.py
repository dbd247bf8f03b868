"""Checks of the Host header, and of requests from pages of other sites.

Any website can make the browser of a user inside the network send requests here. It must not be able to read an answer
(DNS rebinding: the site's own name resolves to this address, so the browser sees one site) or cause an effect (a form
sent across sites). Against the first, names that others can own are refused. Against the second, the browser's headers
about the origin of a request are used.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.daemon.web.message import RefusedError
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.daemon.web.message import Request

PRIVATE_SUFFIXES = (
    ".localhost",
    ".local",
    ".internal",
    ".home.arpa",
    ".lan",
    ".localdomain",
    ".intranet",
    ".corp",
    ".svc",
)
"""Names that nobody can register: reserved (RFC 6761, RFC 6762, RFC 8375, ICANN), or never delegated."""
FREE_PATHS = frozenset({b"/-/healthy", b"/-/ready"})
"""These answers reveal nothing, and load balancers request them under any name."""

SCRAPED_PATHS = frozenset({b"/metrics", b"/sd"})
"""Paths that Prometheus requests, under the name from its configuration."""
SCRAPER_HEADERS = (b"x-prometheus-scrape-timeout-seconds", b"x-prometheus-refresh-interval-seconds")
"""Prometheus, its agents and compatible scrapers send one of these."""
BROWSER_HEADERS = (b"accept-language", b"cookie", b"origin", b"referer")
"""A browser sends the first with every request; a page can change its value but not remove it."""

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Hosts:
    """Accepted names: addresses, names without a dot, private names, and these.

    `suffixes` begin with a dot. With `every`, all names are accepted.
    """

    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = PRIVATE_SUFFIXES
    every: bool = False

    def admits(self, host: str) -> bool:
        """True if the name of a Host header (lower-case) is accepted. It is empty if the client sent none."""
        return (
            self.every
            or "." not in host  # names of Compose, Docker or the host; and IPv6 addresses
            or host in self.names
            or host.endswith(self.suffixes)
            or _is_address(host)
        )


def hosts_of(written: Iterable[str], listen_host: str) -> Hosts:
    """Return the names that the catalog's `exporter.hosts` and `exporter.listen` allow."""
    listed = [name.lower().removesuffix(".") for name in written]
    return Hosts(
        names=frozenset({listen_host.lower(), *own_names(), *listed}),
        suffixes=(*PRIVATE_SUFFIXES, *(name[1:] for name in listed if name.startswith("*."))),
        every="*" in listed,
    )


@lru_cache(maxsize=1)
def own_names() -> frozenset[str]:
    """Return the host's name, alone and with each of its search domains. No name server is asked."""
    name = socket.gethostname().lower().removesuffix(".")
    short = name.partition(".")[0]
    return frozenset({name, *(f"{short}.{domain}" for domain in _search_domains())})


def check_host(request: Request, hosts: Hosts) -> None:
    """Raise RefusedError for a name that others can own, unless no browser can have sent the request."""
    if request.path in FREE_PATHS or hosts.admits(request.host) or _is_scrape(request):
        return
    raise RefusedError(
        421,
        f"the exporter does not accept the host name {Secrets().shown(PeerText(request.host))}; "
        "if it is the exporter's name, add it to exporter.hosts in the catalog",
        "host",
    )


def check_site(request: Request) -> None:
    """Raise RefusedError for a request that a page of another site made a browser send.

    Following a link is harmless, since that page cannot read the answer; everything else across sites is refused. A
    client that sends neither header is not a modern browser, or is a browser with a harmless request.
    """
    sites = request.values(b"sec-fetch-site")
    if sites:
        if all(site in _OWN for site in sites) or _follows_a_link(request):
            return
    elif all(_is_own(origin, request.authority) for origin in request.values(b"origin")):
        return
    raise RefusedError(403, "the exporter does not accept requests from pages of other sites", "origin")


def _is_scrape(request: Request) -> bool:
    """True for a scrape that no browser sent: DNS rebinding needs a browser, and scrapers use public names.

    A page can add Prometheus's header and set User-Agent. It cannot remove the headers that its browser adds:
    Accept-Language, and an Accept-Encoding with deflate, which Go's client never sends.
    """
    return (
        request.path in SCRAPED_PATHS
        and request.method == "GET"
        and any(request.values(name) for name in SCRAPER_HEADERS)
        and not any(request.values(name) for name in BROWSER_HEADERS)
        and not any(name.startswith(b"sec-") for name, _ in request.headers)
        and not any("deflate" in value.lower() for value in request.values(b"accept-encoding"))
        and not any(value.lower().startswith("mozilla") for value in request.values(b"user-agent"))
    )


def _follows_a_link(request: Request) -> bool:
    return (
        request.method in _SAFE_METHODS
        and request.values(b"sec-fetch-mode") == ["navigate"]
        and request.values(b"sec-fetch-dest") == ["document"]
    )


def _is_own(origin: str, authority: str) -> bool:
    """True if an Origin header is the exporter's own. The scheme is not compared, since a proxy may terminate TLS."""
    scheme, _, rest = origin.lower().partition("://")
    return scheme in ("http", "https") and rest == authority


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _search_domains() -> list[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [
        domain.lower().strip(".")
        for first, *rest in filter(None, words)
        if first in ("search", "domain")
        for domain in rest
    ]
