"""The catalog's routes for nginx: normalised paths, and services that the gateway reaches by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from exporter.catalog.values.references import parse_template
from exporter.catalog.values.words import quoted
from exporter.outputs.base import OutputError, Refusals
from exporter.outputs.gateway.places import OWN_PATHS

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.gateway import Gateway
    from exporter.catalog.keys.gateway import Route as WrittenRoute
    from exporter.catalog.keys.services import Service
    from exporter.catalog.reading.problems import CatalogPath

MAX_PATH = 1000
"""In bytes. nginx accepts no word longer than 4096 bytes in its configuration."""

_VARIABLE = "$"
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service behind the gateway. `ready`: the path of its health, if the gateway can request it."""

    name: str
    port: int
    ready: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route. `path` is decoded and has no slash at its end, so the root is "". It covers all paths below it."""

    path: str
    upstream: str
    written: WrittenRoute


def routes_of(catalog: Catalog, gateway: Gateway) -> list[Route]:
    """Return the routes, the longest path first, though nginx does not need this order.

    Raises:
        OutputError: nginx cannot express a route, or the route has no service to go to.
    """
    if not gateway.routes:
        raise OutputError("is empty; name the service for each path, such as {/: NAME}", "gateway", "routes")
    found: dict[str, tuple[Route, str]] = {}
    refusals = Refusals()
    for key, written in gateway.routes.items():
        with refusals.gathered():
            path = ("gateway", "routes", key)
            _reachable(catalog.services[written.service], written.service, path)
            route = Route(_normal(key, path, strip=written.strip), written.service, written)
            other, first = found.setdefault(route.path, (route, key))
            if other is not route:
                raise OutputError(f"is the same path to nginx as {quoted(first)}; keep one of them", *path)
    refusals.end()
    return [found[path][0] for path in sorted(found, key=lambda path: (-len(path), path))]


def upstreams_of(catalog: Catalog, routes: list[Route]) -> list[Upstream]:
    """Return each service that a route names, once, sorted by name."""
    names = sorted({route.upstream for route in routes})
    services = ((name, catalog.services[name]) for name in names)
    return [Upstream(name, service.port or 0, _readiness(name, service)) for name, service in services]


def _normal(key: str, where: CatalogPath, *, strip: bool) -> str:
    if "?" in key or "#" in key:
        raise OutputError(
            "contains ? or #, but nginx routes by the path only; leave out what follows", *where
        )
    if _PERCENT.search(key):
        raise OutputError("contains a % that is no escape; write it as %25", *where)
    try:
        path = unquote(key, errors="strict")
    except UnicodeDecodeError:
        raise OutputError("is not UTF-8 after its escapes are decoded; write another path", *where) from None
    if not path.isprintable() or len(path.encode()) > MAX_PATH:
        raise OutputError(
            f"contains control characters or is longer than {MAX_PATH} bytes; write another path", *where
        )
    path = path.removesuffix("/")
    parts = path.split("/")[1:]
    if any(part in ("", ".", "..") for part in parts):
        raise OutputError(
            "never matches, because nginx removes //, . and .. from paths; write the path without them",
            *where,
        )
    if path == OWN_PATHS or path.startswith(f"{OWN_PATHS}/"):
        raise OutputError(f"is below {OWN_PATHS}, which the gateway uses itself; write another path", *where)
    if strip and _VARIABLE in path:
        raise OutputError(
            "contains $, which nginx cannot strip; write the path without $, or leave out strip", *where
        )
    return path


def _reachable(service: Service, name: str, where: CatalogPath) -> None:
    if not service.deployed:
        raise OutputError(
            f"goes to {name}, which is not deployed here; give it a build or an image, or remove the route",
            *where,
        )
    if service.port is None:
        raise OutputError(f"goes to {name}, which has no port; write services.{name}.port", *where)


def _readiness(name: str, service: Service) -> str | None:
    """Return the path of the service's health, if the gateway can request it: GET, plain HTTP, no secrets.

    Raises:
        OutputError: nginx would read a part of the path as a variable.
    """
    health = service.health
    if (
        health is None
        or health.url is not None
        or (path := parse_template(health.path).literal) is None
        or health.scheme != "http"
        or health.method != "GET"
        or health.port not in (None, service.port)
        or health.headers
        or health.basic_auth
        or health.bearer_token
        or not any(first <= 200 <= last for first, last in health.status)
    ):
        return None
    if _VARIABLE in path:
        raise OutputError(
            "contains $ in its path, which the gateway cannot request; write %24", "services", name, "health"
        )
    return path
