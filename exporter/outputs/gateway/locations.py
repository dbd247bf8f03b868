"""Locations: the catalog's routes, and the gateway's own health paths for itself and the services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.durations import engine_duration, size_text
from exporter.outputs.gateway.http import forwarded_headers
from exporter.outputs.gateway.nginx_text import Comment, Item, block, line
from exporter.outputs.gateway.places import LIVE_PATH, OWN_PATHS, READY_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.keys.gateway import Gateway
    from exporter.outputs.gateway.routes import Route, Upstream

MAX_CHAIN = 8
"""nginx follows at most ten internal redirects per request, and the readiness of all takes one per service."""
READY_SECONDS = 5.0

_NOTHING = f"{OWN_PATHS}/none"


def live_location() -> Item:
    return block(
        ["location", "=", LIVE_PATH],
        line("access_log", "off"),
        line("default_type", "text/plain"),
        line("return", "200", "live\n"),
    )


def own_locations(upstreams: list[Upstream]) -> Iterator[Item]:
    yield Comment("live: nginx answers. ready: the services answer, too. Their answers are not passed on.")
    yield live_location()
    asked = [upstream for upstream in upstreams if upstream.ready is not None]
    for upstream in asked:
        yield _health(upstream)
        yield _checked(("=", f"{READY_PATH}/{upstream.name}"), upstream, "@ready")
    if not asked:
        return
    if len(asked) <= MAX_CHAIN:
        # Each step checks one service, then goes on to the next.
        steps = [f"@ready-{index}" for index in range(1, len(asked))]
        for name, upstream, following in zip(("", *steps), asked, (*steps, "@ready"), strict=True):
            yield _checked((name,) if name else ("=", READY_PATH), upstream, following)
    yield block(["location", "@ready"], line("access_log", "off"), line("return", "204"))
    yield block(["location", "@unready"], line("access_log", "off"), line("return", "503"))


def route_locations(gateway: Gateway, routes: list[Route]) -> Iterator[Item]:
    """Yield each route for its path and all paths below it, but not for others with the same prefix."""
    for route in routes:
        settings = tuple(_settings(gateway, route))
        if route.path:
            yield block(["location", "=", route.path], *settings)
        yield block(["location", f"{route.path}/"], *settings)
    if all(route.path for route in routes):
        yield block(["location", "/"], line("return", "404"))


def _settings(gateway: Gateway, route: Route) -> Iterator[Item]:
    written = route.written
    if written.max_body is not None:
        yield line("client_max_body_size", size_text(written.max_body))
    if written.read_timeout not in (None, gateway.timeouts.read):
        yield line("proxy_read_timeout", engine_duration(written.read_timeout or 0))
    headers = {"X_Forwarded_Prefix": route.path} if written.strip and route.path else {}
    if written.websocket:
        headers |= {"Upgrade": "$http_upgrade", "Connection": "$gateway_connection"}
    if headers:
        yield from forwarded_headers(**headers)
    yield line("proxy_pass", f"http://{route.upstream}{'/' if written.strip else ''}")


def _health(upstream: Upstream) -> Item:
    """Return the location of a service's health, which nginx itself requests; only the status counts."""
    return block(
        ["location", "=", f"{OWN_PATHS}/health/{upstream.name}"],
        line("internal"),
        line("proxy_pass_request_body", "off"),
        line("proxy_read_timeout", engine_duration(READY_SECONDS)),
        line("proxy_method", "GET"),
        *forwarded_headers(Host="$host", Content_Length=""),
        line("proxy_pass", f"http://{upstream.name}{upstream.ready}"),
    )


def _checked(name: tuple[str, ...], upstream: Upstream, following: str) -> Item:
    return block(
        ["location", *name],
        line("access_log", "off"),
        line("auth_request", f"{OWN_PATHS}/health/{upstream.name}"),
        line("error_page", "401", "403", "500", "=", "@unready"),
        line("try_files", _NOTHING, following),
    )
