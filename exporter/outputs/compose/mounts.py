"""Volumes and folders of containers, in the long form: a path may contain a separator of the short form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.images import host_path
from exporter.outputs.compose.names import deployed_services, deployed_stores, volume_name
from exporter.outputs.compose.text import literal

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Mount
    from exporter.catalog.reading.problems import CatalogPath

SOURCES = "/app"
"""The folder of the sources in images of the recipes, and in most others."""


def mount(written: Mount) -> dict[str, Any]:
    """Return one mount of a service."""
    if written.volume is None:
        return bind(written.source, written.target, read_only=written.read_only)
    keys: dict[str, Any] = {
        "type": "volume",
        "source": literal(written.volume),
        "target": literal(written.target),
    }
    return {**keys, "read_only": True} if written.read_only else keys


def bind(path: str, target: str, *, read_only: bool) -> dict[str, Any]:
    """Return a mount of a file or folder of the host, by its path in the catalog."""
    keys: dict[str, Any] = {"type": "bind", "source": literal(host_path(path)), "target": literal(target)}
    return {**keys, "read_only": True} if read_only else keys


def data_volume(volume: str | None, target: str) -> dict[str, Any]:
    """Return the mount of a store's data. It is always named: `down` and a new container would lose another."""
    return {"type": "volume", "source": volume, "target": target}


def volumes(catalog: Catalog) -> dict[str, Any]:
    """Return the top-level `volumes`: those that a container mounts."""
    return {name: _volume(catalog, name) for name in volume_places(catalog)}


def volume_places(catalog: Catalog) -> dict[str, CatalogPath]:
    """Return each volume that a container mounts, with its first place in the catalog."""
    places: dict[str, CatalogPath] = {}
    for name, service in deployed_services(catalog).items():
        for index, written in enumerate(service.volumes):
            if written.volume:
                places.setdefault(written.volume, ("services", name, "volumes", index))
    for name, store in deployed_stores(catalog).items():
        if store.data_volume:
            places.setdefault(store.data_volume, ("stores", name, "volume"))
    return places


def _volume(catalog: Catalog, name: str) -> dict[str, Any]:
    described = catalog.volumes.get(name)
    keys: dict[str, Any] = {"name": volume_name(catalog, name)}
    return {**keys, "external": True} if described and described.external else keys
