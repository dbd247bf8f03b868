"""Which containers there are and how they are, kept true by the engine's events.

Events are subscribed to before all containers are listed, so that nothing falls between. An event leads to one inspect
of its container, however many of its events wait; what did not change is not asked for again. Now and then, and when
events may have been missed, all containers are looked at again. While the engine cannot be reached there are no
containers here, because nothing is known of them then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.containers.engine import REFUSED, EngineError
from exporter.containers.event_stream import PING_SECONDS, STALE_SECONDS, EventStream
from exporter.containers.inspect import container_of
from exporter.containers.lanes import Lanes
from exporter.containers.listing import list_containers
from exporter.containers.model import ACTIVE
from exporter.containers.oom import OomCount

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.containers.engine import Engine
    from exporter.containers.events import Event
    from exporter.containers.mapping import ServiceMapping
    from exporter.containers.model import Container, EngineInfo

    OnChange = Callable[[str, Container | None], None]

INSPECT_SECONDS = 5.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds until the next attempt to reach the engine."""
RELIST_SECONDS, RELIST_GAP = 300.0, 5.0
"""Seconds between two looks at all containers: at most, and at least when events may have been missed."""
RETRY_WAIT, STUCK_WAIT = 1.0, 30.0
"""Seconds until a container is asked for again whose inspect failed once, or more often, while the engine answers."""
NOT_FOUND = 404
_REPLAYED = 256
"""How many events an engine keeps for those who ask for the past."""

log = logging.getLogger(__name__)


