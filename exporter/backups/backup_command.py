"""`exporter backup`: save an environment's stores, volumes and configuration."""

from __future__ import annotations

import json
from typing import Annotated, Any, Optional

import typer

from exporter.host.command import DEFAULT_CONFIG, Config, DryRun, Environment, Json, Root

Names = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it at run time
    typer.Argument(metavar="[NAME]...", help="Stores and volumes, or configuration; default: all."),
]
TimeLimit = Annotated[
    int,
    typer.Option(
        "--time-limit",
        min=1,
        max=999_999_999,
        metavar="SECONDS",
        help="Stop after this time and count as failed; choose less than the schedule's interval.",
    ),
]


def backup(
    names: Names = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    time_limit: TimeLimit = 3600,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Save stores, volumes and the configuration into one backup, and print its id.

    Everything with a backup in the catalog is saved from the running containers, each store with its own tools. If one
    of them cannot be saved, the others still are, and the exit status is 1. Older backups are removed only after the
    new one is sealed and uploaded.

    BACKUP_IMAGE: the image that reads volumes. SQLITE_IMAGE: an image with python3, if the service's image has none.
    """
    from exporter.backups.docker_host import docker_host
    from exporter.backups.frame import backups_operation, sentences
    from exporter.backups.frame import time_limit as limited
    from exporter.backups.saving import HELPER_IMAGE, Saving, Settings
    from exporter.backups.subjects import backups_folder, chosen
    from exporter.host.failures import WRONG_USAGE, OperationError

    with backups_operation("backup", config, environment, root) as (run, site), limited(time_limit):
        with sentences(WRONG_USAGE):
            them = chosen(site.catalog, names or [])
        left = site.state.half_restored(site.environment)
        settings = Settings(
            time_limit=time_limit,
            helper_image=site.variables.get("BACKUP_IMAGE") or HELPER_IMAGE,
            python_image=site.variables.get("SQLITE_IMAGE") or "",
            half_restored=dict.fromkeys(left.names, left.sentence) if left else {},
        )
        saving = Saving(site.catalog, them, lambda: docker_host(site), run.screen, settings)
        if dry_run:
            saving.check()
            folder = backups_folder(site.catalog)
            run.screen.say(f"would save into {folder}: {' '.join(them)}")
            if as_json:
                _print({"folder": str(folder), "would_save": list(them)})
            return
        outcome = saving.run()
        if as_json:
            _print(
                {
                    "backup": outcome.id or None,
                    "folder": str(outcome.folder) if outcome.folder else None,
                    "saved": {
                        name: counts for name, counts in outcome.saved.items() if name not in outcome.failed
                    },
                    "failed": outcome.failed,
                }
            )
        for name, why in outcome.failed.items():
            run.screen.say(f"{name}: {why}")
        if outcome.verdict:
            raise OperationError(outcome.verdict)
        run.screen.say(f"saved into {outcome.folder}: {' '.join(outcome.saved)}")
        if not as_json:
            typer.echo(outcome.id)


def _print(answer: dict[str, Any]) -> None:
    typer.echo(json.dumps(answer, ensure_ascii=True))


app = typer.Typer()
app.command()(backup)
