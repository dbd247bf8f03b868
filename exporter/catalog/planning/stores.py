"""What the daemon asks a store, from what the catalog says of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from exporter.catalog.keys.stores import ENGINES
from exporter.catalog.planning.secret_paths import absolute
from exporter.catalog.planning.specs import MongodbSpec, PostgresqlSpec, RedisSpec, SqliteSpec

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Mount
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.planning.specs import ProbeSpec, TlsSpec
    from exporter.catalog.values.secret_text import SecretText

_MAINTENANCE_DATABASE = "postgres"
"""The database that every PostgreSQL server has; asked where the catalog names none."""


def server_spec(
    store: Store, host: str, port: int, password: SecretText | None, tls: TlsSpec | None
) -> ProbeSpec:
    """The questions to a server that is a store of its own."""
    user = store.username or ENGINES[store.engine].user
    if store.engine == "postgresql":
        database = store.databases[0] if store.databases else _MAINTENANCE_DATABASE
        return PostgresqlSpec(host, port, user or _MAINTENANCE_DATABASE, database, password, tls)
    if store.engine == "redis":
        return RedisSpec(host, port, user, password, tls)
    return MongodbSpec(host, port, user, password, tls=tls)


def file_spec(catalog: Catalog, store: Store) -> SqliteSpec:
    """The questions to a file, where the daemon sees the volume that holds it.

    Raises:
        ValueError: no mount of the service holds the file; one sentence.
    """
    service = catalog.services.get(store.service or "")
    path = PurePosixPath(store.path or "/")
    mounts = service.volumes if service else ()
    holding = [mount for mount in mounts if path.is_relative_to(mount.target)]
    if service is not None and not holding:
        raise ValueError(
            f"no volume of {store.service} holds {path}: mount one there, so that the file outlives the container "
            "and the daemon can read it"
        )
    if not holding:  # the service does not exist, which is a finding of its own
        return SqliteSpec(str(path), store.check_interval)
    mount = max(holding, key=lambda mount: len(PurePosixPath(mount.target).parts))
    seen = PurePosixPath(_seen_at(catalog, mount)) / path.relative_to(mount.target)
    return SqliteSpec(str(seen), store.check_interval)


def volume_path(catalog: Catalog, volume: str) -> str:
    """Where the daemon sees a volume."""
    text = catalog.exporter.volumes.format(
        volume=volume, project=catalog.project, environment=catalog.environment_name
    )
    return absolute(catalog, text)


def _seen_at(catalog: Catalog, mount: Mount) -> str:
    if mount.volume is not None:
        return volume_path(catalog, mount.volume)
    return absolute(catalog, mount.source)
