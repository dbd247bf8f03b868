"""Mapping of containers to the catalog's services, and of their labels to labels of series."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from exporter.catalog.planning.plan import Claim

EXPLICIT = "exporter.service"
COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_ONEOFF = "com.docker.compose.oneoff"
COMPOSE_NUMBER = "com.docker.compose.container-number"
SWARM_SERVICE = "com.docker.swarm.service.name"
SWARM_STACK = "com.docker.stack.namespace"
SWARM_TASK = "com.docker.swarm.task.name"
SWARM_TASK_ID = "com.docker.swarm.task.id"

ALWAYS_LABELS = (COMPOSE_PROJECT, COMPOSE_SERVICE, COMPOSE_NUMBER, SWARM_SERVICE, SWARM_STACK)
MAX_VALUE = 256
"""Characters of a label's value."""

_NOT_IN_A_NAME = re.compile("[^a-zA-Z0-9_]")
_REPLICA = re.compile("[0-9]{1,6}|[0-9a-z]{25}")
"""A number, or the id of a Swarm node: a global service has one task on each."""
_MAX_COMPLAINTS = 100
_NO_CLAIMS: Mapping[str, Claim] = MappingProxyType({})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """The service of a container (None outside the catalog), its project, the labels of its series, and its slot as in
    `Identity`.
    """

    service: str | None
    project: str | None
    labels: tuple[tuple[str, str], ...]
    slot: str | None = None


class ServiceMapping:
    """A mapping from the labels of containers to services.

    `services`: names of the catalog's services and stores. `projects`: the catalog's Compose projects and Swarm stacks.
    `claims`: services that say which containers are their own, so that no others are. `strangers`: True to keep
    containers outside the catalog. `labels`: further labels of containers that become labels of series.
    """

    def __init__(
        self,
        services: Collection[str],
        projects: Collection[str] = (),
        *,
        strangers: bool = True,
        labels: Collection[str] = (),
        claims: Mapping[str, Claim] = _NO_CLAIMS,
    ) -> None:
        self._services = frozenset(services)
        self._unclaimed = self._services - claims.keys()
        self._by_name = {claim.name: service for service, claim in claims.items() if claim.name}
        self._by_compose = {
            (claim.project, claim.service or service): service
            for service, claim in claims.items()
            if not claim.name
        }
        self._projects = frozenset(projects)
        self._strangers = strangers
        self._series_labels = _series_labels((*ALWAYS_LABELS, *labels))
        self._complained: set[str] = set()

    def place(self, labels: Mapping[str, str], container: str) -> Place | None:
        """Return the place of a container with these labels; None if it is not to be watched.

        `container`: its name, for the log.
        """
        service = self.service_of(labels, container)
        if service is None and not self._strangers:
            return None
        return Place(
            service,
            labels.get(COMPOSE_PROJECT) or labels.get(SWARM_STACK) or None,
            tuple(
                (series_label, labels[name][:MAX_VALUE])
                for name, series_label in self._series_labels
                if name in labels
            ),
            _slot(labels),
        )

    def service_of(self, labels: Mapping[str, str], container: str) -> str | None:
        """Return the service of a container with these labels; None for one outside the catalog.

        `container`: its name, for the log.
        """
        explicit = labels.get(EXPLICIT)
        if explicit in self._services:
            return explicit
        if explicit is not None:
            self._complain(explicit, container)
        # `docker compose run` creates a container for one command: it is not the service.
        if labels.get(COMPOSE_ONEOFF) == "True":
            return None
        if container in self._by_name:
            return self._by_name[container]
        project, name = _of_compose(labels) if COMPOSE_SERVICE in labels else _of_swarm(labels)
        if name is None:
            return None
        if (project, name) in self._by_compose:
            return self._by_compose[project, name]
        if project is not None and project not in self._projects:
            return None
        claimed = self._by_compose.get((None, name))
        return claimed or (name if name in self._unclaimed else None)

    def _complain(self, service: str, container: str) -> None:
        """Log an unknown name once, and at most a hundred names: more are not a mistake but an attack."""
        if service in self._complained or len(self._complained) >= _MAX_COMPLAINTS:
            return
        self._complained.add(service)
        log.warning(
            "the label %s of the container %s is ignored: the catalog has no service or store %r",
            EXPLICIT,
            container,
            service[:MAX_VALUE],
        )


def _of_compose(labels: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the project and the service's name in it."""
    return labels.get(COMPOSE_PROJECT), labels[COMPOSE_SERVICE]


def _of_swarm(labels: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the stack and the service's name in it."""
    name, stack = labels.get(SWARM_SERVICE), labels.get(SWARM_STACK)
    return stack, name.removeprefix(f"{stack}_") if name and stack else name


def _slot(labels: Mapping[str, str]) -> str | None:
    """Return the slot of the service that the container has, until another container takes it over."""
    if COMPOSE_SERVICE in labels:
        owner = f"{labels.get(COMPOSE_PROJECT, '')}/{labels[COMPOSE_SERVICE]}"
        replica = labels.get(COMPOSE_NUMBER, "")
    else:
        owner = labels.get(SWARM_SERVICE, "")
        task = labels.get(SWARM_TASK, "").removesuffix(f".{labels.get(SWARM_TASK_ID, '')}")
        replica = task.removeprefix(f"{owner}.")
    return f"{owner}/{replica}" if _REPLICA.fullmatch(replica) else None


def _series_labels(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return each label of a container with the label of its series, named by cAdvisor's rule."""
    taken: dict[str, str] = {}
    for name in names:
        label = f"container_label_{_NOT_IN_A_NAME.sub('_', name)}"
        first = taken.setdefault(label, name)
        if first != name:
            log.warning("the container label %s is left out: %s already has the name %s", name, first, label)
    return tuple((name, label) for label, name in taken.items())
