"""Resource usage of each container, from its cgroup files if they are visible, otherwise from the engine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.containers.block_devices import BlockDevices
from exporter.containers.cgroup import UNIFIED, USUAL_MOUNT, Group, find_group, find_hierarchy
from exporter.containers.cgroup_v1 import read_v1
from exporter.containers.cgroup_v2 import read_v2
from exporter.containers.kernel_files import Budget, GoneError, KeptFiles
from exporter.containers.model import ACTIVE
from exporter.containers.proc_net import read_interfaces, read_membership, shows_network
from exporter.containers.stats_sampler import DEADLINE, StatsSampler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.planning.plan import ContainersPlan
    from exporter.containers.engine import Engine
    from exporter.containers.model import Container, Reading, Source

log = logging.getLogger(__name__)

_EARLY = 0.05
"""Share of the interval by which a scrape can be early. Scrapes have jitter, and a reading that is used twice and then
skipped would show rates of 0 and of twice the value."""
_LOOK_AGAIN = 60.0
"""Seconds until a container's files that were not visible are searched again."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a container's files. `own_network`: True if its /proc shows its own network."""

    life: tuple[int, float | None]
    looked_at: float
    group: Group | None
    own_network: bool
    whole: bool
    """True if the files have all values."""
    files: KeptFiles


class Readings:
    """Readings of all running containers.

    `latest`: the newest reading of each, by id. A reading from files was taken by the last `refresh`, or earlier within
    the interval. A reading from the engine was taken in the background, up to an interval and an answer's time before.
    """

    def __init__(self, plan: ContainersPlan, engine: Engine) -> None:
        self.latest: dict[str, Reading] = {}
        self._plan = plan
        self._proc = plan.proc or "/proc"
        self._hierarchy = None if plan.source in ("api", "off") else find_hierarchy(plan.cgroup)
        self._devices = BlockDevices()
        self._budget = Budget()
        self._lives: dict[str, tuple[int, float | None]] = {}
        self._places: dict[str, _Place] = {}
        self._read_at: dict[str, float] = {}
        self._warned: set[str] = set()
        self._shared: set[str] = set()
        """Containers that share a network."""
        self._file_failures = 0
        self._era = 0
        # An engine reached over TCP can be on another host, whose devices have other names.
        named = self._devices if engine.endpoint.socket is not None else BlockDevices(None)
        self._sampler = StatsSampler(engine, plan.interval, named, self._record)

    def source_of(self, container: Container) -> Source | None:
        """Return the source for a container; None if it is not running, or only files are allowed and not visible."""
        if self._plan.source == "off" or container.status.state not in ACTIVE:
            return None
        if self._plan.source == "api":
            return "api"
        place = self._place(container)
        if self._plan.source == "auto":
            return "cgroup" if place.group is not None and place.whole else "api"
        return None if place.group is None else "cgroup"

    async def refresh(self, containers: Iterable[Container]) -> None:
        """Update `latest` for a scrape. `containers` must be all containers.

        Files are read now unless they were read within the interval, one container per turn of the event loop. The
        engine is asked in the background, without waiting for it.
        """
        era = self._era
        active = {
            container.identity.id: container for container in containers if container.status.state in ACTIVE
        }
        self._drop_old(active)
        by_api = []
        self._shared = {each for each, container in active.items() if not _has_network(container)}
        for container_id, container in active.items():
            place = self._places.get(container_id)
            try:
                source = self.source_of(container)
            except (OSError, ValueError) as error:
                self._fail(container, error)
                continue
            reads = source == "cgroup" and self._is_due(container_id)
            if reads:
                self._read(container)
            elif source == "api":
                by_api.append(container_id)
            if place is not None and place is self._places.get(container_id):
                self._warn_of_gaps(container, place)
            if reads or place is not self._places.get(container_id):
                await asyncio.sleep(0)
                if self._era != era:
                    return
        self._sampler.want(frozenset(by_api))

    def forget(self, container_id: str) -> None:
        """Drop all data of a container that ended or was removed."""
        self.latest.pop(container_id, None)
        self._read_at.pop(container_id, None)
        self._lives.pop(container_id, None)
        place = self._places.pop(container_id, None)
        if place is not None:
            place.files.close()

    def clear(self) -> None:
        """Drop all data, because the engine is unreachable and the running containers are unknown."""
        self._era += 1
        self._sampler.stop()
        for container_id in list(self._lives):
            self.forget(container_id)

    @property
    def failures(self) -> dict[str, int]:
        """Return the number of failed readings since the start, by source."""
        return {"cgroup": self._file_failures, "api": self._sampler.failures}

    def counts(self) -> dict[Source, int]:
        """Return the number of containers with a reading, by its source."""
        found = Counter(reading.source for reading in self.latest.values())
        return {"cgroup": found["cgroup"], "api": found["api"]}

    async def close(self) -> None:
        self.clear()
        await self._sampler.close()

    def _drop_old(self, active: dict[str, Container]) -> None:
        """Drop readings of containers that ended or restarted, and readings that the engine failed to replace."""
        oldest = time.monotonic() - 2 * max(self._plan.interval, self._sampler.round_seconds) - DEADLINE
        for container_id in list(self._lives):
            container = active.get(container_id)
            if container is None or self._lives[container_id] != _life(container):
                self.forget(container_id)
            elif self._read_at.get(container_id, oldest) < oldest:
                self.latest.pop(container_id, None)
        for container_id, container in active.items():
            self._lives[container_id] = _life(container)

    def _is_due(self, container_id: str) -> bool:
        read_at = self._read_at.get(container_id)
        return read_at is None or time.monotonic() - read_at >= self._plan.interval * (1 - _EARLY)

    def _read(self, container: Container) -> None:
        identity = container.identity
        place = self._place(container)
        group = place.group
        if group is None:
            return
        try:
            interfaces = (
                read_interfaces(self._proc, container.status.pid, identity.id) if place.own_network else ()
            )
            if group.version == 1:
                reading = read_v1(group.folders, place.files, self._devices, interfaces)
            else:
                reading = read_v2(group.folders[UNIFIED], place.files, self._devices, interfaces)
        except GoneError:
            self.forget(identity.id)
        except (OSError, ValueError) as error:
            self._fail(container, error)
        else:
            self._record(identity.id, reading)

    def _fail(self, container: Container, error: OSError | ValueError) -> None:
        """Count a container whose files are not as documented or cannot be read. The others are still read."""
        self._file_failures += 1
        self.forget(container.identity.id)
        why = (
            error.strerror
            if isinstance(error, OSError)
            else "their content is not as the kernel documents it"
        )
        self._warn("files", container, f"its files cannot be read ({why})")

    def _record(self, container_id: str, reading: Reading | None) -> None:
        if reading is None:
            self.forget(container_id)
        else:
            if container_id in self._shared:
                # For a container in the network of another, the engine reports the counters of the other one.
                reading = replace(reading, interfaces=())
            self.latest[container_id] = reading
            self._read_at[container_id] = time.monotonic()

    def _place(self, container: Container) -> _Place:
        container_id = container.identity.id
        place = self._places.get(container_id)
        if place is None or place.life != _life(container) or self._is_to_be_found(place):
            if place is not None:
                place.files.close()
            place = self._places[container_id] = self._look_up(container)
            self._lives.setdefault(container_id, _life(container))
        return place

    def _is_to_be_found(self, place: _Place) -> bool:
        return not place.whole and time.monotonic() - place.looked_at >= _LOOK_AGAIN

    def _look_up(self, container: Container) -> _Place:
        identity = container.identity
        membership = read_membership(self._proc, container.status.pid, identity.id)
        group = None if self._hierarchy is None else find_group(self._hierarchy, identity, membership)
        asked = _has_network(container)
        seen = (
            asked and membership is not None and shows_network(self._proc, container.status.pid, identity.id)
        )
        return _Place(
            life=_life(container),
            looked_at=time.monotonic(),
            group=group,
            own_network=seen,
            whole=group is not None and seen == asked,
            files=KeptFiles(self._budget),
        )

    def _warn_of_gaps(self, container: Container, place: _Place) -> None:
        """Warn about missing files, but not in the first round: the container may just have been ending."""
        if self._plan.source != "cgroup":
            return
        if place.group is None:
            self._warn("cgroup", container, "its cgroup is not visible, so it has no readings")
        elif not place.whole:
            self._warn("network", container, "its processes are not visible, so it has no network counters")

    def _warn(self, what: str, container: Container, consequence: str) -> None:
        """Log a warning once per kind, since it is the same for every container and every scrape."""
        if what not in self._warned:
            self._warned.add(what)
            log.warning(
                "Container %s: %s. The exporter looks for cgroups in %s and for processes in %s; mount the host's"
                " there, or set `source: api`.",
                container.identity.name,
                consequence,
                self._plan.cgroup or USUAL_MOUNT,
                self._proc,
            )


def _life(container: Container) -> tuple[int, float | None]:
    return container.status.pid, container.status.started_at


def _has_network(container: Container) -> bool:
    """True if the container has its own network. The counters of a shared one are not only its own."""
    kind = container.network_mode.partition(":")[0]
    return kind not in ("host", "none", "container", "ns")
