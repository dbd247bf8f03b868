"""Order services: each starts after everything that it depends on, those of one level together.

Compose gets the services of a level without their dependencies: Compose 2 recreates whatever depends on what it
recreates, so the gateway would go down with each release of a service behind it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

STORES = 0
_GATEWAY_ABOVE, _OTHERS_ABOVE = 1, 2


def levels(
    stores: Iterable[str], services: Mapping[str, int], gateway: str | None, others: Iterable[str]
) -> dict[str, int]:
    """Return the level of every name, lowest first: stores, services as they depend on each other, the gateway, and
    `others`, which watch all of these."""
    top = max(services.values(), default=STORES)
    found = {
        **dict.fromkeys(stores, STORES),
        **services,
        **({gateway: top + _GATEWAY_ABOVE} if gateway else {}),
    }
    for name in others:
        found.setdefault(name, top + _OTHERS_ABOVE)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def batches(names: Collection[str], level: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Return `names` in the groups that start one after the other. A name without a level comes last."""
    last = max(level.values(), default=STORES) + 1
    place = {name: index for index, name in enumerate(level)}
    ordered = sorted(set(names), key=lambda name: (level.get(name, last), place.get(name, len(place)), name))
    return [tuple(group) for _, group in groupby(ordered, key=lambda name: level.get(name, last))]
