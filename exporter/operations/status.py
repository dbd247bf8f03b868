"""`exporter status`: what the catalog wants, what runs, what is not right, and the next command."""

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
from exporter.operations.watched import watched_rows
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
    """An environment now. `problems` is empty where all is as the catalog wants it; `notes` are worth knowing."""

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
    """Ask the engine and read the host's files. Changes nothing.

    Raises:
        EngineLost: the engine does not answer.
        OperationError: a file cannot be read.
    """
    containers = [
        each for each in engine.containers(site.compose_project) if each.service not in site.watched
    ]
    state = site.state
    try:
        deploys = last(state.path / DEPLOYS, SHOWN_DEPLOYS)
    except RecordsError as error:
        raise OperationError(str(error)) from None
    held = (lock.holder(state) or "an unknown command") if lock.is_locked(state) else None
    restoring = state.fields(RESTORING)
    services = rows(wanted(site), containers, lambda each: release_of(state, each))
    services += watched_rows(site, engine)
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
    """Return when the oldest container started: data may be there for at least as long."""
    return min((each.started.timestamp() for each in containers if each.started), default=None)


def _judged(status: Status, site: Site) -> Status:
    """Add what is not right, the worst first, and what to do about the first of it."""
    faults = list(_faults(status, site))
    notes = [f"locked by {status.lock}"] if status.lock else []
    if site.watched:
        notes.append(f"only watched, never deployed or backed up from here: {', '.join(site.watched)}")
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
    """Yield each fault with the command that looks into it or ends it."""
    e = f"-e {site.environment}"
    deploy = f"exporter deploy {e} --tag {status.tag or 'TAG'}"
    if status.restore and not status.lock and (left := site.state.restore_left(site.environment)):
        backup, names = (shown(status.restore.get(key, "")) for key in ("backup", "names"))
        yield f"a restore was interrupted: {left}", f"exporter restore {e} {backup} {names}"
    if status.step and not status.lock:
        killed = f'a deploy was killed at the step "{shown(status.step)}"'
        yield f"{killed}; the next deploy or rollback repairs it", deploy
    if not status.containers and any(row.wanted for row in status.services):
        yield "nothing runs", deploy if site.catalog.deploys else site.start_alone
        return
    # What is gone altogether comes back by a deploy; of what fails, the log says why.
    for row in sorted(status.services, key=lambda row: row.health != MISSING):
        if row.problem:
            log = f"exporter compose {e} -- logs --tail 50 {row.name}"
            again = deploy if site.catalog.deploys else site.start_alone
            look = log if row.managed else f"exporter check {e} {row.name}"
            yield row.problem, again if row.health == MISSING else look
    for store in status.stores:
        if store.problem:
            drill = f"exporter restore {e} latest {store.name} --drill"
            yield store.problem, drill if store.drill_failed else f"exporter backup {e} {store.name}"
