"""Rollback to the release before the last good deploy, or to an earlier one that is still kept."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.host.failures import EngineLost, Interrupted, OperationError
from exporter.releases import kept
from exporter.releases.deploying import blamed, enter
from exporter.releases.ending import finish, original_name, prune, records_of, tags_of
from exporter.releases.failing import show
from exporter.releases.journal import Deploy, Journal, Step, Way
from exporter.releases.plan import plan
from exporter.releases.tags import rollback_name, tag_of
from exporter.releases.taking_back import image_names, take_back
from exporter.releases.targets import choose, targets
from exporter.releases.wanted import wanted

if TYPE_CHECKING:
    from exporter.host.state import StateFolder
    from exporter.releases.context import Context
    from exporter.releases.kept import ImageRow
    from exporter.releases.plan import Plan
    from exporter.releases.records import Record
    from exporter.releases.targets import Target


def kept_targets(state: StateFolder, service: str = "") -> list[Target]:
    """Return every release that a rollback can go to, newest first."""
    return targets(records_of(state), lambda id_: kept.tag_before(state, id_), service)


def target_for(context: Context, service: str, to: str) -> Target:
    """Return the release to roll back to.

    Raises:
        OperationError: There is none, or `service` did not run then.
    """
    target = choose(records_of(context.state), kept_targets(context.state, service), service, to)
    rows = _before(context, target)
    if service and service not in rows:
        raise OperationError(
            f"{service} did not run before deploy {target.base}, so there is nothing to roll back to"
        )
    return target


def planned(context: Context, target: Target) -> Plan:
    """Return the changes that the rollback would make."""
    state, only = context.state, target.service
    before = {name: row for name, row in _before(context, target).items() if not only or name == only}
    containers = context.containers()
    now = {row.service: row for row in kept.images_of(containers)}
    removed = [name for name in now if name not in before and (not only or name == only)]
    deploy = Deploy.begin(Way.ROLLBACK, target.tag, only, target.base)
    with tempfile.TemporaryDirectory() as place:
        images = Path(place) / kept.IMAGES
        images.write_text(kept.images_text(image_names(context, before, now, deploy)), encoding="utf-8")
        folder = state.path / kept.rollback_folder(target.base)
        compose, files = context.compose(folder, images), context.files(folder, images)
        names = [name for name in context.levels if name in before]
        names += [name for name in before if name not in names]
        rows = wanted(compose, files, names, context.image_id, ())
    tags = tags_of(state, before.values())
    rows = [replace(row, tag=tags[row.service], image=before[row.service].image) for row in rows]
    return plan(rows, containers, tags_of(state, now.values()), removed)


def missing_images(context: Context, target: Target) -> list[str]:
    """Return the images for the rollback that the engine no longer has, as `SERVICE TAG`."""
    return [
        f"{row.service} {tag_of(original_name(context.state, row))}"
        for row in _before(context, target).values()
        if (not target.service or row.service == target.service)
        and context.engine.image(row.image) is None
        and context.engine.image(rollback_name(context.site.compose_project, row.service, target.base))
        is None
    ]


def go_back(context: Context, target: Target) -> Record:
    """Roll back. The lock must be held, and interrupted deploys repaired.

    Raises:
        OperationError: An image is missing and nothing was changed, or the release is not healthy.
        EngineLost, Interrupted: The journal has the step at which it stopped.
    """
    state = context.state
    absent = missing_images(context, target)
    if absent:
        raise OperationError(f"images no longer on this host: {', '.join(absent)}; nothing was changed")
    deploy = Deploy.begin(Way.ROLLBACK, target.tag, target.service, target.base)
    rows = kept.images_of(context.containers())
    kept.write_rows(state, f"{kept.rollback_folder(target.base)}/{kept.UNDONE}", rows)
    enter(context, Journal(state), deploy, Step.ROLLBACK)
    try:
        take_back(context, deploy)
    except (EngineLost, Interrupted):
        raise
    except OperationError as error:
        show(context.screen, context.engine, blamed(context, deploy, error))
        finish(context, deploy, "rollback_failed", error.sentence)
        raise OperationError(
            f"the release before deploy {target.base} is not healthy: {error.sentence}"
        ) from None
    record = finish(context, deploy, "reverted")
    prune(context)
    return record


def _before(context: Context, target: Target) -> dict[str, ImageRow]:
    rows = kept.read_rows(context.state, f"{kept.rollback_folder(target.base)}/{kept.BEFORE}")
    return {row.service: row for row in rows}
