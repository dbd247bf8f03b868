"""Separation of a service's current containers from those that have been replaced.

Swarm keeps the containers of the last tasks of each replica, and users keep an old container next to the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.containers.model import Container, State

ALIVE: frozenset[State] = frozenset(("running", "paused", "restarting"))
"""States in which a container never counts as replaced: it is active, or will be again."""


def running(containers: Iterable[Container]) -> int:
    """Return how many containers are running; one that is paused or waits for a restart serves no requests."""
    return sum(container.status.state == "running" for container in containers)


def replaced(containers: Iterable[Container], replicas: int) -> frozenset[str]:
    """Return the ids of the containers of one service that have been replaced.

    A container that is not running is replaced if a newer one has its slot, if there are as many newer ones as
    replicas, or if enough containers are running and one of those is newer.
    """
    newest_first = sorted(containers, key=lambda each: each.status.created_at or 0.0, reverse=True)
    needed = max(1, replicas)
    enough = running(newest_first) >= needed
    slots: set[str] = set()
    newer_runs = False
    old = set()
    for newer, container in enumerate(newest_first):
        slot, state = container.identity.slot, container.status.state
        if state not in ALIVE and (slot in slots or newer >= needed or (enough and newer_runs)):
            old.add(container.identity.id)
        if slot is not None:
            slots.add(slot)
        newer_runs = newer_runs or state == "running"
    return frozenset(old)
