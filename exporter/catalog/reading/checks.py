"""Checks of the whole catalog: names that must exist, cycles, names that are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.container.alerts import threshold_problem
from exporter.catalog.keys.networks import DEFAULT, GENERATED
from exporter.catalog.keys.probes.health import HEALTH_PROBE
from exporter.catalog.reading.compose_secrets import secrets_in_compose
from exporter.catalog.reading.container_checks import check_containers
from exporter.catalog.reading.problems import MAX_SHOWN
from exporter.catalog.reading.stores import check_passwords, check_volumes
from exporter.catalog.reading.text_walk import texts_of
from exporter.catalog.values.names import alike
from exporter.catalog.values.references import NamedSecret, TextTemplate
from exporter.catalog.values.words import quoted, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.alerts import Alert
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.reading.problems import CatalogPath, Finding
    from exporter.catalog.reading.yaml_nodes import Node

CONFIGURATION = "configuration"
"""Name of the backup of the configuration, among those of stores and volumes."""
_MAX_SHOWN = 12
"""Most names of a cycle that are printed."""


def check(catalog: Catalog, tree: Node) -> Iterator[Finding]:
    """Yield every mistake between parts of a catalog.

    `tree` is the text that it was made from: a name whose entry has its own mistake still exists.
    """
    yield from _references(catalog, tree)
    yield from _cycles(catalog)
    yield from _probe_names(catalog)
    yield from _shared_names(catalog)
    yield from _backup_names(catalog)
    yield from _thresholds(catalog)
    yield from secrets_in_compose(catalog)
    yield from check_containers(catalog)
    yield from check_passwords(catalog)
    yield from check_volumes(catalog)


class _Names:
    """Existing names of one kind."""

    def __init__(self, what: str, *sections: Iterable[str]) -> None:
        self._what = what
        self._names = dict.fromkeys(name for section in sections for name in section)
        self._sentences: dict[str, str] = {}

    def missing(self, path: CatalogPath, name: str | None) -> Iterator[Finding]:
        """Yield a finding, unless the name exists or is None."""
        if name is None or name in self._names:
            return
        if name not in self._sentences:
            # Comparing with every name is slow, and no more than these are shown.
            hint = f"; {suggestion(name, self._names)}" if len(self._sentences) < MAX_SHOWN else ""
            self._sentences[name] = f"unknown {self._what} {quoted(name)}{hint}"
        yield path, self._sentences[name]


def _section(tree: Node, key: str) -> list[str]:
    node, depth = tree.at((key,))
    return list(node.value) if depth and isinstance(node.value, dict) else []


def _volumes_of_stores(tree: Node) -> Iterator[str]:
    for name in _section(tree, "stores"):
        path: CatalogPath = ("stores", name, "volume")
        node, depth = tree.at(path)
        if depth == len(path):
            yield str(node.value)


def _references(catalog: Catalog, tree: Node) -> Iterator[Finding]:
    owners = _Names("owner", _section(tree, "owners"))
    secrets = _Names("secret", _section(tree, "secrets"))
    services = _Names("service", _section(tree, "services"))
    watched = _Names("service or store", _section(tree, "services"), _section(tree, "stores"))
    volumes = _Names("volume", _section(tree, "volumes"), _volumes_of_stores(tree))
    environments = _Names("environment", _section(tree, "environments"))
    networks = _Names("network", _section(tree, "networks"), (DEFAULT, *GENERATED))
    configs = _Names("config", _section(tree, "configs"))
    yield from owners.missing(("defaults", "owner"), catalog.defaults.owner)
    yield from owners.missing(("alertmanager", "watchdog"), catalog.alertmanager.watchdog)
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            yield from owners.missing((section, name, "owner"), container.owner)
            for index, secret in enumerate(container.secrets):
                yield from secrets.missing((section, name, "secrets", index), secret)
            for index, needed in enumerate(container.depends_on):
                yield from watched.missing(_dependency(tree, (section, name), needed, index), needed)
            for index, mount in enumerate(container.volumes):
                yield from volumes.missing((section, name, "volumes", index), mount.volume)
            for network in container.networks:
                yield from networks.missing((section, name, "networks", network), network)
            for index, config in enumerate(container.configs):
                yield from configs.missing((section, name, "configs", index), config.source)
            yield from watched.missing((section, name, "network_mode"), container.network_of)
    for name, store in catalog.stores.items():
        yield from services.missing(("stores", name, "service"), store.service)
    for url_path, route in catalog.gateway.routes.items() if catalog.gateway else ():
        yield from services.missing(("gateway", "routes", url_path, "service"), route.service)
    for index, window in enumerate(catalog.maintenance):
        for position, name in enumerate(window.services):
            yield from watched.missing(("maintenance", index, "services", position), name)
    for branch, environment in catalog.pipeline.branches.items() if catalog.pipeline else ():
        yield from environments.missing(("pipeline", "branches", branch), environment)
    for path, template in texts_of(catalog):
        for part in template.parts if isinstance(template, TextTemplate) else ():
            if isinstance(part, NamedSecret):
                yield from secrets.missing(path, part.name)


def _dependency(tree: Node, container: CatalogPath, needed: str, index: int) -> CatalogPath:
    """Return where a dependency is written: under its name in a mapping, at its index in a list."""
    path: CatalogPath = (*container, "depends_on", needed)
    return path if tree.at(path)[1] == len(path) else (*path[:-1], index)


def _cycles(catalog: Catalog) -> Iterator[Finding]:
    """Yield each cycle of depends_on once, named from its first service in the order of the file."""
    sections: dict[str, Mapping[str, Container]] = {"services": catalog.services, "stores": catalog.stores}
    place = {name: section for section, containers in sections.items() for name in containers}
    needs = {
        name: tuple(dict.fromkeys((*container.depends_on, *filter(None, (container.network_of,)))))
        for containers in sections.values()
        for name, container in containers.items()
    }
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
                yield (place[cycle[0]], cycle[0], "depends_on"), f"depends on itself: {_arrows(cycle)}"
            elif name not in done and name in needs:
                trail.append(name)
                on_trail.add(name)
                waiting.append(iter(needs[name]))


def _arrows(names: list[str]) -> str:
    shown = names if len(names) <= _MAX_SHOWN else [*names[: _MAX_SHOWN - 2], "…", names[-1]]
    return " -> ".join(shown)


def _probe_names(catalog: Catalog) -> Iterator[Finding]:
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            taken = {HEALTH_PROBE} if getattr(container, "health", None) else set()
            for index, probe in enumerate(container.probes):
                if probe.name in taken:
                    reason = (
                        "the key health creates a probe of that name"
                        if probe.name == HEALTH_PROBE and index == 0
                        else "another probe of this service already has it"
                    )
                    yield (
                        (section, name, "probes", index, "name"),
                        f"the name {quoted(probe.name)} is taken; {reason}",
                    )
                taken.add(probe.name)


def _shared_names(catalog: Catalog) -> Iterator[Finding]:
    """Yield names that are taken: of services and stores, which are on one network, and of networks."""
    taken: dict[str, tuple[str, str]] = {}
    for section, names in (("services", catalog.services), ("stores", catalog.stores)):
        for name in names:
            other, what = taken.setdefault(alike(name), (name, section.removesuffix("s")))
            if other == name and what != section.removesuffix("s"):
                yield (section, name), f"the name {quoted(name)} is taken; a {what} already has it"
            elif other != name:
                yield (
                    (section, name),
                    f"the name {quoted(name)} is too similar to the {what} {quoted(other)}: write it differently",
                )
    for name in GENERATED:
        if name in catalog.networks:
            yield (
                ("networks", name),
                f"the name {quoted(name)} is taken by a generated network; use another one",
            )


def _backup_names(catalog: Catalog) -> Iterator[Finding]:
    """Yield names of backups that are taken: a backup has one file per name, and one for the configuration."""
    saved = {name: "store" for name, store in catalog.stores.items() if store.backup}
    for name, volume in catalog.volumes.items():
        if volume.backup and name in saved:
            yield ("volumes", name, "backup"), f"the backup of the store {quoted(name)} already has this name"
    for section, names in (("stores", catalog.stores), ("volumes", catalog.volumes)):
        if CONFIGURATION in names and names[CONFIGURATION].backup:
            yield (
                (section, CONFIGURATION, "backup"),
                f"the backup of the configuration already has the name {CONFIGURATION}",
            )


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
