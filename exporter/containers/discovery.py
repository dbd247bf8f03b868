"""Which containers there are and how they are, kept true by the engine's events.

Events are subscribed to before all containers are listed, so that nothing falls between. An event leads to one inspect
of its container, however many of its events wait; what did not change is not asked for again. While the engine cannot
be reached there are no containers here, because nothing is known of them then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.containers.engine import EngineError
from exporter.containers.events import Event, events, params
from exporter.containers.inspect import container_of
from exporter.containers.lanes import Lanes
from exporter.containers.model import ACTIVE
from exporter.containers.oom import OomCount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.containers.engine import Engine
    from exporter.containers.mapping import ServiceMapping
    from exporter.containers.model import Container, EngineInfo

    OnChange = Callable[[str, Container | None], None]

LIST_SECONDS, INSPECT_SECONDS, PING_SECONDS = 10.0, 5.0, 3.0
QUIET_SECONDS = 10.0
"""Without events for so long, the engine is asked whether it still answers."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds until the next attempt to reach the engine."""
STUCK_WAIT = 30.0
"""Seconds until a container is asked for again whose inspect failed while the engine answers."""
NOT_FOUND = 404
_OVERLAP = 1_000_000_000
"""Nanoseconds that are asked for twice after a reconnect: the engine's events are not strictly in order of time."""
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
        self._engine = engine
        self._mapping = mapping
        self._on_change = on_change
        self._ooms: dict[str, OomCount] = {}
        self._first = True
        """Until all containers are known for the first time: those of before were there before us."""
        self._told_ooms: deque[tuple[int, str]] = deque(maxlen=_REPLAYED)
        self._told_until: int | None = None
        self._complained: set[str] = set()
        self._staged: dict[str, Container] | None = None
        self._heard_at = 0.0

    @property
    def complete(self) -> bool:
        """True while every container of the engine is known; one that cannot be inspected may be any service's."""
        return self.up and not self._complained

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
                await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - to spread load, not a secret
                wait = min(wait * 2, LONGEST_WAIT)
        finally:
            self._forget("the Docker engine is not watched any more")

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
        """From one subscription to its end, which is always an EngineError."""
        info = await self._engine.hello()
        if self._told_until is None:
            self._told_until = self._engine.clock
            since = None
        else:
            since = self._told_until - _OVERLAP
        async with self._engine.stream("/events", params(since)) as stream:
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._staged, self.info = {}, info
                    lanes = Lanes(self._inspect, tasks)
                    tasks.create_task(self._read(stream, lanes))
                    tasks.create_task(self._watch_quiet())
                    listed = await self._list()
                    self._complained.intersection_update(listed)
                    await lanes.all_of(listed)
                    self._publish()
            except BaseExceptionGroup as group:
                raise _reason(group) from None

    async def _read(self, stream: AsyncIterator[bytes], lanes: Lanes) -> None:
        async for event in events(stream):
            self._heard_at = time.monotonic()
            self._told_until = max(self._told_until or 0, event.at)
            self._happened(event, lanes)
        raise EngineError(f"the Docker engine at {self._engine.endpoint.shown} ended its events")

    def _happened(self, event: Event, lanes: Lanes) -> None:
        if event.action == "destroy":
            lanes.drop(event.container)
            self._remove(event.container)
            return
        if event.action == "oom":
            told = event.at, event.container
            if told in self._told_ooms:
                return
            self._told_ooms.append(told)
            self._count_of(event.container).event(event.at / 1e9)
            # A container that is removed as it ends (`docker run --rm`) may be gone before it can be inspected.
            self._show_oom_events(event.container)
        lanes.ask(event.container)

    async def _watch_quiet(self) -> None:
        """A silent stream may be an engine where nothing happens, or one that hangs."""
        self._heard_at = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, self._heard_at + QUIET_SECONDS - time.monotonic()))
            if time.monotonic() - self._heard_at >= QUIET_SECONDS:
                await self._engine.ping(PING_SECONDS)
                self._heard_at = time.monotonic()

    async def _list(self) -> list[str]:
        listed = await self._engine.get("/containers/json", {"all": "1"}, LIST_SECONDS)
        try:
            return [str(one["Id"]) for one in listed]
        except (KeyError, TypeError):
            raise EngineError("the Docker engine's list of containers is not as expected") from None

    async def _inspect(self, container: str, lanes: Lanes) -> None:
        try:
            told = await self._engine.get(f"/containers/{container}/json", seconds=INSPECT_SECONDS)
            assert self.info is not None  # noqa: S101 - set before there are lanes
            known = container_of(told, self.info, self._mapping)
        except ValueError as error:
            self._hide(container, str(error))
            return
        except EngineError as error:
            if error.status != NOT_FOUND:
                await self._engine.ping(PING_SECONDS)
                lanes.ask_later(container, STUCK_WAIT)
                self._hide(container, str(error))
                return
            known = None
        if not lanes.wanted(container):
            return
        if known is None:
            self._remove(container)
        else:
            self._take(known)

    def _take(self, container: Container) -> None:
        identifier, status = container.identity.id, container.status
        count = self._count_of(identifier)
        # Engines up to 20.10 let OOMKilled of the life before stand until this one ends.
        count.inspected(status.started_at, oom_killed=status.oom_killed and status.state not in ACTIVE)
        self._complained.discard(identifier)
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
        self._complained.discard(identifier)
        self._drop(identifier)

    def _hide(self, identifier: str, error: str) -> None:
        """It is there, and how it is cannot be known while the engine answers for others."""
        if identifier not in self._complained:
            self._complained.add(identifier)
            log.warning("nothing is known of the container %s: %s", identifier[:12], error)
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
        there = staged.keys() | self._complained
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
