"""The end of a deploy or rollback: its record, the state kept for later rollbacks, and the removal of old states."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from exporter.catalog.planning.places import DEPLOYS
from exporter.host.failures import NotThere, OperationError, Refused
from exporter.host.shown import shown
from exporter.host.state import RESTORING, RUNNING
from exporter.releases import kept
from exporter.releases.journal import Journal, Way, is_id
from exporter.releases.kept import ImageRow
from exporter.releases.pruning import disposable
from exporter.releases.records import Image, Record, RecordsError, add, changes, last, undoable
from exporter.releases.tags import ROLLBACK, rollback_name, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.host.containers import Container
    from exporter.host.state import StateFolder
    from exporter.releases.context import Context
    from exporter.releases.journal import Deploy

ALL = 1_000_000
_RENAMED = 5
"""Limit on following kept names of images to the original one, for rollbacks of rollbacks."""


def records_of(state: StateFolder) -> list[Record]:
    """Return all records, oldest first.

    Raises:
        OperationError: The records cannot be read.
    """
    try:
        return last(state.path / DEPLOYS, ALL)
    except RecordsError as error:
        raise OperationError(str(error)) from None


def finish(context: Context, deploy: Deploy, result: str, error: str = "") -> Record:
    """Write the record, then remove the journal. If the record cannot be written, the next run tries again."""
    state = context.state
    name = kept.UNDONE if deploy.kind is Way.ROLLBACK else kept.BEFORE
    before = kept.read_rows(state, f"{kept.rollback_folder(deploy.base)}/{name}")
    after = kept.images_of(context.containers())
    record = Record(
        id=deploy.id,
        environment=context.site.environment,
        services=(deploy.service,) if deploy.service else (),
        who=deploy.user,
        host=socket.gethostname(),
        started=deploy.started,
        finished=time.time(),
        result=result,
        version=deploy.tag,
        images=changes(_images(state, before), _images(state, after)),
        error=error,
        reverts=deploy.base if deploy.kind is Way.ROLLBACK else "",
    )
    try:
        add(state.path / DEPLOYS, record)
    except RecordsError as problem:
        raise OperationError(f"{problem}; the next run tries again") from None
    Journal(state).end()
    return record


def keep_good(context: Context, deploy: Deploy) -> Record:
    """End a good deploy: `running` now points to it."""
    state = context.state
    folder = kept.release_folder(deploy.id)
    kept.copy_definitions(state, context.site.folder, folder)
    state.write(f"{folder}/{kept.TAG}", f"{deploy.tag}\n")
    kept.copy_files(state, folder)
    kept.write_images(state, folder, {row.service: row.name for row in kept.images_of(context.containers())})
    state.point_to(RUNNING, folder)
    # If a restore was interrupted after everything was restored, the services it had stopped are running now.
    if not deploy.service and not state.restore_left(context.site.environment):
        state.remove(RESTORING)
    return finish(context, deploy, "ok")


def prune(context: Context) -> None:
    """Remove folders and tags that no rollback needs. A tag in use by a container stays, with its folder."""
    state, engine = context.state, context.engine
    can_be_undone = undoable(records_of(state))
    for folder in disposable(kept.folders(state), can_be_undone, kept.running_link(state)):
        deploy = folder.rpartition("/")[2]
        try:
            for row in kept.read_rows(state, f"{folder}/{kept.BEFORE}"):
                engine.untag(rollback_name(context.site.compose_project, row.service, deploy))
        except NotThere:
            pass
        except Refused:
            continue
        state.remove(folder)


def original_name(state: StateFolder, row: ImageRow) -> str:
    """Return the name that an image was deployed with, also if its container uses the name kept for a rollback."""
    for _ in range(_RENAMED):
        tag = tag_of(row.name)
        deploy = tag.removeprefix(ROLLBACK)
        if deploy == tag or not is_id(deploy):
            break
        rows = kept.read_rows(state, f"{kept.rollback_folder(deploy)}/{kept.BEFORE}")
        found = next((each for each in rows if each.service == row.service), None)
        if found is None:
            break
        row = found
    return row.name


def release_of(state: StateFolder, container: Container) -> str:
    """Return the original tag of a container's image, safe to print."""
    row = ImageRow(container.service, container.image_id, container.image_name)
    return shown(tag_of(original_name(state, row)))


def tags_of(state: StateFolder, rows: Iterable[ImageRow]) -> dict[str, str]:
    """Return the original tag of each service's image."""
    return {row.service: tag_of(original_name(state, row)) for row in rows}


def _images(state: StateFolder, rows: Iterable[ImageRow]) -> dict[str, Image]:
    return {row.service: Image(row.image, tag_of(original_name(state, row))) for row in rows}
