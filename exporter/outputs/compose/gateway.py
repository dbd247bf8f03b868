"""The gateway as a service of Compose: nginx without root, the only container with ports on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.container.resources import Resources
from exporter.outputs.compose.container import (
    hardened,
    health,
    limits,
    log_rotation,
    mount_keys,
)
from exporter.outputs.compose.images import host_path, pinned
from exporter.outputs.compose.names import EDGE, GATEWAY, NOBODY, deployed_services
from exporter.outputs.compose.ports import LOOPBACK
from exporter.outputs.compose.text import generated, literal
from exporter.outputs.gateway.places import (
    CONFIGURATION,
    HTTP_PORT,
    HTTPS_PORT,
    LIVE_PATH,
    TLS_CERTIFICATE,
    TLS_KEY,
)
from exporter.outputs.health import wget_check
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.gateway import Gateway

IMAGE = "nginxinc/nginx-unprivileged:1.29-alpine"
USER = "101:101"
"""The user nginx of that image."""


def gateway_keys(catalog: Catalog, gateway: Gateway) -> dict[str, Any]:
    """Return the service. On a laptop, where all ports are open anyway, it starts only with its profile."""
    defaults = catalog.defaults
    image = literal(IMAGE) if gateway.image is None else pinned(gateway.image, GATEWAY, "gateway.image")
    keys: dict[str, Any] = {"image": image}
    if catalog.environment.publishes_all:
        keys["profiles"] = [GATEWAY]
    keys |= {
        **hardened(USER),
        "restart": defaults.restart,
        **limits(catalog, Resources()),
        "logging": log_rotation(catalog),
    }
    if gateway.tls:
        keys["group_add"] = Note(
            "The group that can read the key; the file on the host needs this group, too.", [NOBODY]
        )
    keys |= {"networks": [EDGE], "ports": _ports(catalog, gateway), **_mounts(gateway)}
    # Only started: nginx resolves names while it runs, and a gateway without one service is better than none.
    routed = dict.fromkeys(route.service for route in gateway.routes.values())
    # Compose refuses to depend on what is started on demand.
    services = {name for name, service in deployed_services(catalog).items() if not service.profiles}
    if depends := {name: {"condition": "service_started"} for name in routed if name in services}:
        keys["depends_on"] = depends
    if gateway.image is None:
        check = wget_check(f"http://127.0.0.1:{HTTP_PORT}{LIVE_PATH}")
        keys["healthcheck"] = health(check, defaults.healthcheck)
    return keys


def _ports(catalog: Catalog, gateway: Gateway) -> list[str]:
    pairs = [(gateway.http_port, HTTP_PORT), *([(gateway.https_port, HTTPS_PORT)] if gateway.tls else [])]
    host = f"{LOOPBACK}:" if catalog.environment.publishes_all else ""
    return [f"{host}{published}:{target}" for published, target in pairs]


def _mounts(gateway: Gateway) -> dict[str, Any]:
    sources = {CONFIGURATION: generated("gateway/nginx.conf")}
    if gateway.tls:
        sources[TLS_CERTIFICATE] = literal(host_path(gateway.tls.certificate))
        sources[TLS_KEY] = literal(host_path(gateway.tls.key))
    files = [
        {"type": "bind", "source": source, "target": target, "read_only": True}
        for target, source in sources.items()
    ]
    return mount_keys(files, ["/tmp"])  # noqa: S108 - a path inside the container
