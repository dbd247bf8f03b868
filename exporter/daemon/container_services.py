"""State of each service's containers: replaced ones, running and wanted numbers, and history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.containers.generations import replaced, running
from exporter.containers.history import History, failures_of
from exporter.metrics.items import Items
from exporter.metrics.service_families import REPLICA_FAMILIES, SERVICE_FAMILIES, ServiceView
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.catalog.planning.plan import Plan
    from exporter.containers.history import Replica
    from exporter.containers.model import Container, EngineInfo


class ContainerServices:
    """The services of one plan. Takes each change of a container; updates the series of services before a scrape."""

    def __init__(self, plan: Plan) -> None:
        self.old: set[str] = set()
        """Ids of containers that have been replaced."""
        self.names = tuple(service.name for service in plan.services)
        self._plans = {service.name: service for service in plan.services}
        self._of: dict[str, dict[str, Container]] = {name: {} for name in self._plans}
        self._history = History()
        self._service_items = Items(SERVICE_FAMILIES)
        self._replica_items = Items(REPLICA_FAMILIES)

    @property
    def tables(self) -> tuple[Items[Any], ...]:
        """Return the tables for the exposition."""
        return self._service_items, self._replica_items

    def seen(self, container: Container) -> tuple[bool, list[Container]]:
        """Take a new or changed container. Return True if no scrape can have seen it before, and the other containers
        that have become old, or are no longer old.
        """
        newborn = self._history.seen(container)
        service = container.identity.service
        if service is None:
            return newborn, []
        self._of[service][container.identity.id] = container
        return newborn, self._sort_out(service, container.identity.id)

    def lost(self, container: Container, *, removed: bool) -> list[Container]:
        """Forget a container that was removed, or, if not `removed`, whose engine is unreachable. Return the other
        containers that have become old, or are no longer old.
        """
        identity = container.identity
        self.old.discard(identity.id)
        if removed:
            self._history.removed(identity.id)
        if identity.service is None or self._of[identity.service].pop(identity.id, None) is None:
            return []
        return self._sort_out(identity.service, identity.id)

    def there_are(self, identifiers: Iterable[str]) -> None:
        """Take the ids of all existing containers. Others were removed, perhaps while the engine was unreachable."""
        self._history.there_are(identifiers)

    def show(self, info: EngineInfo | None, knows: Callable[[str], bool]) -> None:
        """Update the series of services and replicas. `info`: None while the engine is unreachable. `knows`: returns
        True if all containers of a service are known."""
        for name, plan in self._plans.items():
            wanted = self.wanted(name, info) if knows(name) else None
            if not plan.contained or (not plan.deployed and not self._of[name] and wanted is None):
                # Somebody else runs it, and perhaps not here.
                self._service_items.discard(name)
                continue
            view = ServiceView(
                wanted=wanted,
                running=running(self._of[name].values()) if info is not None and knows(name) else None,
                start_failures=failures_of(self._history, name),
            )
            self._service_items.set(name, label_text([("service", name)]), view, newborn=True)
        tallies = {_labels(replica): tally for replica, tally in self._history.tallies.items()}
        for labels, tally in tallies.items():
            self._replica_items.set(labels, labels, tally, newborn=True)
        self._replica_items.keep(tallies)

    def wanted(self, service: str, info: EngineInfo | None) -> int | None:
        """Return how many containers of the service must run on this engine; None if that is unknown.

        If somebody else runs it and the catalog says no number, that is each of its containers: one that is stopped
        is missing, and one that is removed is not. A Swarm with several nodes may run them on another node.
        """
        if info is None:
            return None
        here = self._of[service].values()
        if info.one_of_several and all(each.identity.of_swarm for each in here):
            return None
        plan = self._plans[service]
        if plan.on_demand:
            return None
        if plan.deployed or plan.wanted is not None or plan.ends:
            return plan.wanted
        current = [each for each in here if each.identity.id not in self.old]
        if plan.may_end:
            current = [each for each in current if not each.completed]
        return max(len(current), plan.least) or None

    def runs(self, service: str) -> bool:
        """True if a container of the service is known to run."""
        return running(self._of[service].values()) > 0

    def _sort_out(self, service: str, but: str) -> list[Container]:
        """Find the old containers of a service again; return those whose status changed, except `but`."""
        here = self._of[service]
        plan = self._plans[service]
        # Of what somebody else runs, only a container with the same number replaces another one.
        replicas = plan.replicas if plan.deployed or plan.wanted is not None else len(here)
        old = replaced(here.values(), replicas)
        changed = {each for each in here if (each in self.old) != (each in old)}
        self.old = (self.old - here.keys()) | old
        return [here[each] for each in changed if each != but]


def _labels(replica: Replica) -> str:
    service, number = replica
    return label_text([("service", service), *([("replica", number)] if number is not None else [])])
