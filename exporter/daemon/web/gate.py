"""Access control: each request passes the rate limit, the checks of host and site, and the login, in this order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.daemon.web.hosts import check_host, check_site, hosts_of
from exporter.daemon.web.login import Login
from exporter.daemon.web.message import RefusedError
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from exporter.catalog.planning.plan import Plan
    from exporter.daemon.web.answers import Headers
    from exporter.daemon.web.hosts import Hosts
    from exporter.daemon.web.message import Request
    from exporter.daemon.web.settings import Settings

MAX_NAMES_LOGGED = 20
"""Each refused name is logged once, up to this number of names: a client can send any."""

log = logging.getLogger(__name__)


class WebGate:
    """A gate that checks requests against the current plan and web configuration."""

    def __init__(self, plan: Callable[[], Plan], settings: Callable[[], Settings]) -> None:
        self._plan = plan
        self._settings = settings
        self._login = Login()
        self._hosts: tuple[Plan, Hosts] | None = None
        self._logged: set[str] = set()

    @property
    def tls(self) -> ssl.SSLContext | None:
        return self._settings().tls

    @property
    def headers(self) -> Headers:
        return self._settings().headers

    def admits(self, certificate: dict[str, object] | None) -> bool:
        return self._settings().admits(certificate)

    async def judge(self, request: Request, client: tuple[str, int], *, secure: bool) -> None:
        """Raise RefusedError for a request that gets no answer."""
        settings = self._settings()
        if settings.rate is not None and not settings.rate.take():
            raise RefusedError(429, "too many requests; the web configuration has a rate_limit", "rate")
        self._check_host(request, secure=secure)
        check_site(request)
        if settings.users is not None:
            await self._login.check(request, client[0], settings.users)

    def _check_host(self, request: Request, *, secure: bool) -> None:
        plan = self._plan()
        if self._hosts is None or self._hosts[0] is not plan:
            self._hosts = (plan, hosts_of(plan.web.hosts, plan.listen_host))
        if secure and not plan.web.hosts:
            return  # no certificate for a name that others own is presented, so no browser gets this far
        try:
            check_host(request, self._hosts[1])
        except RefusedError:
            if request.host not in self._logged and len(self._logged) < MAX_NAMES_LOGGED:
                self._logged.add(request.host)
                log.warning(
                    "refused a request for the host name %s; if it is the exporter's name, add it to exporter.hosts",
                    Secrets().shown(PeerText(request.host)),
                )
            raise
