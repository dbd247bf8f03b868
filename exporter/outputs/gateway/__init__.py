"""nginx.conf of the gateway at the edge: routes, replicas, TLS, and the gateway's own paths.

It needs nginx 1.27.3 or later, which resolves the addresses of replicas again while it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.base import File
from exporter.outputs.gateway.hosts import servers
from exporter.outputs.gateway.http import http_settings, upstream_blocks
from exporter.outputs.gateway.locations import own_locations, route_locations
from exporter.outputs.gateway.nginx_text import Comment, block, line, nginx_text
from exporter.outputs.gateway.routes import routes_of, upstreams_of
from exporter.outputs.yaml_text import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

WORKERS = 2
"""`auto` would start one per core of the host, even if the container may use fewer."""
CONNECTIONS = 4096


def render(catalog: Catalog) -> Iterable[File]:
    """Yield `nginx.conf`, if the catalog deploys a gateway.

    Raises:
        OutputError: nginx cannot express a route, or the route has no service to go to.
    """
    gateway = catalog.own_gateway
    if gateway is None:
        return
    routes = routes_of(catalog, gateway)
    upstreams = upstreams_of(catalog, routes)
    locations = [*own_locations(upstreams), *route_locations(gateway, routes)]
    yield File(
        "nginx.conf",
        nginx_text(
            (
                Comment(NOTICE),
                Comment(f"The gateway of {catalog.project} in {catalog.environment_name}."),
                line("worker_processes", str(WORKERS)),
                line("pid", "/tmp/nginx.pid"),  # noqa: S108 - a path inside the container
                line("error_log", "stderr", "warn"),
                block(["events"], line("worker_connections", str(CONNECTIONS))),
                block(
                    ["http"],
                    *http_settings(gateway, routes),
                    *upstream_blocks(gateway, upstreams),
                    *servers(catalog, gateway, locations),
                ),
            )
        ),
    )
