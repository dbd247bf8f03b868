"""Watch of one plan's containers: discovery, readings, logs and the exported series."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from exporter.containers.discovery import Discovery
from exporter.containers.engine import Engine, load_backend
from exporter.containers.logs import LogWatch
from exporter.containers.mapping import ServiceMapping
from exporter.containers.model import ACTIVE
from exporter.containers.readings import Readings
from exporter.daemon.container_services import ContainerServices
from exporter.daemon.guard import Guard
from exporter.daemon.surroundings import ContainerView, DockerState
from exporter.metrics.container_families import CONTAINER_FAMILIES, Seen, container_labels
from exporter.metrics.items import Items
from exporter.metrics.storage_families import DOCKER_FAMILIES, LOG_FAMILIES, DockerView, LogView
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import Endpoint, Plan
    from exporter.containers.model import Container, EngineInfo, Identity, Reading

DOCKER = "docker"
"""The key of the one engine."""
SHOWN_AT_ONCE = 20
"""Containers whose series are updated before the running probes get a turn: about 1 ms."""


class ContainerWatch:
    """A watch of containers, from its creation in a running loop until `stop`. `endpoint`: the engine's address."""

    def __init__(self, plan: Plan, endpoint: Endpoint, guard: Guard | None = None) -> None:
        self._guard = guard or Guard()
        self._logs_of = {service.name: service.logs for service in plan.services if service.logs}
        load_backend()
        self._engine = Engine(endpoint)
        self._readings = Readings(plan.containers, self._engine)
        self._logs = LogWatch(self._engine, self._logs_of)
        mapping = ServiceMapping(
            [service.name for service in plan.services],
            plan.containers.projects,
            strangers=plan.containers.strangers,
            labels=plan.containers.labels,
            claims={service.name: service.claim for service in plan.services if service.claim},
        )
        self._discovery = Discovery(self._engine, mapping, self._changed)
        self._services = ContainerServices(plan)
        self._strangers = plan.containers.strangers
        self._seen: dict[str, Container] = {}
        self._labels: dict[str, tuple[Identity, bool, str]] = {}
        self._shown: dict[str, tuple[Container, Reading | None, float | None, bool]] = {}
        self._cores: dict[str, tuple[Reading, float | None]] = {}
        self._refreshing = asyncio.Lock()
        self._container_items = Items(CONTAINER_FAMILIES)
        self._docker_items = Items(DOCKER_FAMILIES)
        self._log_items = Items(LOG_FAMILIES)
        self._task = asyncio.create_task(self._discovery.run())

    @property
    def tables(self) -> tuple[Items[Any], ...]:
        """Return the tables for the exposition."""
        return self._docker_items, *self._services.tables, self._container_items, self._log_items

    async def stop(self) -> None:
        """Close all connections to the engine."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._logs.stop()
        await self._readings.close()
        await self._engine.close()

    async def refresh(self) -> None:
        """Read what is due, and update changed series. Call it before each scrape. Never waits for the engine."""
        async with self._refreshing:
            await self._readings.refresh(list(self._discovery.containers.values()))
            for container_id, reading in list(self._readings.latest.items()):
                if reading.oom_kills is not None:  # 0 too: it is the start of counting
                    self._discovery.note_oom_kills(container_id, reading.oom_kills)
            for index, container_id in enumerate(list(self._discovery.containers)):
                if index % SHOWN_AT_ONCE == SHOWN_AT_ONCE - 1:
                    await asyncio.sleep(0)
                container = self._discovery.containers.get(container_id)
                if container is not None:
                    self._show(container)
            info = self._discovery.info if self._discovery.up else None
            if info is not None:
                self._services.there_are(self._discovery.existing)
            self._services.show(info, self._discovery.knows)
            self._docker_items.set(DOCKER, "", self._docker_view(info))
            unreadable = self._logs.unreadable
            for service, skipped in self._logs.skipped.items():
                counts = {
                    name: self._logs.counts[service, name] for name, _ in self._logs_of[service].patterns
                }
                readable = service not in unreadable if self._discovery.up else None
                view = LogView(counts, skipped, readable)
                self._log_items.set(service, label_text([("service", service)]), view, newborn=True)

    def docker(self) -> DockerState:
        """Return the state of the engine, for the API and the page."""
        info = self._discovery.info
        return DockerState(
            up=self._discovery.up,
            address=self._engine.endpoint.shown,
            error=self._discovery.error,
            version=info.version if info else "",
            refused=tuple(self._engine.refused.values()),
            sources=self._sources(),
        )

    def wanted(self) -> dict[str, int]:
        """Return how many containers of each service must run on this engine, for services where that is known."""
        info, knows = self._discovery.info, self._discovery.knows
        found = {name: self._services.wanted(name, info) for name in self._services.names if knows(name)}
        return {name: wanted for name, wanted in found.items() if wanted is not None}

    def runs(self, service: str) -> bool:
        """True if a container of the service is known to run."""
        return self._services.runs(service)

    def views(self) -> tuple[ContainerView, ...]:
        """Return a view of each container, for the API and the page."""
        return tuple(self._view(container) for container in self._discovery.containers.values())

    def _docker_view(self, info: EngineInfo | None) -> DockerView:
        discovery = self._discovery
        return DockerView(
            up=info is not None,
            sources=self._sources(),
            cores=info.cores if info else None,
            memory=info.memory if info else None,
            unknown=discovery.unknown if info else None,
            refused=tuple(sorted(self._engine.refused)),
            failures={"inspect": discovery.failures, **dict(self._readings.failures)},
            streams_lost=discovery.events.lost,
            events_skipped=discovery.events.skipped,
        )

    def _changed(self, container_id: str, container: Container | None) -> None:
        with self._guard.part("containers"):
            self._take_change(container_id, container)

    def _take_change(self, container_id: str, container: Container | None) -> None:
        if container is None:
            self._lose(container_id)
            return
        if container.status.state not in ACTIVE:
            self._readings.forget(container_id)
            self._cores.pop(container_id, None)
        if container.identity.service in self._logs_of:
            self._logs.follow(container)
        self._seen[container_id] = container
        newborn, others = self._services.seen(container)
        self._show(container, newborn=newborn)
        for other in others:
            self._show(other)

    def _lose(self, container_id: str) -> None:
        """Forget a container that was removed, or whose engine is unreachable."""
        self._readings.forget(container_id)
        self._logs.unfollow(container_id)
        self._container_items.discard(container_id)
        for known in (self._labels, self._shown, self._cores):
            known.pop(container_id, None)
        container = self._seen.pop(container_id, None)
        if container is not None:
            removed = self._discovery.up and not self._discovery.exists(container_id)
            for other in self._services.lost(container, removed=removed):
                self._show(other)

    def _show(self, container: Container, *, newborn: bool = False) -> None:
        """Update its series if it or its reading has changed. If that fails, all its series are left out."""
        made = self._guard.value("containers", lambda: self._make(container, newborn=newborn))
        if made is None:
            self._container_items.discard(container.identity.id)

    def _make(self, container: Container, *, newborn: bool) -> bool:
        identity = container.identity
        reading = self._readings.latest.get(identity.id)
        seen_at = time.time() if container.status.state in ACTIVE else None
        old = identity.id in self._services.old
        shown = container, reading, seen_at, old
        if self._shown.get(identity.id) == shown:
            return True
        if old and not self._strangers:
            self._container_items.discard(identity.id)
            self._shown[identity.id] = shown
            return True
        labels = self._labels.get(identity.id)
        if labels is None or labels[0] is not identity or labels[1] != old:
            labels = self._labels[identity.id] = identity, old, container_labels(identity, old=old)
        self._container_items.set(identity.id, labels[2], Seen(container, reading, seen_at), newborn=newborn)
        if reading is not None:
            before = self._cores.get(identity.id)
            if before is None or before[0] is not reading:
                self._cores[identity.id] = reading, _cores(before[0] if before else None, reading)
        self._shown[identity.id] = shown
        return True

    def _view(self, container: Container) -> ContainerView:
        container_id = container.identity.id
        reading = self._readings.latest.get(container_id)
        cores = self._cores.get(container_id)
        used = cores[1] if reading and cores else None
        return ContainerView(container, reading, used, old=container_id in self._services.old)

    def _sources(self) -> dict[str, int]:
        counts: dict[str, int] = {str(source): count for source, count in self._readings.counts().items()}
        running = sum(container.status.state in ACTIVE for container in self._discovery.containers.values())
        return {**counts, "none": max(0, running - sum(counts.values()))}


def _cores(before: Reading | None, now: Reading) -> float | None:
    """Return the cores used between two readings without a restart between; None if unknown."""
    if before is None or before.cpu_seconds is None or now.cpu_seconds is None:
        return None
    used, took = now.cpu_seconds - before.cpu_seconds, now.taken_at - before.taken_at
    return used / took if used >= 0 and took > 0 else None
