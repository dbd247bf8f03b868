"""The catalog's services as services of Compose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.conditions import depends_keys, jobs
from exporter.outputs.compose.configs import config_keys, config_mounts
from exporter.outputs.compose.container import (
    TEMPORARY,
    hardened,
    health_keys,
    mount_keys,
    shared_keys,
    start_keys,
)
from exporter.outputs.compose.images import build_keys, service_image
from exporter.outputs.compose.mounts import SOURCES, bind, mount
from exporter.outputs.compose.names import NOBODY
from exporter.outputs.compose.networks import service_networks
from exporter.outputs.compose.options import with_options
from exporter.outputs.compose.ports import service_ports
from exporter.outputs.compose.secrets import Granted, env_file_keys, granted, secret_keys
from exporter.outputs.health import service_check

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Service


def service_keys(catalog: Catalog, name: str, service: Service) -> tuple[dict[str, Any], Granted]:
    """Return the service of Compose, and its variables and secrets.

    Raises:
        OutputError: Compose cannot express the catalog's service.
    """
    access = granted(service, ("services", name))
    strict = service.hardened_as == "strict"
    user = service.user or (f"{NOBODY}:{NOBODY}" if strict else None)
    read_only = True if strict and service.read_only is None else service.read_only
    command = service_check(catalog, service)
    ports = service_ports(catalog, name, service)
    keys: dict[str, Any] = {"image": service_image(catalog, name, service)}
    if service.build:
        keys["build"] = build_keys(catalog, name, service.build)
    keys |= start_keys(service.command, service.entrypoint)
    if service.build and service.build.runtime:
        # Another image may need to be process 1 itself, as those with s6-overlay do.
        keys["init"] = True
    keys |= hardened(
        user,
        service.hardened_as,
        read_only=read_only,
        capabilities=service.capabilities,
    )
    keys |= shared_keys(catalog, service)
    if name in jobs(catalog) and service.restart is None:
        # Others wait for its end; any other policy would start it again.
        keys["restart"] = "no"
    if service.replicas != 1:
        keys["deploy"] = {"replicas": service.replicas}
    if access.environment:
        keys["environment"] = access.environment
    keys |= env_file_keys(catalog, name, access)
    keys |= secret_keys(access.secrets, user.partition(":")[2] if user else None)
    keys["networks"] = service_networks(catalog, name, service)
    if ports:
        keys["ports"] = ports
    keys |= _mounts(catalog, service, user, read_only=bool(read_only))
    keys |= config_keys(catalog, service)
    keys |= depends_keys(catalog, service)
    keys |= health_keys(catalog, service, command)
    return with_options(service, keys), access


def _mounts(catalog: Catalog, service: Service, user: str | None, *, read_only: bool) -> dict[str, Any]:
    # Only a recipe is known to put the sources there. Pages that were built from sources do not change with them.
    sources = (
        [bind(service.build.context, SOURCES, read_only=False)]
        if catalog.environment.mount_sources and service.build and service.build.runtime == "python"
        else []
    )
    mounts = [
        *sources,
        *(mount(written) for written in service.volumes),
        *config_mounts(catalog, service),
    ]
    targets = [SOURCES] * len(sources) + [written.target for written in service.volumes]
    writable = (*((TEMPORARY,) if read_only else ()), *service.writable)
    return mount_keys(mounts, writable, targets, service.tmpfs, user)
