"""What happened to the containers of each service, counted over re-creations.

A container's own counts end with it: `compose up --force-recreate` in a loop, or Swarm's new container for each task,
would restart a service for ever while each container counts nothing. Here counts belong to the replica.

Nothing is counted of the time before the daemon watched: see `oom`.
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
"""For so long after its last container a replica keeps its counts: longer than any alert looks back."""
MAX_REPLICAS = 1000
"""Replicas of one service that are counted apart. Containers carry labels that anybody may have written."""

log = logging.getLogger(__name__)

Replica = tuple[str, str | None]
"""A service, and which of its replicas; None where they are not numbered."""


@dataclass(slots=True)
class Tally:
    """Counts of one replica."""

    restarts: int = 0
    """Starts after the first one, of the same container or of the one that replaced it."""
    oom_kills: int = 0
    lived: bool = False


@dataclass(slots=True)
class _Record:
    """What was last seen of one container."""

    replica: Replica | None
    started_at: float | None = None
    restarts: int = 0
    oom_events: int = 0
    error: str = ""


@dataclass(slots=True)
class History:
    """Of all containers that the daemon has seen. `clock`: seconds that never go back."""

    clock: Callable[[], float] = time.monotonic
    tallies: dict[Replica, Tally] = field(default_factory=dict)
    start_failures: dict[str, Counter[StartFailure]] = field(default_factory=dict)
    """By service."""
    _records: dict[str, _Record] = field(default_factory=dict)
    _gone: dict[str, float] = field(default_factory=dict)
    """When containers were removed, in order."""

    def seen(self, container: Container) -> bool:
        """Count what is new of a container. True if it came into being under the daemon's eyes and is new to it."""
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
        """The container is no more. Not to be called because the engine cannot be reached."""
        if identifier in self._records:
            self._gone.setdefault(identifier, self.clock())

    def there_are(self, identifiers: Iterable[str]) -> None:
        """These are all containers now. Others were removed, perhaps while the engine could not be reached."""
        for identifier in self._records.keys() - self._gone.keys() - set(identifiers):
            self.removed(identifier)

    def _count(self, record: _Record, replica: Replica, container: Container) -> None:
        status, tally = container.status, self._tally(replica)
        if status.started_at is not None and status.started_at != record.started_at:
            first = record.started_at is None
            # Lives may come and go between two looks; a start by hand sets the engine's own count to 0.
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
        """Drop what was removed long ago, and replicas that have no other container."""
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
    """Return how often containers of a service could not be started, by reason; 0 where it never happened."""
    counted = history.start_failures.get(service, Counter())
    return {str(reason): counted[reason] for reason in StartFailure}
