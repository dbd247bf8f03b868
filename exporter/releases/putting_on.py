"""Starting a set of images, definitions and files, for deploy and rollback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.host.shown import shown
from exporter.releases.handover import Gateway
from exporter.releases.mounted import READERS, install
from exporter.releases.order import batches
from exporter.releases.replicas import replace
from exporter.releases.waiting import wait_healthy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from exporter.releases.context import Context
    from exporter.releases.mounted import Source

FILES = "files"


def put_on(
    context: Context, folder: Path, source: Source | None, services: Sequence[str] | None, only: str = ""
) -> None:
    """Install the files of `source`, start `services` from the Compose files in `folder`, and reload the rest.

    `services` None: all in the files. `only`: the only service to change; without it, containers that belong to no
    service of the files or the catalog are removed. `source` None: no files were kept, so the current ones stay.

    Raises:
        UnhealthyError: A service that others wait for is not healthy in time, or rejects its files.
    """
    running = {each.id for each in context.containers() if each.running}
    changed = _install(context, source, only)
    files = context.files(folder)
    there, replicas = files.services, files.replicas
    wanted = [name for name in there if services is None or name in services]
    for batch in batches([name for name in wanted if not left_out(context, name, only)], context.levels):
        _start(context, folder, batch, replicas)
    if not only:
        remove_orphans(context, there)
    _reload(context, changed, running)


def left_out(context: Context, service: str, only: str) -> bool:
    """True for a gateway that starts only on request, unless it is requested or exists (Compose 1 always lists it)."""
    site = context.site
    if not site.gateway_profile or service != site.gateway or only == service:
        return False
    return not context.containers(service)


def orphans(context: Context, services: Collection[str]) -> list[str]:
    """Return the services with containers that are neither in the catalog nor in `services`."""
    known = {*context.site.all_services, *services}
    return sorted({each.service for each in context.containers() if each.service} - known)


def remove_orphans(context: Context, services: Collection[str]) -> None:
    """Remove containers whose service is neither in the catalog nor in `services`."""
    names = orphans(context, services)
    if names:
        context.screen.say(
            f"removing services that are no longer in the catalog: {shown(' '.join(names), 500)}"
        )
        context.remove(context.containers(*names))


def _install(context: Context, source: Source | None, only: str) -> list[str]:
    changed = ["gateway"] if Gateway(context).restore() else []
    if source is not None:
        changed += install(source, context.state.path / FILES, only)
    return list(dict.fromkeys(changed))


def _start(context: Context, folder: Path, services: Sequence[str], replicas: Mapping[str, int]) -> None:
    """Start the services of one level, and wait for those that others depend on."""
    rolling = [name for name in services if replicas.get(name, 1) > 1 and context.containers(name)]
    plain = [name for name in services if name not in rolling]
    if plain:
        context.act(f"starting {' '.join(plain)}", folder, "up", "-d", "--no-deps", "--no-build", *plain)
    for name in rolling:
        replace(context, folder, name, replicas[name])
    waited = [name for name in services if name in context.awaited]
    if waited:
        end = time.monotonic() + context.site.verify_seconds
        wait_healthy(context, lambda: context.containers(*waited), end)


def _reload(context: Context, changed: Iterable[str], running: Collection[str]) -> None:
    """Make containers that were running before the files changed, and still are, reload them."""
    for part in changed:
        service = READERS.get(part)
        if service is None:
            continue
        there = [each for each in context.containers(service) if each.id in running and each.running]
        if not there:
            continue
        context.screen.say(f"reloading the files of {service}")
        if service == context.site.gateway:
            Gateway(context).reload(there)
            continue
        for each in there:
            if service == "grafana":
                context.engine.restart(each.id)  # it reads provisioning only when it starts
            else:
                context.engine.kill(each.id, "HUP")
