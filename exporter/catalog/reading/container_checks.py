"""Checks of what the engine refuses or would do otherwise: one name or address for several containers, conditions that
are never met, networks without each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.values.references import NamedSecret
from exporter.catalog.values.texts import without_variables
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.depends_on import Dependency
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.services import Service
    from exporter.catalog.reading.problems import CatalogPath, Finding

_IN_ENV_FILE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def check_containers(catalog: Catalog) -> Iterator[Finding]:
    """Yield what one service or store says that does not fit together with itself or with another one."""
    containers: dict[str, Container] = {**catalog.stores, **catalog.services}
    named: dict[str, str] = {}
    sections: dict[str, Mapping[str, Container]] = {"services": catalog.services, "stores": catalog.stores}
    for section, members in sections.items():
        for name, container in members.items():
            path: CatalogPath = (section, name)
            yield from _container_name(path, name, container, named)
            yield from _targets(path, container)
            yield from _variables(path, container)
            for other, how in container.depends_on.items():
                if other in containers:
                    yield from _dependency(path, container, other, containers[other], how)
            if container.network_of in containers:
                yield from _profiles(
                    (*path, "network_mode"), container, container.network_of, containers[container.network_of]
                )
    for name, service in catalog.services.items():
        yield from _one_only(("services", name), service)


def _container_name(
    path: CatalogPath, name: str, container: Container, named: dict[str, str]
) -> Iterator[Finding]:
    written = without_variables(container.container_name) if container.container_name else None
    if written:
        first = named.setdefault(written, name)
        if first != name:
            yield (
                (*path, "container_name"),
                f"{quoted(first)} already has the container name {quoted(written)}; use another one",
            )


def _one_only(path: CatalogPath, service: Service) -> Iterator[Finding]:
    """Yield keys with a value that only one container can have, if there are several replicas."""
    if service.replicas < 2:
        return
    words = f"{service.replicas} replicas cannot share"
    if service.container_name:
        yield (*path, "container_name"), f"{words} one container name; remove it, or set replicas: 1"
    for network, attachment in service.networks.items():
        if attachment.fixed:
            yield (
                (*path, "networks", network, attachment.fixed),
                f"{words} one {attachment.fixed}; remove it, or set replicas: 1",
            )
    for index, port in enumerate(service.ports):
        outside = port.outside
        free = outside is not None and outside[1] - outside[0] + 1 >= service.replicas
        if outside is not None and not (free and port.inside and port.inside[0] == port.inside[1]):
            yield (
                (*path, "ports", index),
                f"{words} port {port.published} of the host; leave the host's port out, or set replicas: 1",
            )


def _targets(path: CatalogPath, container: Container) -> Iterator[Finding]:
    taken: set[str] = set()
    for index, mount in enumerate(container.volumes):
        target = mount.target.rstrip("/")
        if target in taken:
            yield (
                (*path, "volumes", index),
                f"something else is already mounted at {mount.target}; remove one",
            )
        taken.add(target)


def _variables(path: CatalogPath, container: Container) -> Iterator[Finding]:
    """Yield variables that hold a secret's value and that Compose would not find in an env file."""
    for name, template in container.environment.items():
        held = template is not None and any(
            isinstance(part, NamedSecret) and part.variable for part in template.parts
        )
        if held and not _IN_ENV_FILE.fullmatch(name):
            why = "Compose reads it from an env file, where this is no name"
            yield (
                (*path, "environment", name),
                f"as: variable needs another name, since {why}; use letters, digits, _, . and -",
            )


def _dependency(
    path: CatalogPath, container: Container, other: str, needed: Container, how: Dependency
) -> Iterator[Finding]:
    place = (*path, "depends_on", other)
    check = needed.healthcheck
    if how.condition == "healthy" and how.needed and check is not None and check.disabled:
        yield (
            place,
            f"waits until {other} is healthy, but its healthcheck is disabled; write condition: started",
        )
    if how.needed:
        yield from _profiles(place, container, other, needed, ", or optional: true")


def _profiles(
    place: CatalogPath, container: Container, other: str, needed: Container, instead: str = ""
) -> Iterator[Finding]:
    """Yield a place that needs another container, which a profile starts that does not start this one."""
    if not container.starts_with(needed):
        profiles = " or ".join(needed.profiles)
        sentence = (
            f"needs {other}, which only starts with the profile {profiles}; write the same profiles here"
        )
        yield place, sentence + instead
