"""What only the whole catalog can tell: names that must exist, cycles, names and ports that are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.alerts import threshold_problem
from exporter.catalog.base import Model
from exporter.catalog.plan import HEALTH_PROBE
from exporter.catalog.problems import quoted, suggestion
from exporter.catalog.references import NamedSecret, TextTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.catalog.alerts import Alert
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.plan import Finding
    from exporter.catalog.problems import CatalogPath
    from exporter.catalog.yaml_tree import Node


def check(catalog: Catalog, tree: Node) -> Iterator[Finding]:
    """Every mistake between parts of a catalog.

    `tree` is the text it was made of: a name whose entry has a mistake of its own still exists.
    """
    names = _Names(tree)
    yield from _references(catalog, names)
    yield from _secret_references(catalog, names)
    yield from _cycles(catalog)
    yield from _probe_names(catalog)
    yield from _shared_names(catalog)
    yield from _thresholds(catalog)


class _Names:
    """The keys of each section, as written."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree

    def first(self, *paths: CatalogPath) -> CatalogPath:
        """The first of these paths that is written as it stands, else the last."""
        return next((path for path in paths if self._tree.at(path)[1] == len(path)), paths[-1])

    def of_stores(self, key: str) -> list[str]:
        """What stores have under one key."""
        nodes = [self._tree.at(("stores", name, key)) for name in self.of("stores")]
        return [str(node.value) for node, depth in nodes if depth == len(("stores", "name", "key"))]

    def of(self, section: str) -> list[str]:
        value = self._tree.at((section,))[0].value if self._tree.at((section,))[1] else None
        return list(value) if isinstance(value, dict) else []


def _references(catalog: Catalog, names: _Names) -> Iterator[Finding]:
    services, stores, owners = names.of("services"), names.of("stores"), names.of("owners")
    watched = [*services, *stores]
    secrets = names.of("secrets")
    volumes = [*names.of("volumes"), *names.of_stores("volume")]
    yield from _owner(("defaults", "owner"), catalog.defaults.owner, owners)
    yield from _owner(("alertmanager", "watchdog"), catalog.alertmanager.watchdog, owners)
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            yield from _owner((section, name, "owner"), container.owner, owners)
            for index, secret in enumerate(container.secrets):
                yield from _reference((section, name, "secrets", index), "secret", secret, secrets)
    for name, service in catalog.services.items():
        for index, needed in enumerate(service.depends_on):
            # A list is written with indexes, a mapping with keys: the one that is not there is not found.
            path = names.first(
                ("services", name, "depends_on", needed), ("services", name, "depends_on", index)
            )
            yield from _reference(path, "service or store", needed, watched)
        for index, mount in enumerate(service.volumes):
            if mount.volume is not None:
                yield from _reference(("services", name, "volumes", index), "volume", mount.volume, volumes)
    for name, store in catalog.stores.items():
        if store.service is not None:
            yield from _reference(("stores", name, "service"), "service", store.service, services)
    for url_path, route in catalog.gateway.routes.items() if catalog.gateway else ():
        yield from _reference(("gateway", "routes", url_path, "service"), "service", route.service, services)
    for index, window in enumerate(catalog.maintenance):
        for position, name in enumerate(window.services):
            yield from _reference(
                ("maintenance", index, "services", position), "service or store", name, watched
            )
    for branch, environment in catalog.pipeline.branches.items() if catalog.pipeline else ():
        yield from _reference(
            ("pipeline", "branches", branch), "environment", environment, names.of("environments")
        )


def _owner(path: CatalogPath, name: str | None, owners: list[str]) -> Iterator[Finding]:
    if name is not None:
        yield from _reference(path, "owner", name, owners)


def _reference(path: CatalogPath, what: str, name: str, known: Iterable[str]) -> Iterator[Finding]:
    names = list(known)
    if name not in names:
        yield path, f"unknown {what} {quoted(name)}; {suggestion(name, names)}"


def _secret_references(catalog: Catalog, names: _Names) -> Iterator[Finding]:
    known = names.of("secrets")
    for path, template in _templates(catalog, ()):
        for part in template.parts:
            if isinstance(part, NamedSecret):
                yield from _reference(path, "secret", part.name, known)


def _templates(value: object, path: CatalogPath) -> Iterator[tuple[CatalogPath, TextTemplate]]:
    """Every text that may hold references, with its path. Only what was written is looked at."""
    if isinstance(value, TextTemplate):
        yield path, value
    elif isinstance(value, Model):
        for name in value.model_fields_set:
            alias = type(value).model_fields[name].alias or name
            yield from _templates(getattr(value, name), (*path, alias))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _templates(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            if isinstance(item, Model | TextTemplate):
                yield from _templates(item, (*path, index))


def _cycles(catalog: Catalog) -> Iterator[Finding]:
    """Each cycle of depends_on once, named from its first service in the order of the file."""
    needs = {name: tuple(service.depends_on) for name, service in catalog.services.items()}
    done: set[str] = set()
    for start in needs:
        trail: list[str] = []
        on_trail: set[str] = set()
        waiting = [iter((start,))]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                if trail:
                    done.add(trail[-1])
                    on_trail.discard(trail.pop())
            elif name in on_trail:
                cycle = [*trail[trail.index(name) :], name]
                yield ("services", cycle[0], "depends_on"), f"depends on itself: {' -> '.join(cycle)}"
            elif name not in done and name in needs:
                trail.append(name)
                on_trail.add(name)
                waiting.append(iter(needs[name]))


def _probe_names(catalog: Catalog) -> Iterator[Finding]:
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            taken = {HEALTH_PROBE} if getattr(container, "health", None) else set()
            for index, probe in enumerate(container.probes):
                if probe.name in taken:
                    reason = (
                        "health makes one of that name"
                        if probe.name == HEALTH_PROBE and index == 0
                        else "one probe of this service has it already"
                    )
                    yield (
                        (section, name, "probes", index, "name"),
                        f"the name {quoted(probe.name)} is taken; {reason}",
                    )
                taken.add(probe.name)


def _shared_names(catalog: Catalog) -> Iterator[Finding]:
    """A service and a store share one network, so they share one set of names."""
    for name in catalog.stores:
        if name in catalog.services:
            yield ("stores", name), f"the name {quoted(name)} is taken; a service has it already"


def check_ports(catalog: Catalog) -> Iterator[Finding]:
    """Ports of the host that two of them would open, where an environment publishes ports."""
    if not catalog.environment.publishes_all:
        return
    taken: dict[int, str] = {}
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            port = container.published_port
            if port is None:
                continue
            if port in taken:
                key = "host_port" if container.host_port else "port"
                yield (
                    (section, name, key),
                    f"port {port} of the host is taken; {quoted(taken[port])} has it; set host_port on one of them",
                )
            taken.setdefault(port, name)


def _thresholds(catalog: Catalog) -> Iterator[Finding]:
    yield from _thresholds_of(catalog.defaults.alerts, ("defaults", "alerts"))
    for name, service in catalog.services.items():
        yield from _thresholds_of(service.alerts, ("services", name, "alerts"))
    for name, store in catalog.stores.items():
        yield from _thresholds_of(store.alerts, ("stores", name, "alerts"))


def _thresholds_of(alerts: Mapping[str, Alert], path: CatalogPath) -> Iterator[Finding]:
    for name, alert in alerts.items():
        sentence = threshold_problem(name, alert.threshold) if alert.threshold else None
        if sentence:
            yield (*path, name, "threshold"), sentence
