"""Cookies of one run (RFC 6265): a server that sets cookies during redirects gets them back, and no other server.

Unlike a browser, each run begins without cookies, so that all runs see the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from exporter.probes.http.head import utf8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.probes.http.request import Endpoint

MAX_COOKIES = 50
MAX_COOKIE_BYTES = 4096
"""Limit of one Set-Cookie header. Both limits are the minimum for browsers in RFC 6265 section 6.1."""
MAX_DATE_CHARACTERS = 64

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
_SECONDS = re.compile("-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie, and where it may be sent."""

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the key of the cookie; a later one with the same key replaces it."""
        return self.name, self.domain, self.path

    def goes_to(self, endpoint: Endpoint) -> bool:
        if self.secure and endpoint.scheme != "https":
            return False
        if endpoint.host.lower() != self.domain and (
            self.host_only or not _within(endpoint.host, self.domain)
        ):
            return False
        path = endpoint.path.partition("?")[0]
        return path == self.path or path.startswith(self.path if self.path.endswith("/") else self.path + "/")


class Jar:
    """The cookies of one run."""

    __slots__ = ("_cookies",)

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def take(self, headers: Iterable[str], endpoint: Endpoint) -> None:
        """Keep the cookies in the Set-Cookie headers of an answer from `endpoint`."""
        for header in headers:
            if len(header) > MAX_COOKIE_BYTES:
                continue
            cookie, expired = _parse(utf8(header), endpoint)
            if cookie is None:
                continue
            self._cookies.pop(cookie.key, None)
            if not expired and len(self._cookies) < MAX_COOKIES:
                self._cookies[cookie.key] = cookie

    def of(self, endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
        """Return names and values of the cookies for a request to `endpoint`, longest path first."""
        cookies = [cookie for cookie in self._cookies.values() if cookie.goes_to(endpoint)]
        cookies.sort(key=lambda cookie: len(cookie.path), reverse=True)
        return tuple((cookie.name, cookie.value) for cookie in cookies)


def _parse(header: str, endpoint: Endpoint) -> tuple[Cookie | None, bool]:
    """Return a cookie, and True if it is to be deleted; None if `endpoint` may not set it."""
    pair, *rest = header.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    words = (word.partition("=") for word in rest)
    attributes = {key.strip().lower(): text.strip() for key, _, text in words}
    host = endpoint.host.lower()
    domain = attributes.get("domain", "").lower().removeprefix(".") or host
    if not name or not equals or _CONTROL.search(name + value) or not _may_set(host, domain):
        return None, False
    secure = "secure" in attributes
    if secure and endpoint.scheme != "https":
        return None, False
    path = attributes.get("path", "")
    if not path.startswith("/"):
        path = endpoint.path.partition("?")[0].rpartition("/")[0] or "/"
    host_only = not attributes.get("domain")
    return Cookie(name, value, domain, host_only, path, secure), _expired(attributes)


def _may_set(host: str, domain: str) -> bool:
    """True if a server on `host` may set cookies for `domain`: itself or a parent that is not a top-level domain."""
    return host == domain or ("." in domain and _within(host, domain))


def _within(host: str, domain: str) -> bool:
    return host.lower().endswith("." + domain) and not _ADDRESS.fullmatch(host)


def _expired(attributes: dict[str, str]) -> bool:
    age = attributes.get("max-age", "")
    if _SECONDS.fullmatch(age):
        return int(age) <= 0
    expires = attributes.get("expires", "")[:MAX_DATE_CHARACTERS]
    try:
        moment = parsedate_to_datetime(expires)
        return moment.replace(tzinfo=moment.tzinfo or UTC) <= datetime.now(UTC)
    except (ValueError, OverflowError):
        return False
