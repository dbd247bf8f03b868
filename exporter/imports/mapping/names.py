"""Names of the source and of the catalog: most are kept, some are not valid here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.names import parse_container_name
from exporter.imports.prometheus.services import label

if TYPE_CHECKING:
    from collections.abc import Iterable


def catalog_names(real: Iterable[str]) -> dict[str, str]:
    """Return the catalog's name of each service, by its real one. They differ where the catalog has no such names."""
    known: dict[str, str] = {}
    wanted = list(real)
    taken = {name for name in wanted if _fits(name)}
    for name in wanted:
        if name in taken:
            known[name] = name
            continue
        made, number = label(name), 2
        while made in taken:
            made, number = f"{label(name)[:60]}-{number}", number + 1
        taken.add(made)
        known[name] = made
    return known


def _fits(name: str) -> bool:
    try:
        parse_container_name(name)
    except ValueError:
        return False
    return True
