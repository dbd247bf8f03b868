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
from exporter.operations.watched import watched_rows
from exporter.releases.ending import release_of
from exporter.releases.journal import Journal
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
    """Return the start time of the oldest container: data may exist for at least as long."""
    return min((each.started.timestamp() for each in containers if each.started), default=None)


def _judged(status: Status, site: Site) -> Status:
    """Add the problems, worst first, and the next command for the first one."""
    faults = list(_faults(status, site))
    notes = [f"locked by {status.lock}"] if status.lock else []
    if note := site.watched_note:
        notes.append(note)
    notes += [
        f"{shown(row.name)} is not in the catalog; the next deploy removes it"
        if row.name
        else "a container of the project has no service; no deploy touches it"
        for row in status.services
        if row.kind == "unknown"
    ]
    command = ""
    if faults:
        command = f"exporter status -e {site.environment}" if status.lock else faults[0][1]
    return replace(status, problems=[sentence for sentence, _ in faults], notes=notes, next_command=command)


def _unfinished(site: Site, deploy: str) -> Iterator[tuple[str, str]]:
    """Yield what interrupted commands have left; a journal that cannot be read counts as well."""
    e = f"-e {site.environment}"
    try:
        if left := site.state.half_restored(site.environment):
            yield f"a restore was interrupted: {left.sentence}", left.command
    except OperationError as error:
        yield error.sentence, f"exporter restore {e} latest"
    try:
        if found := Journal(site.state).interrupted():
            killed = f'a deploy was killed at the step "{found[1]}"'
            yield f"{killed}; the next deploy or rollback repairs it", deploy
    except OperationError as error:
        yield error.sentence, f"exporter doctor {e}"


def _faults(status: Status, site: Site) -> Iterator[tuple[str, str]]:
    """Yield each problem with the command that investigates or fixes it."""
    e = f"-e {site.environment}"
    deploy = f"exporter deploy {e} --tag {status.tag or 'TAG'}"
    if not status.lock:
        yield from _unfinished(site, deploy)
    if not status.containers and any(row.wanted for row in status.services):
        yield "nothing is running", deploy if site.catalog.deploys else site.start_alone
        return
    # A missing service comes back with a deploy; for a failing one, the log says why.
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
