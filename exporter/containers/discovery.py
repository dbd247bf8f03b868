"""Discovery of containers: keep the list and state of all containers current by following the engine's events.

The subscription to events starts before all containers are listed, so that no change is missed. A container with
waiting events is inspected once, however many they are; unchanged containers are not inspected again. From time to
time, and when events may have been missed, all containers are inspected again. While the engine is unreachable the list
is empty, because nothing is known about the containers then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING

from exporter.containers.engine import REFUSED, EngineError
from exporter.containers.event_stream import PING_SECONDS, STALE_SECONDS, EventStream
from exporter.containers.inspect import container_of
from exporter.containers.known import KnownContainers
from exporter.containers.lanes import Lanes
from exporter.containers.listing import list_containers

if TYPE_CHECKING:
    from exporter.containers.engine import Engine
    from exporter.containers.events import Event
    from exporter.containers.known import OnChange
    from exporter.containers.mapping import ServiceMapping
    from exporter.containers.model import Container, EngineInfo

INSPECT_SECONDS = 5.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds until the next attempt to reach the engine."""
RELIST_SECONDS, RELIST_GAP = 300.0, 5.0
"""Seconds between two inspections of all containers: the maximum, and the minimum when events may have been missed."""
RETRY_WAIT, STUCK_WAIT = 1.0, 30.0
"""Seconds until a container is inspected again after one or several failures, while the engine answers."""
NOT_FOUND = 404

log = logging.getLogger(__name__)


class Discovery:
    """Discovery of an engine's containers.

    The containers are kept in `KnownContainers`, which also calls `on_change`.
    """

    def __init__(self, engine: Engine, mapping: ServiceMapping, on_change: OnChange) -> None:
        self._known = KnownContainers(on_change)
        self.containers = self._known.containers
        """By id. Always the same dictionary."""
        self.up = False
        self.error = "the Docker engine has not been asked yet"
        """One sentence that says why it is not up; empty while it is."""
        self.info: EngineInfo | None = None
        """None while it is not up."""
        self.failures = 0
        """Inspects that failed while the engine answered."""
        self._engine = engine
        self._mapping = mapping
        self._lanes: Lanes
        self._out_of_step = asyncio.Event()
        self.events = EventStream(engine, self._happened, self._out_of_step.set)

    @property
    def unknown(self) -> int:
        """Return the number of containers about which nothing is known although the engine answers."""
        return self._known.unknown

    def knows(self, service: str) -> bool:
        """True while each container of this service is known."""
        return self.up and self._known.all_of(service)

    def exists(self, identifier: str) -> bool:
        """True if the container exists, also while nothing is known about it."""
        return self._known.exists(identifier)

    @property
    def existing(self) -> set[str]:
        """Return the ids of all containers, including those about which nothing is known."""
        return self._known.existing

    async def run(self) -> None:
        """Follow the engine until cancelled, then forget all containers."""
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
                    log.exception("an error in the exporter; watching containers starts again")
                    self._lost("the exporter failed to watch the Docker engine; its log has the error")
                await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - to spread load, not a secret
                wait = min(wait * 2, LONGEST_WAIT)
        finally:
            self._forget("the Docker engine is no longer watched")

    def note_oom_kills(self, container: str, kills: int) -> None:
        """Take the kernel's count of out-of-memory kills since the container last started."""
        self._known.note_oom_kills(container, kills)

    async def _follow(self) -> None:
        """Follow the engine from the first event stream until it does not answer. Always ends with an EngineError."""
        await self._greet()
        self._known.stage()
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
        """Inspect all containers again, from time to time and after a gap in the events."""
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
        known = self._known.described
        listed = await list_containers(self._engine, self._mapping)
        self._known.take_list(listed)
        # A known container that is not listed is inspected too: it is removed when the engine says that it is gone.
        await self._lanes.all_of(listed.keys() | known)

    def _happened(self, event: Event) -> None:
        if event.action == "destroy":
            self._lanes.drop(event.container)
            self._known.remove(event.container)
            return
        if event.action == "oom" and not self._known.note_oom_event(event):
            return
        if event.action == "die":
            self._known.note_end(event)
        self._lanes.ask(event.container)
        if event.action == "health_status" and self.info is not None and self.info.product == "podman":
            # Podman sends the event of a health check before it stores the result.
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
            self._known.remove(container)
        else:
            self._known.take(known)

    async def _described(self, container: str) -> Container | None:
        """Return the container; None if it is not to be watched."""
        assert self.info is not None  # noqa: S101 - set before there are lanes
        told = await self._engine.get(f"/containers/{container}/json", seconds=INSPECT_SECONDS)
        known = container_of(told, self.info, self._mapping)
        if known is not None and known.identity.id != container:
            raise ValueError("the engine describes another container")
        return known

    def _failed(self, container: str, error: str, lanes: Lanes, status: int | None = None) -> None:
        """Handle a failed inspect while the engine answers: keep the last known state for one more attempt."""
        self.failures += 1
        if not lanes.wanted(container):
            return
        if self._known.doubt(container):
            lanes.ask_later(container, RETRY_WAIT)
            return
        lanes.ask_later(container, STUCK_WAIT)
        self._known.hide(container, error, refused=status in REFUSED)

    def _publish(self) -> None:
        assert self.info is not None  # noqa: S101 - set before there are lanes
        self.up, self.error = True, ""
        count = self._known.publish()
        log.info(
            "the Docker engine %s at %s has %d containers to watch",
            self.info.version,
            self._engine.endpoint.shown,
            count,
        )

    def _lost(self, error: str) -> None:
        if error != self.error:
            log.warning("%s; the state of all containers is unknown until it answers", error)
        self._forget(error)

    def _forget(self, error: str) -> None:
        self.up, self.error, self.info = False, error, None
        self._known.forget()


def _reason(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first EngineError, since it leads to the others; the whole group if it has any other error."""
    _, others = group.split(EngineError)
    if others is not None:
        return group
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
