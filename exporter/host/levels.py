"""The order in which containers start: each after everything that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.compose.names import deployed_services, deployed_stores

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.model import Container


def start_levels(catalog: Catalog) -> dict[str, int]:
    """Return the level of each deployed service and store, lowest first.

    Each is above what it depends on and above the one whose network it uses. A store that needs nothing has 0, a
    service at least 1.
    """
    everything: dict[str, Container] = {**catalog.stores, **catalog.services}
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in everything:
            return 0
        if name not in levels:
            container = everything[name]
            needs = (*container.depends_on, *filter(None, (container.network_of,)))
            own = int(name in catalog.services or bool(needs))
            levels[name] = own + max(map(level, needs), default=0)
        return levels[name]

    there = {**deployed_stores(catalog), **deployed_services(catalog)}
    return {name: level(name) for name in sorted(there, key=level)}
