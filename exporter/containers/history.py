"""Restarts, out-of-memory kills and failed starts of each service, counted across re-created containers.

A container's own counts end with it: with `compose up --force-recreate` in a loop, or Swarm's new container for each
task, a service could restart forever while each container counts 0. So counts belong to the replica.

Events from before the daemon began to watch are not counted: see `oom`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.containers.start_failures import StartFailure, cause_of, reason_of
from exporter.peer_text import PeerText, Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.containers.model import Container

KEPT_SECONDS = 3600.0
"""Time that a replica keeps its counts after its last container is gone: longer than any alert looks back."""
MAX_REPLICAS = 1000
"""Replicas of one service that are counted separately. Limited, because anybody can set labels on containers."""

log = logging.getLogger(__name__)

Replica = tuple[str, str | None]
"""A service and one of its replicas; None if they are not numbered."""


@dataclass(slots=True)
class Tally:
    """Counts of one replica."""

    restarts: int = 0
    """Starts after the first one, of the same container or of its replacement."""
    oom_kills: int = 0
    lived: bool = False


@dataclass(slots=True)
class _Record:
    """The last known state of one container."""

    replica: Replica | None
    started_at: float | None = None
    restarts: int = 0
    oom_events: int = 0
    error: str = ""


@dataclass(slots=True)
class History:
    """History of all containers that the daemon has seen. `clock`: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    tallies: dict[Replica, Tally] = field(default_factory=dict)
    start_failures: dict[str, Counter[StartFailure]] = field(default_factory=dict)
    """By service."""
    _records: dict[str, _Record] = field(default_factory=dict)
    _gone: dict[str, float] = field(default_factory=dict)
    """Times at which containers were removed, in order."""

    def seen(self, container: Container) -> bool:
        """Count what is new about a container. True if it is new and was created while the daemon was watching."""
        identifier, status = container.identity.id, container.status
        self._gone.pop(identifier, None)
        self._forget()
        record = self._records.get(identifier)
        new = record is None
        if record is None:
            record = self._records[identifier] = _Record(self._replica(container))
            if container.existed:
                record.started_at, record.restarts = status.started_at, status.restarts
                record.oom_events = container.oom_events
                record.error = status.error if container.failed_to_start else ""
                if record.replica is not None and status.started_at is not None:
                    self._tally(record.replica).lived = True
        if record.replica is not None:
            self._count(record, record.replica, container)
        return new and not container.existed

    def removed(self, identifier: str) -> None:
        """Record that a container was removed. Do not call it when only the engine is unreachable."""
        if identifier in self._records:
            self._gone.setdefault(identifier, self.clock())

    def there_are(self, identifiers: Iterable[str]) -> None:
        """Take the ids of all existing containers. Others were removed, perhaps while the engine was unreachable."""
        for identifier in self._records.keys() - self._gone.keys() - set(identifiers):
            self.removed(identifier)

    def _count(self, record: _Record, replica: Replica, container: Container) -> None:
        status, tally = container.status, self._tally(replica)
        if status.started_at is not None and status.started_at != record.started_at:
            first = record.started_at is None
            # It may have restarted several times since the last look; a manual start resets the engine's count to 0.
            unseen = status.restarts - record.restarts
            tally.restarts += (int(tally.lived) + max(0, unseen)) if first else max(1, unseen)
            tally.lived = True
            record.started_at, record.restarts = status.started_at, status.restarts
        tally.oom_kills += max(0, container.oom_events - record.oom_events)
        record.oom_events = container.oom_events
        error = status.error if container.failed_to_start else ""
        if error and error != record.error:
            reason = reason_of(error)
            self.start_failures.setdefault(replica[0], Counter())[reason] += 1
            log.warning(
                "container %s of %s could not be started (%s): %s",
                *(container.identity.name, replica[0], reason, Secrets().shown(PeerText(cause_of(error)))),
            )
        record.error = error

    def _replica(self, container: Container) -> Replica | None:
        identity = container.identity
        if identity.service is None:
            return None
        replica = identity.service, identity.replica
        if replica not in self.tallies and self._replicas_of(identity.service) >= MAX_REPLICAS:
            return identity.service, None
        return replica

    def _replicas_of(self, service: str) -> int:
        return sum(one == service for one, _ in self.tallies)

    def _tally(self, replica: Replica) -> Tally:
        return self.tallies.setdefault(replica, Tally())

    def _forget(self) -> None:
        """Drop containers that were removed long ago, and replicas without any other container."""
        oldest = self.clock() - KEPT_SECONDS
        dropped = False
        while self._gone:
            identifier, since = next(iter(self._gone.items()))
            if since > oldest:
                break
            del self._gone[identifier], self._records[identifier]
            dropped = True
        if dropped:
            kept = {record.replica for record in self._records.values()}
            for replica in self.tallies.keys() - kept:
                del self.tallies[replica]


def failures_of(history: History, service: str) -> dict[str, int]:
    """Return how often containers of a service could not be started, by reason; 0 if it never happened."""
    counted = history.start_failures.get(service, Counter())
    return {str(reason): counted[reason] for reason in StartFailure}
