"""Checks of what somebody else runs: there must be something to watch, and each container belongs to one service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.references import NamedSecret
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import Finding


def check_watched(catalog: Catalog) -> Iterator[Finding]:
    """Yield services without anything to watch, and containers that two services claim."""
    for name, service in catalog.services.items():
        by_containers = service.containers or service.managed is False or not catalog.managed
        if not (service.probed or service.deployable or by_containers):
            yield ("services", name), _NOTHING
    yield from _claimed_twice(catalog)
    yield from _made_up(catalog)


def check_observed(catalog: Catalog, own: str) -> Iterator[Finding]:
    """Yield places that say that the Compose project `own` is somebody else's, although it is this environment's."""
    for index, project in enumerate(catalog.observe.projects):
        if project == own:
            yield ("observe", "projects", index), _OWN.format(project=quoted(project))
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            if container.containers and container.containers.project == own:
                yield (section, name, "containers", "project"), _OWN.format(project=quoted(own))


_NOTHING = (
    "nothing to watch or to deploy; give it an image, a build, a port, health or probes, or managed: off if somebody "
    "else runs its containers"
)
_OWN = (
    "{project} is the Compose project of this environment's own containers, such as those of the monitoring stack; "
    "give the catalog another project, or the environment another name"
)


def watched_warnings(catalog: Catalog) -> Iterator[Finding]:
    """Yield backups of stores that say themselves that somebody else runs them, and probes that never run."""
    yield from _never_probed(catalog)
    for name, store in catalog.stores.items():
        if store.backup and (store.managed is False or store.runs_elsewhere(name)) and not store.deployed:
            yield (
                ("stores", name, "backup"),
                "has no effect: the store is only watched, and those who run it back it up; remove it",
            )


def _never_probed(catalog: Catalog) -> Iterator[Finding]:
    """Yield services of profiles whose containers are not watched: they are probed only while they run."""
    if catalog.exporter.containers.source != "off":
        return
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            if container.profiles and (container.deployed or container.containers):
                yield (
                    (section, name, "profiles"),
                    "is never probed: it is probed only while it runs, and exporter.containers.source is off",
                )


def _made_up(catalog: Catalog) -> Iterator[Finding]:
    """Yield secrets that would be generated, although somebody else's store already has a password."""
    for name, store in catalog.stores.items():
        for part in store.password.parts if store.password and not store.deployed else ():
            secret = catalog.secrets.get(part.name) if isinstance(part, NamedSecret) else None
            if secret and secret.generate and isinstance(part, NamedSecret):
                yield (
                    ("secrets", part.name, "generate"),
                    f"is the password of {quoted(name)}, which is only watched and has one; write file or env",
                )


def _claimed_twice(catalog: Catalog) -> Iterator[Finding]:
    taken: dict[tuple[str | None, ...], str] = {}
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            written = container.containers
            if written is None:
                continue
            key = (written.name,) if written.name else (written.project, written.service or name)
            first = taken.setdefault(key, name)
            if first != name:
                yield (section, name, "containers"), f"{quoted(first)} already has these containers"
