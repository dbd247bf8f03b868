"""Names of the source and of the catalog: most are kept, some are not valid here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.names import alike, parse_container_name
from exporter.imports.prometheus.services import label

if TYPE_CHECKING:
    from collections.abc import Iterable


_MAX = 63


def catalog_names(real: Iterable[str]) -> dict[str, str]:
    """Return the catalog's name of each service, by its real one. They differ where the catalog has no such names."""
    known: dict[str, str] = {}
    wanted = list(real)
    # The first of several similar names keeps it.
    kept = {alike(name): name for name in reversed(wanted) if _fits(name)}
    taken = set(kept)
    numbers: dict[str, int] = {}
    for name in wanted:
        if kept.get(alike(name)) == name:
            known[name] = name
            continue
        made = first = label(name)
        while alike(made) in taken:
            numbers[first] = number = numbers.get(first, 1) + 1
            made = f"{first[: _MAX - len(f'-{number}')].rstrip('-')}-{number}"
        taken.add(alike(made))
        known[name] = made
    return known


def _fits(name: str) -> bool:
    try:
        parse_container_name(name)
    except ValueError:
        return False
    return True
