"""Specs of stores, made from the catalog: for a server and its replicas, or for a file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from exporter.catalog.keys.stores import ENGINES
from exporter.catalog.planning.secret_paths import absolute
from exporter.catalog.planning.specs import MongodbSpec, MysqlSpec, PostgresqlSpec, RedisSpec, SqliteSpec
from exporter.catalog.values.addresses import join_address
from exporter.catalog.values.texts import without_variables

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.volumes import Mount
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.planning.asked import AskedStore
    from exporter.catalog.planning.parts import Parts
    from exporter.catalog.planning.specs import ProbeSpec, TlsSpec
    from exporter.catalog.values.secret_text import SecretText

_MAINTENANCE_DATABASE = "postgres"
"""The database that every PostgreSQL server has; used if the catalog names no database."""


def store_specs(parts: Parts, asked: AskedStore) -> list[tuple[str, str, ProbeSpec]]:
    """Return the name, the label `target` and the spec of each probe of a store.

    Raises:
        ValueError: it has no address, or no volume of its service holds its file.
    """
    store = asked.container
    if store.engine == "sqlite":
        spec = _file(parts.catalog, store)
        return [(store.engine, spec.path, spec)]
    password = parts.optional_secret((*asked.path, "password"), store.password)
    tls = parts.tls(store.tls) if store.tls else None
    host, port = parts.address(asked.service, store, None)
    port = port or store.listen_port or 0
    places: list[tuple[str, str, int]] = [(store.engine, host, port)]
    places += [(f"replica-{other.host}", other.host, other.port or port) for other in store.replicas]
    hosts = [other.host for other in store.replicas]
    return [
        (
            f"{probe}-{on}" if hosts.count(at) > 1 and probe != store.engine else probe,
            join_address(at, on),
            _server(store, at, on, password, tls),
        )
        for probe, at, on in places
    ]


def _server(
    store: Store, host: str, port: int, password: SecretText | None, tls: TlsSpec | None
) -> ProbeSpec:
    user = store.username or ENGINES[store.engine].user
    database = store.databases[0] if store.databases else None
    match store.protocol:
        case "postgresql":
            return PostgresqlSpec(
                host, port, user or _MAINTENANCE_DATABASE, database or _MAINTENANCE_DATABASE, password, tls
            )
        case "mysql":
            return MysqlSpec(host, port, user or "", database, password, tls)
        case "redis":
            return RedisSpec(host, port, user, password, tls)
    return MongodbSpec(host, port, user, password, tls=tls)


def _file(catalog: Catalog, store: Store) -> SqliteSpec:
    """Return the spec of a file, at its place in the volume as the daemon sees it."""
    service = catalog.services.get(store.service or "")
    path = PurePosixPath(store.path or "/")
    mounts = service.volumes if service else ()
    holding = [mount for mount in mounts if path.is_relative_to(mount.target)]
    if service is not None and not holding:
        raise ValueError(
            f"no volume of {store.service} holds {path}: mount one there, so that the file outlives the container "
            "and the daemon can read it"
        )
    if not holding:  # the service does not exist, which is reported separately
        return SqliteSpec(str(path), store.check_interval)
    mount = max(holding, key=lambda mount: len(PurePosixPath(mount.target).parts))
    seen = PurePosixPath(_seen_at(catalog, mount)) / path.relative_to(mount.target)
    return SqliteSpec(str(seen), store.check_interval)


def volume_path(catalog: Catalog, volume: str) -> str:
    """Return the folder where the daemon finds a volume."""
    text = catalog.exporter.volumes.format(
        volume=volume, project=catalog.project, environment=catalog.environment_name
    )
    return absolute(catalog, text)


def _seen_at(catalog: Catalog, mount: Mount) -> str:
    if mount.volume is not None:
        return volume_path(catalog, mount.volume)
    folder = without_variables(mount.folder) if mount.folder else None
    if folder is None:
        raise ValueError(f"only a variable says what is mounted at {mount.target}; give it a default")
    return absolute(catalog, folder)
