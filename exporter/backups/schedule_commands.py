"""`exporter backups schedule` and `run-due`: run the catalog's schedules on a host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from exporter.host.command import DEFAULT_CONFIG, Config, Environment, Json, Root

if TYPE_CHECKING:
    from datetime import datetime

    from exporter.backups.due import Turn

Install = Annotated[
    bool,
    typer.Option(
        "--install", help="Install the systemd timer or cron entry that runs the schedule; as root."
    ),
]
Remove = Annotated[bool, typer.Option("--remove", help="Remove the timer or cron entry.")]


def schedule(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    install: Install = False,
    remove: Remove = False,
    as_json: Json = False,
) -> None:
    """Show when each backup and drill is due and if this host runs the schedule; or install its timer.

    The exit status is 1 if nothing on this host runs the schedule.
    """
    import time

    from exporter.backups.due import Tried, plan_of
    from exporter.backups.frame import backups_operation
    from exporter.host import schedule as timer
    from exporter.host.failures import OperationError

    with backups_operation("backups schedule", config, environment, root) as (run, site):
        why = f"nothing on this host runs the schedule; run: exporter backups schedule -e {site.environment} --install"
        entry = None
        try:
            entry = timer.entry_of(site)
        except OperationError as error:
            why = error.sentence
        if entry and install:
            timer.install(entry)
        elif entry and remove:
            timer.uninstall(entry)
        now = time.time()
        plan = plan_of(site.catalog, Tried.read(site.state, now) if install else Tried(now, {}))
        turns = [*plan.backups, *([plan.drill] if plan.drill else [])]
        installed = entry is not None and entry.is_installed()
        places = [str(path) for path in entry.files] if entry else []
        if as_json:
            typer.echo(
                json.dumps({"installed": installed, "entry": places, "turns": [_row(turn) for turn in turns]})
            )
        else:
            width = max((len(turn.name) for turn in turns), default=0)
            for turn in turns:
                typer.echo(
                    f"{turn.name.removeprefix(':'):{width}}  {turn.schedule:12}  last {_moment(turn.last)}"
                    f"  next {_moment(turn.next)}"
                )
        if installed:
            run.screen.say(f"this host runs the schedule: {', '.join(places)}")
        elif not remove:
            raise OperationError(why)


def _row(turn: Turn) -> dict[str, str | None]:
    return {
        "name": turn.name.removeprefix(":"),
        "schedule": turn.schedule,
        "last": turn.last.isoformat() if turn.last else None,
        "next": turn.next.isoformat() if turn.next else None,
    }


def _moment(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M %Z") if time else "never"


def run_due(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
) -> None:
    """Save what is due by the catalog's schedules, then run a drill if one is due; the timer runs this."""
    import subprocess
    import sys
    import time
    from datetime import UTC, datetime

    from exporter.backups.due import Tried, plan_of
    from exporter.backups.frame import backups_operation
    from exporter.backups.lock import is_locked
    from exporter.backups.subjects import backups_folder
    from exporter.host.failures import OperationError

    with backups_operation("backups run-due", config, environment, root) as (run, site):
        if is_locked(backups_folder(site.catalog)):
            run.screen.say(
                "another backup, restore or drill is running; everything due now will run after it"
            )
            return
        now = time.time()
        tried = Tried.read(site.state, now)
        plan = plan_of(site.catalog, tried)
        moment = datetime.fromtimestamp(now, UTC)
        commands = []
        if names := plan.due(moment):
            commands.append(("backup", *names, f"--time-limit={plan.time_limit(names)}"))
            tried = tried.with_runs(names, now)
        if plan.drill and plan.drill.is_due(moment):
            commands.append(("restore", "latest", "--drill"))
            tried = tried.with_runs([plan.drill.name], now)
        if not commands:
            return
        tried.write(site.state)
        where = (f"--config={site.config}", f"--environment={site.environment}", f"--root={site.root}")
        failed = []
        for command in commands:
            argv = [sys.executable, "-P", "-m", "exporter", *command, *where]
            if subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode:  # noqa: S603 - argv
                failed.append(command[0])
        if failed:
            raise OperationError(f"failed: {', '.join(failed)}; see the errors above")