class Discovery:
    """`on_change(container_id, container)` is called for each that is new or has changed, and with None for each that
    is gone or not known any more. It must be quick, and not raise.
    """

    def __init__(self, engine: Engine, mapping: ServiceMapping, on_change: OnChange) -> None:
        self.containers: dict[str, Container] = {}
        """By id. Always the same dictionary."""
        self.up = False
        self.error = "the Docker engine has not been asked yet"
        """Why it is not up, in one sentence; empty while it is."""
        self.info: EngineInfo | None = None
        """None while it is not up."""
        self.failures = 0
        """Inspects that failed while the engine answered."""
        self._engine = engine
        self._mapping = mapping
        self._on_change = on_change
        self._ooms: dict[str, OomCount] = {}
        self._first = True
        """Until all containers are known for the first time: those of before were there before us."""
        self._told_ooms: deque[tuple[int, str]] = deque(maxlen=_REPLAYED)
        self._hidden: set[str] = set()
        self._listed: dict[str, frozenset[str | None]] = {}
        """The services of containers, by the last list of them."""
        self._doubtful: set[str] = set()
        self._refusal_told = False
        self._staged: dict[str, Container] | None = None
        self._lanes: Lanes
        self._out_of_step = asyncio.Event()
        self.events = EventStream(engine, self._happened, self._out_of_step.set)

    @property
    def unknown(self) -> int:
        """How many containers there are of which nothing is known, though the engine answers."""
        return len(self._hidden)

    def knows(self, service: str) -> bool:
        """True while every container of this service is known. One that cannot be inspected is its service's by the
        list of containers, or may be any service's."""
        return self.up and not any(service in (self._listed.get(each) or {service}) for each in self._hidden)

    def exists(self, identifier: str) -> bool:
        """True of a container that is there, also while nothing is known of it."""
        return identifier in self.containers or identifier in self._hidden

    @property
    def existing(self) -> set[str]:
        """Return the ids of all containers, also of those of which nothing is known."""
        return self.containers.keys() | self._hidden

    async def run(self) -> None:
        """Follow the engine until cancelled, and forget all containers then."""
        wait = FIRST_WAIT
        try:
            while True:
                try:
                    await self._follow()
                except EngineError as error:
                    wait = FIRST_WAIT if self.up else wait
                    self._lost(str(error))
                except Exception:
                    wait = FIRST_WAIT if self.up else wait
                    log.exception("the watch of containers begins again because of an error in the exporter")
                    self._lost("the exporter failed to follow the Docker engine; its log has the error")
                await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - to spread load, not a secret
                wait = min(wait * 2, LONGEST_WAIT)
        finally:
            self._forget("the Docker engine is no longer watched")

    def note_oom_kills(self, container: str, kills: int) -> None:
        """The kernel says that so many processes of the container's present life were killed for want of memory.

        `Container.oom_events` becomes at least that for this life. Of a container that is not known nothing is noted.
        """
        if container in self.containers:
            self._ooms[container].kernel_counted(kills)
            self._show_oom_events(container)

    def _show_oom_events(self, container: str) -> None:
        known, total = self.containers.get(container), self._count_of(container).total
        if known is not None and total != known.oom_events:
            self._put(container, replace(known, oom_events=total))

    def _count_of(self, container: str) -> OomCount:
        count = self._ooms.get(container)
        if count is None:
            count = self._ooms[container] = OomCount(existed=self._first)
        return count

    async def _follow(self) -> None:
        """From the first stream of events until the engine does not answer, which is always an EngineError."""
        await self._greet()
        self._staged = {}
        self._out_of_step.clear()
        subscribed = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._lanes = Lanes(self._inspect, tasks)
                tasks.create_task(self.events.follow(subscribed))
                tasks.create_task(self.events.watch_quiet())
                await subscribed.wait()
                await self._look_at_all()
                self._publish()
                await self._keep_in_step()
        except BaseExceptionGroup as group:
            raise _reason(group) from None

    async def _greet(self) -> None:
        self.info = await self._engine.hello()
        self.events.set_clock()

    async def _keep_in_step(self) -> None:
        """Look at all containers again, now and then and after a gap in the events."""
        looked_at = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(RELIST_SECONDS):
                    await self._out_of_step.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(max(0.0, looked_at + RELIST_GAP - time.monotonic()))
            began = time.monotonic()
            while True:
                self._out_of_step.clear()
                try:
                    await self._greet()
                    await self._look_at_all()
                    break
                except EngineError:
                    await self._engine.ping(PING_SECONDS)
                    if time.monotonic() - began > STALE_SECONDS:
                        raise
                    await asyncio.sleep(RELIST_GAP)
            looked_at = time.monotonic()

    async def _look_at_all(self) -> None:
        known = {*self.containers, *(self._staged or ())}
        self._listed = await list_containers(self._engine, self._mapping)
        listed = self._listed.keys()
        for gone in self._hidden - listed:
            self._remove(gone)
        # One that is known and not listed is asked for, too: the answer that it is gone removes it.
        await self._lanes.all_of(listed | known)

    def _happened(self, event: Event) -> None:
        if event.action == "destroy":
            self._lanes.drop(event.container)
            self._remove(event.container)
            return
        if event.action == "die" and event.container in self._ooms:
            self._ooms[event.container].ended(event.at / 1e9)
        if event.action == "oom":
            told = event.at, event.container
            if told in self._told_ooms:
                return
            self._told_ooms.append(told)
            self._count_of(event.container).event(event.at / 1e9)
            # A container that is removed as it ends (`docker run --rm`) may be gone before it can be inspected.
            self._show_oom_events(event.container)
        self._lanes.ask(event.container)
        if event.action == "health_status" and self.info is not None and self.info.product == "podman":
            # It tells of a check before it writes down how the check ended.
            self._lanes.ask_later(event.container, RETRY_WAIT)

    async def _inspect(self, container: str, lanes: Lanes) -> None:
        try:
            known = await self._described(container)
        except ValueError as error:
            self._failed(container, str(error), lanes)
            return
        except EngineError as error:
            if error.status != NOT_FOUND:
                await self._engine.ping(PING_SECONDS)
                self._failed(container, str(error), lanes, error.status)
                return
            known = None
        if not lanes.wanted(container):
            return
        if known is None:
            self._remove(container)
        else:
            self._take(known)

    async def _described(self, container: str) -> Container | None:
        """None of one that is not to be watched."""
        assert self.info is not None  # noqa: S101 - set before there are lanes
        told = await self._engine.get(f"/containers/{container}/json", seconds=INSPECT_SECONDS)
        known = container_of(told, self.info, self._mapping)
        if known is not None and known.identity.id != container:
            raise ValueError("the engine describes another container")
        return known

    def _failed(self, container: str, error: str, lanes: Lanes, status: int | None = None) -> None:
        """The engine answers, and does not say how this one is. What is known of it is kept for one more attempt."""
        self.failures += 1
        if not lanes.wanted(container):
            return
        if container in self.containers and container not in self._doubtful:
            self._doubtful.add(container)
            lanes.ask_later(container, RETRY_WAIT)
            return
        lanes.ask_later(container, STUCK_WAIT)
        self._hide(container, error, refused=status in REFUSED)

    def _take(self, container: Container) -> None:
        identifier, status = container.identity.id, container.status
        count = self._count_of(identifier)
        # Engines up to 20.10 let OOMKilled of the life before stand until this one ends.
        count.inspected(status.started_at, oom_killed=status.oom_killed and status.state not in ACTIVE)
        self._settle(identifier)
        self._refusal_told = False
        container = replace(container, oom_events=count.total, existed=count.existed)
        if container != self.containers.get(identifier):
            self._put(identifier, container)

    def _put(self, identifier: str, container: Container) -> None:
        if self._staged is not None:
            self._staged[identifier] = container
            return
        self.containers[identifier] = container
        self._on_change(identifier, container)

    def _remove(self, identifier: str) -> None:
        """It is gone, and its counts with it."""
        self._ooms.pop(identifier, None)
        self._settle(identifier)
        self._drop(identifier)

    def _settle(self, identifier: str) -> None:
        """How it is, or that it is gone, is known."""
        self._hidden.discard(identifier)
        self._doubtful.discard(identifier)

    def _hide(self, identifier: str, error: str, *, refused: bool) -> None:
        """It is there, and how it is cannot be known while the engine answers for others."""
        if refused:
            # The same for all containers, and for as long as a proxy does not allow it.
            if not self._refusal_told:
                self._refusal_told = True
                log.error("containers are not watched: %s", error)
        elif identifier not in self._hidden:
            log.warning("nothing is known of the container %s: %s", identifier[:12], error)
        self._hidden.add(identifier)
        self._drop(identifier)

    def _drop(self, identifier: str) -> None:
        if self._staged is not None:
            self._staged.pop(identifier, None)
        if self.containers.pop(identifier, None) is not None:
            self._on_change(identifier, None)

    def _publish(self) -> None:
        """All at once, so that nobody takes the first ones for all there are."""
        assert self._staged is not None  # noqa: S101 - the lanes have filled it
        assert self.info is not None  # noqa: S101 - set before there are lanes
        staged, self._staged, self._first = self._staged, None, False
        self.up, self.error = True, ""
        there = staged.keys() | self._hidden
        for gone in self._ooms.keys() - there:
            del self._ooms[gone]
        for identifier, container in staged.items():
            self._put(identifier, container)
        log.info(
            "the Docker engine %s at %s has %d containers to watch",
            self.info.version,
            self._engine.endpoint.shown,
            len(staged),
        )

    def _lost(self, error: str) -> None:
        if error != self.error:
            log.warning("%s; no container is known until it answers", error)
        self._forget(error)

    def _forget(self, error: str) -> None:
        self.up, self.error, self.info, self._staged = False, error, None, None
        self._hidden.clear()
        self._doubtful.clear()
        for identifier in list(self.containers):
            self._drop(identifier)


def _reason(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The engine's error, where nothing else happened; the first of them, since one leads to the next."""
    _, others = group.split(EngineError)
    if others is not None:
        return group
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
