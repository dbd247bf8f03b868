"""Files of configuration in containers.

One that is a file of the host is mounted, as Compose 2 itself does: docker-compose 1.29 ignores `configs`. Text in the
catalog or in a variable needs Compose 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.images import host_path
from exporter.outputs.compose.names import deployed_services, deployed_stores
from exporter.outputs.compose.text import interpolated, placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container


def config_mounts(catalog: Catalog, container: Container) -> Iterator[dict[str, Any]]:
    """Yield mounts of the container's configs that are files of the host."""
    for used in container.configs:
        file = catalog.configs[used.source].file
        if file is not None:
            source = placed(file, host_path)
            yield {
                "type": "bind",
                "source": source,
                "target": interpolated(used.path),
                "read_only": True,
            }


def config_keys(catalog: Catalog, container: Container) -> dict[str, Any]:
    """Return the key `configs` of a service: those that are not files of the host."""
    found = [
        {"source": used.source, "target": interpolated(used.path)}
        for used in container.configs
        if catalog.configs[used.source].file is None
    ]
    return {"configs": found} if found else {}


def configs(catalog: Catalog) -> dict[str, Any]:
    """Return the top-level `configs` that a container uses."""
    containers = (*deployed_services(catalog).values(), *deployed_stores(catalog).values())
    used = {each.source for container in containers for each in container.configs}
    found = {}
    for name, config in catalog.configs.items():
        if name in used and config.content is not None:
            found[name] = {"content": interpolated(config.content)}
        elif name in used and config.environment is not None:
            found[name] = {"environment": config.environment}
    return found
