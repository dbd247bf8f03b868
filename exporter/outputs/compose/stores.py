"""The catalog's stores as services of Compose: official images, under the user that owns their data.

The images' entry points begin as root to change to that user. Started as that user, they need no capability at all.
With `hardening: image` they begin as root, as their images say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.stores import ENGINES
from exporter.outputs.base import File
from exporter.outputs.compose.container import hardened, health, mount_keys, shared_keys, start_keys
from exporter.outputs.compose.images import is_pinned
from exporter.outputs.compose.mounts import data_volume
from exporter.outputs.compose.names import STORES
from exporter.outputs.compose.ports import service_ports
from exporter.outputs.compose.secrets import Granted, env_file_keys, granted, secret_keys, secret_name
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
    """The image's whole reference, never without a version: a new one may not read the old one's data."""
    image = store.image or ENGINES[store.engine].image
    return image if is_pinned(image) else f"{image}:{store.version or ENGINES[store.engine].version}"


def store_keys(catalog: Catalog, name: str, store: Store) -> tuple[dict[str, Any], Granted]:
    """A service of Compose, and what it was granted.

    Raises:
        OutputError: the catalog's store cannot be one; the sentence says why.
    """
    settings = _settings(name, store)
    own = granted(store, ("stores", name))
    password = [secret] if (secret := _password(name, store)) else []
    access = Granted(
        settings.environment | own.environment,
        tuple(dict.fromkeys([*password, *own.secrets])),
        own.variables,
    )
    mounts = [data_volume(store.volume, settings.data)]
    if settings.databases:
        source = generated(databases_path(name))
        mounts.append({"type": "bind", "source": source, "target": DATABASES_FILE, "read_only": True})
    ports = service_ports(catalog, name, store)
    times = store.healthcheck or catalog.defaults.healthcheck
    keys: dict[str, Any] = {"image": interpolated(store_image(store))}
    if settings.command:
        keys["command"] = list(settings.command)
    keys |= start_keys(store.command, store.entrypoint)
    strict = store.hardened_as == "strict"
    keys |= hardened(
        settings.user if strict else None,
        store.hardened_as,
        read_only=True if strict else None,
        capabilities=store.capabilities,
    )
    keys |= shared_keys(catalog, store)
    if settings.shm_size:
        keys["shm_size"] = size_text(settings.shm_size)
    if access.environment:
        keys["environment"] = access.environment
    keys |= env_file_keys(catalog, name, access)
    keys |= secret_keys(access.secrets, None)
    keys["networks"] = [STORES]
    if ports:
        keys["ports"] = ports
    keys |= mount_keys(mounts, settings.writable if strict else ())
    keys["healthcheck"] = health(settings.check, times)
    return keys, access


def databases_path(name: str) -> str:
    """Of the script that makes a store's databases beside its first one, from the Compose file's folder."""
    return f"stores/{name}/10-databases.sql"


def database_scripts(catalog: Catalog, stores: dict[str, Store]) -> Iterator[File]:
    """Scripts that PostgreSQL's image runs once, when it makes the volume's data."""
    for name, store in stores.items():
        databases = _settings(name, store).databases
        if databases:
            lines = [
                f"-- {NOTICE}",
                f"-- Databases of {name} in {catalog.environment_name}, made with its data.",
            ]
            lines += [f"CREATE DATABASE {_identifier(database)};" for database in databases]
            yield File(databases_path(name), "\n".join(lines) + "\n")


def _settings(name: str, store: Store) -> Server:
    return server(store, ("stores", name), store_image(store), _password(name, store))


def _password(name: str, store: Store) -> str | None:
    return secret_name(store.password, ("stores", name, "password")) if store.password else None


def _identifier(name: str) -> str:
    """Quoted: any text is a name then."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
