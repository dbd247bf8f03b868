"""The daemon: loads a plan, watches its targets, exports the results, reloads and stops."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import time
from typing import TYPE_CHECKING

from exporter.catalog.values.secret_text import forget_all_but
from exporter.daemon.guard import PARTS, Guard
from exporter.daemon.loading import LoadError
from exporter.daemon.schedule import Schedule
from exporter.daemon.storage import StorageWatch
from exporter.daemon.surroundings import Surroundings
from exporter.daemon.watch import Watch
from exporter.daemon.web.merged import Merged
from exporter.metrics.counts import DEFAULT_BUCKETS
from exporter.metrics.own import OwnMetrics
from exporter.metrics.series import Series
from exporter.probes.compile import CompileError, Shared, compile_target, reads_files
from exporter.probes.measure import MeasuredProbe
from exporter.probes.net.resolve import close_resolver
from exporter.probes.protocols import protocol_of
from exporter.probes.tls.files import TlsError
from exporter.probes.void import LOOP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from exporter.catalog.planning.plan import Plan, Target
    from exporter.daemon.containers import ContainerWatch
    from exporter.metrics.items import Rows

    Loader = Callable[[], Awaitable[Plan]]

COMPILED_AT_ONCE = 50
"""Targets compiled before the running probes get a turn: about 2 ms."""

STALL_LOGGED_SECONDS = 1.0
"""Shorter stalls are only in the metrics."""

log = logging.getLogger(__name__)


class Daemon:
    """A daemon that watches one plan. `load` returns the plan at the start and at each reload."""

    def __init__(self, load: Loader) -> None:
        self._load = load
        self._schedule = Schedule()
        self._reloads = Merged(self._reload)
        self.own = OwnMetrics()
        for part in PARTS:
            self.own.internal_errors.labels(part=part)
        self._guard = Guard(self.own)
        self.plan: Plan
        self.watches: dict[tuple[str, str], Watch] = {}
        self._first_round_done = False
        self._storage = StorageWatch(self._guard)
        self._containers: ContainerWatch | None = None
        self._containers_of: object = None
        """The part of the plan for which the current watch of containers was created."""

    async def start(self) -> Plan:
        """Load the plan and start watching.

        Raises:
            LoadError: the plan cannot be loaded.
        """
        raise_descriptor_limit()
        LOOP.start()
        plan = await self._load()
        self._schedule.start()
        await self._apply(plan)
        LOOP.start(
            self._on_stall
        )  # only now: imports and compiling have blocked the loop until here, and nothing waited for it
        return plan

    def _on_stall(self, seconds: float) -> None:
        self.own.event_loop_stall_seconds.observe(seconds)
        if seconds >= STALL_LOGGED_SECONDS:
            log.warning("the event loop stood still for %.1f s: nothing was probed or answered", seconds)

    async def stop(self) -> None:
        """Cancel all active runs and close their sockets."""
        await self._reloads.stop()
        self._schedule.stop()
        await asyncio.gather(*(watch.stop() for watch in self.watches.values()), self._storage.stop())
        if self._containers is not None:
            await self._containers.stop()
        await close_resolver()
        LOOP.stop()

    @property
    def ready(self) -> bool:
        """True once each target has been probed since the start."""
        self._first_round_done = self._first_round_done or self.waiting_for() == 0
        return self._first_round_done

    def waiting_for(self) -> int:
        """Return the number of targets that have not finished a first run."""
        return sum(watch.result is None and not watch.rests for watch in self.watches.values())

    async def reload(self) -> None:
        """Load the plan again. Nothing changes unless all of it is valid. Reloads requested during a reload are merged
        into one.

        Raises:
            LoadError: the new plan cannot be used; the previous one stays active.
        """
        await self._reloads()

    async def _reload(self) -> None:
        try:
            await self._apply(await self._load())
        except LoadError as error:
            self.own.config_last_reload_successful.set(0)
            log.error("reload failed; the previous catalog stays active:\n%s", error)  # noqa: TRY400 - a user's mistake, not a defect: no traceback
            raise

    async def _apply(self, plan: Plan) -> None:
        """Switch to `plan`. Unchanged targets keep their schedule, their counts and an active run."""
        bounds = tuple(sorted({*DEFAULT_BUCKETS, *plan.buckets}))
        watches = await self._compile(plan, bounds)
        old, self.watches, self.plan = self.watches, watches, plan
        gone = [watch for key, watch in old.items() if watches.get(key) is not watch]
        self._schedule.remove(gone)
        self._schedule.add(watch for key, watch in watches.items() if old.get(key) is not watch)
        self.own.targets.set(len(watches))
        self.own.config_last_reload_successful.set(1)
        self.own.config_last_reload_success_timestamp_seconds.set(time.time())
        await asyncio.gather(*(watch.stop() for watch in gone))
        probes = [watch.probe for watch in watches.values()]
        forget_all_but(
            {file for probe in probes if isinstance(probe, MeasuredProbe) for file in probe.secret_files}
        )
        await self._storage.apply(plan)
        await self._watch_containers(plan)
        log.info("watching %d targets of %d services and stores", len(watches), len(plan.services))
        # A plan's objects live as long as the plan; frozen, they cost the garbage collector no time.
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    async def _watch_containers(self, plan: Plan) -> None:
        """Start a new watch of containers if its settings changed; its counts (logs, restarts, kills) start at 0."""
        of = (
            plan.containers,
            [
                (
                    *(each.name, each.logs, each.deployed, each.claim, each.contained),
                    *(each.replicas, each.wanted, each.least, each.ends, each.may_end, each.on_demand),
                )
                for each in plan.services
            ],
        )
        if of == self._containers_of:
            return
        if self._containers is not None:
            await self._containers.stop()
            self._containers = None
        self._containers_of = of
        endpoint = plan.containers.endpoint
        if plan.containers.source != "off" and endpoint is not None:
            # Imported here: the engine's client uses memory that a daemon without containers can save.
            from exporter.daemon.containers import ContainerWatch

            self._containers = ContainerWatch(plan, endpoint, self._guard)

    async def _compile(self, plan: Plan, bounds: tuple[float, ...]) -> dict[tuple[str, str], Watch]:
        shared = Shared()
        try:
            await shared.read_files(target.spec for target in plan.targets)
        except TlsError as error:
            raise LoadError(str(error)) from None
        watches: dict[tuple[str, str], Watch] = {}
        for index, target in enumerate(plan.targets):
            if index % COMPILED_AT_ONCE == COMPILED_AT_ONCE - 1:
                await asyncio.sleep(0)
            watches[target.key] = self._watch(target, shared, bounds)
        return watches

    def _watch(self, target: Target, shared: Shared, bounds: tuple[float, ...]) -> Watch:
        old = self.watches.get(target.key)
        same_bounds = old is not None and old.series.bounds == bounds
        if old is not None and same_bounds and old.target == target and not reads_files(target.spec):
            return old
        protocol = protocol_of(target.spec).name
        try:
            probe = compile_target(target, shared)
        except CompileError as error:
            raise LoadError(str(error)) from None
        series = Series(target.service, target.probe, target.target, protocol, bounds)
        watch = Watch(target, probe, series, self.own, self._runs)
        if (
            old is not None
            and same_bounds
            and old.series.protocol == protocol
            and old.target.target == target.target
        ):
            watch.inherit(old)
        return watch

    def _runs(self, service: str) -> bool:
        """True if a container of the service is known to run."""
        return self._containers is not None and self._containers.runs(service)

    async def refresh(self) -> None:
        """Read the containers that are due, for the next output. Waits for no engine and no disk."""
        if self._containers is not None:
            with self._guard.part("containers"):
                await self._containers.refresh()

    def tables(self) -> list[Rows]:
        """Return what is exported besides the targets, as of now."""
        containers = self._containers.tables if self._containers is not None else ()
        rows = [self._guard.value("exposition", table.rows) for table in (*containers, *self._storage.tables)]
        return [each for each in rows if each is not None]

    def surroundings(self) -> Surroundings:
        """Return what is known besides the probes, for the API and the page."""
        watch, guard, storage = self._containers, self._guard, self._storage
        return Surroundings(
            docker=guard.value("containers", watch.docker) if watch else None,
            containers=guard.value("containers", watch.views) or () if watch else (),
            wanted=guard.value("containers", watch.wanted) or {} if watch else {},
            volumes=guard.value("storage", lambda: storage.volumes) or {},
            backups=guard.value("storage", lambda: storage.backups) or {},
            guard=guard,
        )

    def series(self) -> Iterable[Series]:
        """Return the series of all targets, in the catalog's order."""
        return [watch.series for watch in self.watches.values()]


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to the hard limit: thousands of targets may be connected at the same time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
