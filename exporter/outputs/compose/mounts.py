"""Volumes and folders of containers, in the long form where possible: a path may contain a separator of the short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.container.volumes import Bind, Mount
from exporter.catalog.keys.stores import Store
from exporter.catalog.keys.volumes import Volume
from exporter.catalog.values.variables import WRITTEN
from exporter.outputs.compose.images import host_path
from exporter.outputs.compose.names import deployed_services, deployed_stores, volume_name
from exporter.outputs.compose.options import named
from exporter.outputs.compose.text import interpolated, literal, placed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.container.volumes import Tmpfs, VolumeOptions
    from exporter.catalog.reading.problems import CatalogPath

_SEPARATOR = ":"
SOURCES = "/app"
"""The folder of the sources in images of the recipes."""


def mount(written: Mount) -> dict[str, Any] | str:
    """Return one mount of a service or store."""
    target = interpolated(written.target)
    if written.folder is not None:
        return _folder(written, placed(written.folder, host_path), target)
    source = interpolated(written.source) if written.source else None
    if written.undecided:
        # Only Compose knows the variable, and decides by its value in the short form.
        return f"{source}:{target}{':ro' if written.read_only else ''}"
    keys: dict[str, Any] = {
        "type": written.type or "volume",
        "source": source,
        "target": target,
        "read_only": written.read_only,
        "consistency": written.consistency,
        "volume": _given(written.volume_options),
        "tmpfs": _given(written.tmpfs),
    }
    return {key: value for key, value in keys.items() if value}


def _folder(written: Mount, source: str, target: str) -> dict[str, Any] | str:
    """Return a folder of the host: in the short form where it is to be created or has labels of SELinux, which
    docker-compose 1.29 does only there.
    """
    options = written.bind
    words = ["ro"] if written.read_only else []
    words += filter(None, (options.selinux, options.propagation, written.consistency))
    short = (options.selinux or options.create_host_path) and not options.recursive
    if short and not any(_SEPARATOR in WRITTEN.sub("", text) for text in (source, target)):
        return f"{source}:{target}{':' if words else ''}{','.join(words)}"
    keys: dict[str, Any] = {
        "type": "bind",
        "source": source,
        "target": target,
        "read_only": written.read_only,
        "consistency": written.consistency,
        "bind": _given(options),
    }
    return {key: value for key, value in keys.items() if value}


def _given(options: Bind | VolumeOptions | Tmpfs) -> dict[str, Any]:
    """Return the options that the catalog gives."""
    found = {key: getattr(options, key) for key in options.model_fields_set}
    return {
        key: interpolated(value) if isinstance(value, str) else value
        for key, value in sorted(found.items())
        if value is not None
    }


def bind(path: str, target: str, *, read_only: bool) -> dict[str, Any]:
    """Return a mount of a file or folder of the host, by its path in the catalog."""
    keys: dict[str, Any] = {"type": "bind", "source": literal(host_path(path)), "target": literal(target)}
    return {**keys, "read_only": True} if read_only else keys


def data_volume(store: Store, target: str) -> dict[str, Any] | str:
    """Return the mount of a store's data: a volume or a folder. A volume is always named: `down` and a new container
    would lose another one.
    """
    folder = store.data_folder
    if folder is not None:
        mounted = Mount(source=folder, target=target, bind=Bind(create_host_path=True))
        return _folder(mounted, placed(folder, host_path), target)
    return {"type": "volume", "source": store.data_volume, "target": target}


def volumes(catalog: Catalog) -> dict[str, Any]:
    """Return the top-level `volumes`: those that a container mounts."""
    return {name: _volume(catalog, name) for name in volume_places(catalog)}


def volume_places(catalog: Catalog) -> dict[str, CatalogPath]:
    """Return each volume that a container mounts, with its first place in the catalog."""
    places: dict[str, CatalogPath] = {}
    sections: dict[str, Mapping[str, Container]] = {
        "services": deployed_services(catalog),
        "stores": deployed_stores(catalog),
    }
    for section, containers in sections.items():
        for name, container in containers.items():
            for index, written in enumerate(container.volumes):
                if written.volume:
                    places.setdefault(written.volume, (section, name, "volumes", index))
            if isinstance(container, Store) and container.data_volume:
                places.setdefault(container.data_volume, ("stores", name, "volume"))
    return places


def _volume(catalog: Catalog, name: str) -> dict[str, Any]:
    described = catalog.volumes.get(name) or Volume()
    keys: dict[str, Any] = {
        "name": volume_name(catalog, name),
        "external": described.external,
        "driver": interpolated(described.driver) if described.driver else None,
        "driver_opts": named(described.driver_opts),
        "labels": named(described.labels),
    }
    return {key: value for key, value in keys.items() if value}
