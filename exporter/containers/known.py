"""Known containers: the state of each, those that exist but could not be inspected, and the out-of-memory counts.
Nothing here waits for the engine.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.containers.model import ACTIVE
from exporter.containers.oom import OomCount

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.containers.events import Event
    from exporter.containers.model import Container

    OnChange = Callable[[str, Container | None], None]

_REPLAYED = 256
"""Number of past events that an engine keeps for later requests."""

log = logging.getLogger(__name__)


class KnownContainers:
    """The containers known to the daemon.

    `on_change(container_id, container)` is called for each that is new or has changed, and with None for each that is
    gone or no longer known. It must be quick, and not raise.
    """

    def __init__(self, on_change: OnChange) -> None:
        self.containers: dict[str, Container] = {}
        """By id. Always the same dictionary."""
        self.listed: dict[str, frozenset[str | None]] = {}
        """The services of containers, according to the last list."""
        self._on_change = on_change
        self._ooms: dict[str, OomCount] = {}
        self._first = True
        """True until all containers are known for the first time: those existed before the daemon began to watch."""
        self._told_ooms: deque[tuple[int, str]] = deque(maxlen=_REPLAYED)
        self._hidden: set[str] = set()
        self._doubtful: set[str] = set()
        self._refusal_told = False
        self._staged: dict[str, Container] | None = None

    @property
    def unknown(self) -> int:
        """Return the number of existing containers about which nothing is known."""
        return len(self._hidden)

    @property
    def existing(self) -> set[str]:
        """Return the ids of all containers, including those about which nothing is known."""
        return self.containers.keys() | self._hidden

    def all_of(self, service: str) -> bool:
        """True if each container of this service is known. If one cannot be inspected, the list of containers gives its
        service; without that it can belong to any service."""
        return not any(service in (self.listed.get(each) or {service}) for each in self._hidden)

    def exists(self, identifier: str) -> bool:
        """True if the container exists, also while nothing is known about it."""
        return identifier in self.containers or identifier in self._hidden

    @property
    def described(self) -> set[str]:
        """Return the ids of the containers that were inspected."""
        return {*self.containers, *(self._staged or ())}

    def take_list(self, listed: dict[str, frozenset[str | None]]) -> None:
        """Take a new list of containers, with the services to which each may belong."""
        self.listed = listed
        for gone in self._hidden - listed.keys():
            self.remove(gone)

    def note_oom_kills(self, container: str, kills: int) -> None:
        """Take the kernel's count of out-of-memory kills since the container last started.

        `Container.oom_events` becomes at least that for this life. For an unknown container nothing is recorded.
        """
        if container in self.containers:
            self._ooms[container].kernel_counted(kills)
            self._show_oom_events(container)

    def note_end(self, event: Event) -> None:
        """Record that a container ended: its out-of-memory kills before and after belong to different lives."""
        if event.container in self._ooms:
            self._ooms[event.container].ended(event.at / 1e9)

    def note_oom_event(self, event: Event) -> bool:
        """Count an out-of-memory event of the engine; False if it was received before."""
        told = event.at, event.container
        if told in self._told_ooms:
            return False
        self._told_ooms.append(told)
        self._count_of(event.container).event(event.at / 1e9)
        # A container that is removed as it ends (`docker run --rm`) may be gone before it can be inspected.
        self._show_oom_events(event.container)
        return True

    def take(self, container: Container) -> None:
        """Take the result of an inspect."""
        identifier, status = container.identity.id, container.status
        count = self._count_of(identifier)
        # Engines up to 20.10 keep OOMKilled of the life before until this one ends.
        count.inspected(status.started_at, oom_killed=status.oom_killed and status.state not in ACTIVE)
        self._settle(identifier)
        self._refusal_told = False
        container = replace(container, oom_events=count.total, existed=count.existed)
        if container != self.containers.get(identifier):
            self._put(identifier, container)

    def remove(self, identifier: str) -> None:
        """Forget a container that is gone, and its counts."""
        self._ooms.pop(identifier, None)
        self._settle(identifier)
        self._drop(identifier)

    def doubt(self, identifier: str) -> bool:
        """Keep the last state for one more attempt after a failed inspect; False if there already was one."""
        if identifier not in self.containers or identifier in self._doubtful:
            return False
        self._doubtful.add(identifier)
        return True

    def hide(self, identifier: str, error: str, *, refused: bool) -> None:
        """Record that a container exists but cannot be inspected, although the engine answers."""
        if refused:
            # The same for all containers, as long as a proxy does not allow it.
            if not self._refusal_told:
                self._refusal_told = True
                log.error("containers are not watched: %s", error)
        elif identifier not in self._hidden:
            log.warning("nothing is known of the container %s: %s", identifier[:12], error)
        self._hidden.add(identifier)
        self._drop(identifier)

    def stage(self) -> None:
        """Hold back changes until `publish`."""
        self._staged = {}

    def publish(self) -> int:
        """Publish all at once, so that a partial list is never taken for the complete one. Return their number."""
        staged, self._staged, self._first = self._staged or {}, None, False
        there = staged.keys() | self._hidden
        for gone in self._ooms.keys() - there:
            del self._ooms[gone]
        for identifier, container in staged.items():
            self._put(identifier, container)
        return len(staged)

    def forget(self) -> None:
        """Forget all containers, but keep their out-of-memory counts."""
        self._staged = None
        self._hidden.clear()
        self._doubtful.clear()
        for identifier in list(self.containers):
            self._drop(identifier)

    def _show_oom_events(self, container: str) -> None:
        known, total = self.containers.get(container), self._count_of(container).total
        if known is not None and total != known.oom_events:
            self._put(container, replace(known, oom_events=total))

    def _count_of(self, container: str) -> OomCount:
        count = self._ooms.get(container)
        if count is None:
            count = self._ooms[container] = OomCount(existed=self._first)
        return count

    def _put(self, identifier: str, container: Container) -> None:
        if self._staged is not None:
            self._staged[identifier] = container
            return
        self.containers[identifier] = container
        self._on_change(identifier, container)

    def _settle(self, identifier: str) -> None:
        """Record that its state is known, or that it is gone."""
        self._hidden.discard(identifier)
        self._doubtful.discard(identifier)

    def _drop(self, identifier: str) -> None:
        if self._staged is not None:
            self._staged.pop(identifier, None)
        if self.containers.pop(identifier, None) is not None:
            self._on_change(identifier, None)
