"""Checks and warnings of deployed stores: who may log in, and who can reach them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.keys.networks import DEFAULT
from exporter.catalog.values.constants import DEFAULT_ENVIRONMENT
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.reading.problems import Finding
    from exporter.catalog.values.references import TextTemplate

DEVELOPMENT = frozenset({"development", "dev", "local"})
"""Names of environments on a developer's machine; an environment with its address on localhost is one, too."""
_OPEN = "has no password; write password: {secret: NAME}, or auth: off if everything on its network may use it freely"
_HOST = r"//{name}(?![\w.-])|@{name}(?![\w.-])|(?<![\w./-]){name}:[0-9]{{2,5}}(?![\w.])"
"""A host in a URL, or with a port. Other words can mean a kind, as in `CACHE: redis`."""
_HOST_VARIABLE = re.compile("HOST|ADDR|SERVER|ENDPOINT", re.IGNORECASE)
"""Variables whose whole value is a host."""


def check_passwords(catalog: Catalog) -> Iterator[Finding]:
    """Yield stores that anybody on their network may read and write, in an environment that is not for development."""
    if not _is_named(catalog) or _is_development(catalog):
        return
    for name, store in _servers(catalog):
        if store.open:
            yield ("stores", name), _OPEN


def check_volumes(catalog: Catalog) -> Iterator[Finding]:
    """Yield stores without a volume whose default one a service mounts."""
    mounted = {mount.volume: name for name, service in catalog.services.items() for mount in service.volumes}
    for name, store in _servers(catalog):
        if store.volume is None and store.data_volume in mounted:
            user = quoted(mounted[store.data_volume])
            sentence = f"has no volume, and {user} mounts {store.data_volume}, its default; write volume"
            yield ("stores", name), sentence


def store_warnings(catalog: Catalog) -> Iterator[Finding]:
    """Yield stores that no service can reach, and variables that name a store that their service cannot reach."""
    names = dict(_servers(catalog))
    services = {name: service for name, service in catalog.services.items() if service.deployed}
    needed = {other for service in services.values() for other in service.depends_on}
    for name, store in names.items():
        if services and name not in needed and not store.networks and not catalog.environment.publishes_all:
            yield (
                ("stores", name),
                f"no service depends on it, so none can reach it; write depends_on: {name} on those that use it",
            )
    patterns = {name: re.compile(_HOST.format(name=re.escape(name))) for name in names}
    for service_name, service in services.items():
        own = set(service.networks) or {DEFAULT}
        apart = [name for name, store in names.items() if not own & set(store.networks)]
        hosts = {name: patterns[name] for name in apart if name not in service.depends_on}
        for variable, template in service.environment.items():
            for name in _unreachable(variable, template, hosts) if template else ():
                yield (
                    ("services", service_name, "environment", variable),
                    f"names the store {quoted(name)}, which this service cannot reach; add {name} to its depends_on",
                )


def _unreachable(variable: str, template: TextTemplate, hosts: dict[str, re.Pattern[str]]) -> Iterator[str]:
    text = "".join(part if isinstance(part, str) else "x" for part in template.parts)
    for name, pattern in hosts.items():
        is_host = text == name and _HOST_VARIABLE.search(variable)
        if is_host or pattern.search(text):
            yield name


def _servers(catalog: Catalog) -> Iterator[tuple[str, Store]]:
    for name, store in catalog.stores.items():
        if store.deployed and store.engine != "sqlite":
            yield name, store


def _is_named(catalog: Catalog) -> bool:
    return catalog.environment_name != DEFAULT_ENVIRONMENT


def _is_development(catalog: Catalog) -> bool:
    return catalog.environment.publishes_all or catalog.environment_name in DEVELOPMENT
