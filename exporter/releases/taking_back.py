"""Restoring the release before a deploy, from what was kept. Can be repeated after an interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.host.shown import shown
from exporter.host.state import RUNNING
from exporter.releases import kept
from exporter.releases.mounted import CATALOG, Source
from exporter.releases.putting_on import put_on
from exporter.releases.tags import rollback_name
from exporter.releases.verification import verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.releases.context import Context
    from exporter.releases.journal import Deploy
    from exporter.releases.kept import ImageRow


def take_back(context: Context, deploy: Deploy) -> bool:
    """Run the release before `deploy.base` again, or only its `deploy.service`; return False if nothing ran then.

    Raises:
        UnhealthyError: It is not healthy either.
    """
    state, only = context.state, deploy.service
    name = kept.rollback_folder(deploy.base)
    folder = state.path / name
    before = {row.service: row for row in kept.read_rows(state, f"{name}/{kept.BEFORE}")}
    now = {row.service: row for row in kept.images_of(context.containers())}
    kept.write_images(state, name, image_names(context, before, now, deploy))
    state.point_to(RUNNING, name)
    gone = [each for each in now if each not in before and (not only or each == only)]
    if gone:
        context.screen.say(f"removing services that did not run before: {shown(' '.join(gone), 500)}")
        context.remove(context.containers(*gone))
    if not before:
        state.remove(RUNNING)
        return False
    back = [only] if only else list(before)
    if not only or only in before:
        files = folder / kept.FILES
        source = Source(files, files / CATALOG, files) if files.is_dir() else None
        put_on(context, folder, source, back, only)
        verify(context, folder, back, only)
    return True


def image_names(
    context: Context, before: Mapping[str, ImageRow], now: Mapping[str, ImageRow], deploy: Deploy
) -> dict[str, str]:
    """Return the image of each service after the rollback; with `deploy.service`, other services keep theirs."""
    only, base = deploy.service, deploy.base
    if not only:
        return {service: _name(context, row, base) for service, row in before.items()}
    others = {service: row.name for service, row in now.items() if service != only}
    return others | ({only: _name(context, before[only], base)} if only in before else {})


def _name(context: Context, row: ImageRow, base: str) -> str:
    """Return the image's old name if it still means the same image, so that running containers are not recreated."""
    image = context.engine.image(row.name)
    if image is not None and image.id == row.image:
        return row.name
    return rollback_name(context.site.compose_project, row.service, base)
