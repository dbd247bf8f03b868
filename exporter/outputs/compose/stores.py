"""The catalog's stores as services of Compose: official images, run as the user that owns their data.

The images' entry points start as root to change to that user. Started as that user, they need no capabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.stores import ENGINES
from exporter.outputs.base import File
from exporter.outputs.compose.container import hardened, health, mount_keys, shared_keys
from exporter.outputs.compose.images import is_pinned
from exporter.outputs.compose.mounts import data_volume
from exporter.outputs.compose.names import STORES
from exporter.outputs.compose.ports import service_ports
from exporter.outputs.compose.secrets import Granted, granted, secret_keys, secret_name
from exporter.outputs.compose.store_engines import DATABASES_FILE, server
from exporter.outputs.compose.text import generated, interpolated
from exporter.outputs.durations import size_text
from exporter.outputs.yaml_text import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.stores import Store
    from exporter.outputs.compose.store_engines import Server


def store_image(store: Store) -> str:
    """Return the image's whole reference, always with a version: a newer image may not read the old data."""
    image = store.image or ENGINES[store.engine].image
    return image if is_pinned(image) else f"{image}:{store.version or ENGINES[store.engine].version}"


def store_keys(catalog: Catalog, name: str, store: Store) -> tuple[dict[str, Any], Granted]:
    """Return the service of Compose, and its variables and secrets.

    Raises:
        OutputError: Compose cannot express the catalog's store.
    """
    settings = _settings(name, store)
    own = granted(store, ("stores", name))
    password = [secret] if (secret := _password(name, store)) else []
    access = Granted(settings.environment | own.environment, tuple(dict.fromkeys([*password, *own.secrets])))
    command = [interpolated(part) for part in store.command] or list(settings.command)
    mounts = [data_volume(store.volume, settings.data)]
    if settings.statements:
        source = generated(databases_path(name))
        mounts.append({"type": "bind", "source": source, "target": DATABASES_FILE, "read_only": True})
    ports = service_ports(catalog, name, store)
    times = store.healthcheck or catalog.defaults.healthcheck
    keys: dict[str, Any] = {"image": interpolated(store_image(store))}
    if command:
        keys["command"] = command
    keys |= {**hardened(settings.user), **shared_keys(catalog, store)}
    if settings.shm_size:
        keys["shm_size"] = size_text(settings.shm_size)
    if access.environment:
        keys["environment"] = access.environment
    keys |= secret_keys(access.secrets, None)
    keys["networks"] = [STORES]
    if ports:
        keys["ports"] = ports
    keys |= mount_keys(mounts, settings.writable)
    keys["healthcheck"] = health(settings.check, times)
    return keys, access


def databases_path(name: str) -> str:
    """Return the path of the script that creates a store's further databases, relative to the Compose file."""
    return f"stores/{name}/10-databases.sql"


def database_scripts(catalog: Catalog, stores: dict[str, Store]) -> Iterator[File]:
    """Yield scripts that a database's image runs once, when it initialises the volume."""
    for name, store in stores.items():
        statements = _settings(name, store).statements
        if statements:
            lines = [
                f"-- {NOTICE}",
                f"-- Databases of {name} in {catalog.environment_name}, created when its volume is initialised.",
                *statements,
            ]
            yield File(databases_path(name), "\n".join(lines) + "\n")


def _settings(name: str, store: Store) -> Server:
    return server(store, ("stores", name), store_image(store), _password(name, store))


def _password(name: str, store: Store) -> str | None:
    return secret_name(store.password, ("stores", name, "password")) if store.password else None
