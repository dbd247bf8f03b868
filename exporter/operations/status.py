"""`exporter status`: what the catalog wants, what is running, problems, and the next command."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exporter.catalog.planning.places import DEPLOYS
from exporter.host import lock
from exporter.host.failures import OperationError
from exporter.host.shown import shown
from exporter.host.state import CURRENT, RESTORING
from exporter.operations.rows import MISSING, ServiceRow, rows, wanted
from exporter.operations.stores import StoreRow, store_rows
from exporter.releases.ending import release_of
from exporter.releases.records import Record, RecordsError, last

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.site import Site

SHOWN_DEPLOYS = 5


@dataclass(frozen=True)
class Status:
    """The state of an environment. `problems`: empty if everything matches the catalog. `notes`: other information."""

    project: str
    environment: str
    tag: str | None
    services: list[ServiceRow]
    stores: list[StoreRow]
    containers: Sequence[Container]
    deploys: list[Record]
    lock: str | None
    step: str | None
    restore: dict[str, str] | None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next_command: str = ""

    @property
    def good(self) -> bool:
        """True if nothing is missing or wrong."""
        return not self.problems


def look(site: Site, engine: Engine) -> Status:
    """Query the engine and read the host's files. Changes nothing.

    Raises:
        EngineLost: The engine does not answer.
        OperationError: A file cannot be read.
    """
    containers = engine.containers(site.compose_project)
    state = site.state
    try:
        deploys = last(state.path / DEPLOYS, SHOWN_DEPLOYS)
    except RecordsError as error:
        raise OperationError(str(error)) from None
    held = (lock.holder(state) or "an unknown command") if lock.is_locked(state) else None
    restoring = state.fields(RESTORING)
    services = rows(wanted(site), containers, lambda each: release_of(state, each))
    status = Status(
        project=site.project,
        environment=site.environment,
        tag=state.running_tag,
        services=services,
        stores=store_rows(site, time.time(), _first_start(containers)),
        containers=containers,
        deploys=deploys,
        lock=held,
        step=state.fields(CURRENT).get("step"),
        restore=restoring or None,
    )
    return _judged(status, site)


def _first_start(containers: Sequence[Container]) -> float | None:
    """Return the start time of the oldest container: data may exist for at least as long."""
    return min((each.started.timestamp() for each in containers if each.started), default=None)


def _judged(status: Status, site: Site) -> Status:
    """Add the problems, worst first, and the next command for the first one."""
    faults = list(_faults(status, site))
    notes = [f"locked by {status.lock}"] if status.lock else []
    notes += [
        f"{shown(row.name) or 'a container without a service'} is not in the catalog; the next deploy removes it"
        for row in status.services
        if row.kind == "unknown"
    ]
    command = ""
    if faults:
        command = f"exporter status -e {site.environment}" if status.lock else faults[0][1]
    return replace(status, problems=[sentence for sentence, _ in faults], notes=notes, next_command=command)


def _faults(status: Status, site: Site) -> Iterator[tuple[str, str]]:
    """Yield each problem with the command that investigates or fixes it."""
    e = f"-e {site.environment}"
    deploy = f"exporter deploy {e} --tag {status.tag or 'TAG'}"
    if status.restore and not status.lock and (left := site.state.restore_left(site.environment)):
        backup, names = (shown(status.restore.get(key, "")) for key in ("backup", "names"))
        yield f"a restore was interrupted: {left}", f"exporter restore {e} {backup} {names}"
    if status.step and not status.lock:
        killed = f'a deploy was killed at the step "{shown(status.step)}"'
        yield f"{killed}; the next deploy or rollback repairs it", deploy
    if not status.containers and any(row.wanted for row in status.services):
        yield "nothing is running", deploy
        return
    # A missing service comes back with a deploy; for a failing one, the log says why.
    for row in sorted(status.services, key=lambda row: row.health != MISSING):
        if row.problem:
            log = f"exporter compose {e} -- logs --tail 50 {row.name}"
            yield row.problem, deploy if row.health == MISSING else log
    for store in status.stores:
        if store.problem:
            drill = f"exporter restore {e} latest {store.name} --drill"
            yield store.problem, drill if store.drill_failed else f"exporter backup {e} {store.name}"
