"""Counts of log lines that match each service's patterns. The text itself is never kept, exported or logged."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from exporter.containers.log_tail import Allowance, Mark, Tail
from exporter.containers.model import ACTIVE
from exporter.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.catalog.planning.plan import LogsPlan
    from exporter.containers.engine import Engine
    from exporter.containers.model import Container

READ_BYTES_TOGETHER = 8 * 1024 * 1024
"""Per second, for all logs: two thirds of a core if all lines are short, with other work in between."""
MAX_MARKS = 4_096
"""Marks kept, including those of gone containers: one that returns with the engine is read on from its mark."""

log = logging.getLogger(__name__)


class LogWatch:
    """A counter of log lines of the containers that it follows. Create and use it in a running loop.

    `counts`: lines so far for each pattern of each service that has or had a container.
    `skipped`: for the same services, lines that were not matched because there were too many in a second.
    """

    def __init__(self, engine: Engine, plans: Mapping[str, LogsPlan]) -> None:
        self._engine = engine
        self.counts: dict[tuple[str, str], int] = {}
        self.skipped: dict[str, int] = {}
        self._plans: dict[str, LogsPlan] = {}
        self._searches: dict[str, tuple[tuple[tuple[str, str], Callable[[bytes], bool]], ...]] = {}
        self._since: dict[str, float] = {}
        self._tails: dict[str, Tail] = {}
        self._marks: dict[str, Mark] = {}
        self._shared = Allowance(READ_BYTES_TOGETHER)
        self._told: set[str] = set()
        self.replan(plans)

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the services for which the engine refuses a container's log, with one sentence each that says why."""
        return {tail.service: tail.refusal for tail in self._tails.values() if tail.refusal}

    @property
    def following(self) -> int:
        """Return the number of containers whose log is followed, or was until they ended."""
        return len(self._tails)

    def replan(self, plans: Mapping[str, LogsPlan]) -> None:
        """Use new plans. Counts stay, except for patterns and services that are no longer configured.

        The caller must call `follow` again for containers of new services.
        """
        for service in self._plans.keys() - plans.keys():
            self._forget(service)
        for service, plan in plans.items():
            self._since.setdefault(service, time.time())
            if self._plans.get(service) != plan:
                self._searches[service] = tuple(
                    ((service, name), Pattern(pattern).found_in) for name, pattern in plan.patterns
                )
                wanted = {key for key, _ in self._searches[service]}
                for key in [key for key in self.counts if key[0] == service and key not in wanted]:
                    del self.counts[key]
        self._plans = dict(plans)
        for service in self.skipped:
            self._begin(service)

    def follow(self, container: Container) -> None:
        """Follow a container in its current state. Call it again after each change, such as an end or a start.

        All lines written since this object was created are counted, however short the container's life was, unless it
        was removed with its log before that could be read (`docker run --rm`). The lines have the engine's times: if
        its clock is ahead of this process's clock, counting begins earlier by that difference.
        """
        service = container.identity.service
        if service is None or service not in self._plans:
            self.unfollow(container.identity.id)
            return
        self._begin(service)
        tail = self._tails.get(container.identity.id)
        if tail is not None:
            tail.update(container)
        elif _has_news(container, self._since[service]):
            self._tails[container.identity.id] = self._tail(container, self._since[service])

    def unfollow(self, container_id: str) -> None:
        """Stop following a container that is gone or no longer known. Lines still in transit are counted."""
        tail = self._tails.get(container_id)
        if tail is not None and not tail.closing:
            tail.close()
            tail.task.add_done_callback(lambda _: self._remove(container_id, tail))

    async def stop(self) -> None:
        """Stop at once. Counts stay."""
        await asyncio.gather(*(tail.stop() for tail in self._tails.values()))
        self._tails.clear()

    def take(self, service: str, text: bytes) -> None:
        """Match a line of this service."""
        for key, search in self._searches.get(service, ()):
            if search(text):
                self.counts[key] += 1

    def skip(self, service: str) -> None:
        """Count a line that was not matched, for lack of time."""
        if service in self.skipped:
            self.skipped[service] += 1

    def max_line(self, service: str) -> int:
        """Return the bytes of a line that are matched."""
        plan = self._plans.get(service)
        return plan.max_line if plan else 0

    def refused(self, service: str, why: str) -> None:
        """Log once that the engine refuses a service's log."""
        if service not in self._told:
            self._told.add(service)
            log.warning(
                "the log of %s is not counted: %s; use a log driver that can be read, such as json-file or local, "
                "or set logs: off for it in the catalog",
                service,
                why,
            )

    def _begin(self, service: str) -> None:
        self.skipped.setdefault(service, 0)
        for key, _ in self._searches[service]:
            self.counts.setdefault(key, 0)

    def _tail(self, container: Container, since: float) -> Tail:
        mark = self._marks.setdefault(container.identity.id, Mark())
        if len(self._marks) > MAX_MARKS:
            gone = [each for each in self._marks if each not in self._tails and each != container.identity.id]
            for each in gone[: MAX_MARKS // 4]:
                del self._marks[each]
        return Tail(self._engine, container, mark, since, self, self._shared)

    def _remove(self, container_id: str, tail: Tail) -> None:
        if tail.closing and self._tails.get(container_id) is tail:
            del self._tails[container_id]

    def _forget(self, service: str) -> None:
        for container_id, tail in self._tails.items():
            if tail.service == service:
                self.unfollow(container_id)
        for key in [key for key in self.counts if key[0] == service]:
            del self.counts[key]
        self._told.discard(service)
        del self._searches[service], self._since[service]
        self.skipped.pop(service, None)


def _has_news(container: Container, since: float) -> bool:
    """True if the container may have written lines since then."""
    status = container.status
    if status.state in ACTIVE:
        return True
    return status.started_at is not None and (status.finished_at is None or status.finished_at >= since)
