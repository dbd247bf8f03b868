"""Backup of a protected environment before a deploy, with the same command as a user or a timer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exporter.catalog.reading.checks import CONFIGURATION
from exporter.host.failures import OperationError
from exporter.host.shown import shown
from exporter.host.tools import run
from exporter.releases import kept

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.releases.context import Context
    from exporter.releases.journal import Deploy

SECONDS = 24 * 3600.0


def back_up(context: Context, deploy: Deploy) -> None:
    """Save the stores and volumes of a running protected environment; the backup shares the lock.

    Raises:
        OperationError: The backup failed.
    """
    site = context.site
    if not site.protected:
        return
    if not names(site.catalog) or not kept.read_rows(
        context.state, f"{kept.rollback_folder(deploy.id)}/before"
    ):
        context.screen.say("there is nothing to back up before this deploy")
        return
    argv = (
        *(sys.executable, "-m", "exporter", "backup", "--environment", site.environment),
        *("--config", str(site.config), "--root", str(site.root)),
    )
    with context.screen.live("backing up"):
        done = run(argv, seconds=SECONDS, log=context.log, watch=lambda: context.screen.waiting("backing up"))
    if not done.good:
        context.engine.facts()
        raise OperationError(shown(done.reason, 300))


def names(catalog: Catalog) -> list[str]:
    """Return everything that is backed up."""
    sections = (catalog.stores, catalog.volumes)
    found = [name for section in sections for name, thing in section.items() if thing.backup]
    return [*found, *([CONFIGURATION] if catalog.backup.configuration else [])]
