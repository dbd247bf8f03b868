"""The catalog's stores as services of Compose: official images, run as the user that owns their data.

The images' entry points start as root to change to that user. Started as that user, they need no capabilities.
With `hardening: image` they start as in the image, usually as root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.stores import ENGINES
from exporter.outputs.base import File
from exporter.outputs.compose.conditions import depends_keys
from exporter.outputs.compose.configs import config_keys, config_mounts
from exporter.outputs.compose.container import hardened, health_keys, mount_keys, shared_keys, start_keys
from exporter.outputs.compose.images import is_pinned
from exporter.outputs.compose.mounts import data_volume, mount
from exporter.outputs.compose.networks import store_networks
from exporter.outputs.compose.options import with_options
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
    # The images refuse a variable and its file together.
    given = {f"{variable}_FILE" for variable in (*own.environment, *own.variables)}
    made = {key: value for key, value in settings.environment.items() if key not in given}
    access = Granted(
        {**made, **own.environment},
        tuple(dict.fromkeys([*password, *own.secrets])),
        own.variables,
    )
    mounts: list[dict[str, Any] | str] = [data_volume(store, settings.data)]
    if settings.statements:
        source = generated(databases_path(name))
        mounts.append({"type": "bind", "source": source, "target": DATABASES_FILE, "read_only": True})
    mounts += [*(mount(written) for written in store.volumes), *config_mounts(catalog, store)]
    ports = service_ports(catalog, name, store)
    keys: dict[str, Any] = {"image": interpolated(store_image(store))}
    if settings.command:
        keys["command"] = list(settings.command)
    keys |= start_keys(store.command, store.entrypoint)
    strict = store.hardened_as == "strict"
    keys |= hardened(
        store.user or (settings.user if strict else None),
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
    keys["networks"] = store_networks(store)
    if ports:
        keys["ports"] = ports
    keys |= mount_keys(
        mounts,
        settings.writable if strict else (),
        [written.target for written in store.volumes],
        store.tmpfs,
    )
    keys |= config_keys(catalog, store)
    keys |= depends_keys(catalog, store)
    keys |= health_keys(catalog, store, settings.check)
    return with_options(store, keys), access


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
