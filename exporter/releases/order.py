"""The start order of services: each starts after everything it depends on, and those of one level start together.

Compose gets the services of a level without their dependencies: Compose 2 recreates everything that depends on a
recreated service, so the gateway would go down with each release of a service behind it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

LOWEST = 0
_GATEWAY_ABOVE, _OTHERS_ABOVE = 1, 2


def levels(
    stores: Mapping[str, int], services: Mapping[str, int], gateway: str | None, others: Iterable[str]
) -> dict[str, int]:
    """Return the level of every name, lowest first: stores and services by their dependencies, the gateway, and
    `others`, which monitor all of these."""
    top = max((*stores.values(), *services.values()), default=LOWEST)
    found = {
        **stores,
        **services,
        **({gateway: top + _GATEWAY_ABOVE} if gateway else {}),
    }
    for name in others:
        found.setdefault(name, top + _OTHERS_ABOVE)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def batches(names: Collection[str], level: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Return `names` in groups that start one after the other. Names without a level come last."""
    last = max(level.values(), default=LOWEST) + 1
    place = {name: index for index, name in enumerate(level)}
    ordered = sorted(set(names), key=lambda name: (level.get(name, last), place.get(name, len(place)), name))
    return [tuple(group) for _, group in groupby(ordered, key=lambda name: level.get(name, last))]
