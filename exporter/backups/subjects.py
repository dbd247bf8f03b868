"""Subjects of backups: every store and volume of the catalog with a `backup`, and the configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.keys.backup import Schedule
from exporter.catalog.keys.stores import ENGINES
from exporter.catalog.planning.secret_paths import absolute
from exporter.catalog.planning.watched import own_volumes
from exporter.catalog.reading.checks import CONFIGURATION
from exporter.catalog.values.references import NamedSecret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.stores import Store
    from exporter.storage.backup_marker import Kind

FOLDER_VARIABLE = "BACKUP_FOLDER"
"""Overrides the catalog's `backup.directory`, as in the generated scripts."""


class BackupsError(Exception):
    """The request cannot be carried out. One sentence: what is wrong, where, what to do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to save.

    `service`: the Compose service with the data; empty for volumes and the configuration. `secret`: the name of the
    password's secret, which the container has in /run/secrets; empty without one. `volume`: the name of a volume.
    `path`: SQLite's file in the container. `writers`: services that can write to it. `databases`: those that a backup
    must contain. `schedule`: when it is saved, in cron syntax.
    """

    name: str
    kind: Kind
    keep: int
    engine: str = ""
    port: int = 0
    tls: bool = False
    service: str = ""
    user: str = ""
    secret: str = ""
    volume: str = ""
    path: str = ""
    writers: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    schedule: str = Schedule().schedule


def subjects(catalog: Catalog) -> dict[str, Subject]:
    """Return all subjects of the catalog by name, in its order."""
    return {subject.name: subject for subject in _all(catalog)}


def chosen(catalog: Catalog, names: Iterable[str]) -> dict[str, Subject]:
    """Return the named subjects, or all. Raises BackupsError for a name without a backup, or if nothing has one."""
    known = subjects(catalog)
    wanted = tuple(names)
    for name in wanted:
        if name in catalog.stores and not catalog.stores[name].deployed:
            raise BackupsError(f"{name} is only watched: those who run it back it up")
    if not known and not catalog.deploys:
        raise BackupsError(
            f"{catalog.project} in {catalog.environment_name} is only watched: those who run it back it up"
        )
    if not known:
        raise BackupsError("nothing in the catalog has a backup; set backup on a store or a volume")
    for name in wanted:
        if name not in known:
            raise BackupsError(f"{name} has no backup in the catalog; these have one: {', '.join(known)}")
    return {name: known[name] for name in known if not wanted or name in wanted}


def backups_folder(catalog: Catalog) -> Path:
    """Return the folder of this environment's backups and their markers."""
    parent = os.environ.get(FOLDER_VARIABLE) or catalog.backup.directory
    return Path(absolute(catalog, parent)) / catalog.environment_name


def _all(catalog: Catalog) -> Iterator[Subject]:
    for name, store in catalog.stores.items():
        if store.backup and store.deployed:
            yield replace(_store(catalog, name, store, store.backup.keep), schedule=store.backup.schedule)
    for name, volume in own_volumes(catalog).items():
        if volume.backup:
            mounting = [
                service
                for service, what in catalog.services.items()
                if any(mount.volume == name and not mount.read_only for mount in what.volumes)
            ]
            mounting += [store for store, what in catalog.stores.items() if what.data_volume == name]
            yield Subject(
                name,
                "volume",
                volume.backup.keep,
                volume=name,
                writers=tuple(mounting),
                schedule=volume.backup.schedule,
            )
    if catalog.backup.configuration:
        yield Subject(CONFIGURATION, "configuration", Schedule().keep)


def _store(catalog: Catalog, name: str, store: Store, keep: int) -> Subject:
    if store.engine == "sqlite":
        service = store.service or ""
        return Subject(
            name,
            "store",
            keep,
            store.engine,
            service=service,
            path=store.path or "",
            writers=(service,) if service else (),
        )
    writers = tuple(service for service, what in catalog.services.items() if name in what.depends_on)
    return Subject(
        name,
        "store",
        keep,
        store.protocol,
        store.listen_port or 0,
        store.tls is not None,
        service=name,
        user=store.username or ENGINES[store.engine].user or "",
        secret=_secret(store),
        writers=writers,
        databases=store.databases if store.protocol in ("postgresql", "mysql") else (),
    )


def _secret(store: Store) -> str:
    """Return the name of the password's secret. A password of several parts is not one mounted file, so: empty."""
    parts = store.password.parts if store.password else ()
    return parts[0].name if len(parts) == 1 and isinstance(parts[0], NamedSecret) else ""
