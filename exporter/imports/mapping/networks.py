"""Networks of a source whose names the generated files use for their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.networks import GENERATED
from exporter.imports.mapping.draft import Outcome
from exporter.outputs.monitoring.common import DOCKER, MONITORING

if TYPE_CHECKING:
    from exporter.imports.mapping.draft import Draft

_RESERVED = (*GENERATED, MONITORING, DOCKER)


def rename_reserved(catalog: dict[str, Any], draft: Draft) -> None:
    """Give networks with a reserved name another one, wherever the catalog names them."""
    networks = catalog.get("networks", {})
    renamed = {name: _free(name, networks) for name in _RESERVED if name in networks}
    if not renamed:
        return
    for name, new in renamed.items():
        entry = networks[name]
        if entry.get("external") and "name" not in entry:
            entry["name"] = name
        draft.row(
            Outcome.CHANGED, ("networks", name), f"is called {new} in the catalog, which has its own {name}"
        )
    catalog["networks"] = {renamed.get(name, name): entry for name, entry in networks.items()}
    for section in ("services", "stores"):
        for keys in catalog.get(section, {}).values():
            on = keys.get("networks")
            if isinstance(on, dict):
                keys["networks"] = {renamed.get(name, name): entry for name, entry in on.items()}
            elif on:
                keys["networks"] = [renamed.get(name, name) for name in on]


def _free(name: str, taken: dict[str, Any]) -> str:
    new, number = f"own-{name}", 2
    while new in taken:
        new, number = f"own-{name}-{number}", number + 1
    return new
