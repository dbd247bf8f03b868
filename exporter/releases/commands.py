"""`exporter deploy`, `exporter rollback` and `exporter deploys`. Each imports what it needs when it runs."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from exporter.host.command import DEFAULT_CONFIG, Config, DryRun, Environment, Json, Root, Yes, operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.host.command import Run
    from exporter.releases.records import Record

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(context_settings=HELP)
deploys = typer.Typer(help="Show the records of deploys.", no_args_is_help=True, context_settings=HELP)

MANY = 1_000_000

Service = Annotated[str, typer.Argument(metavar="[SERVICE]", help="Only this service; default: all.")]
File = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option("--file", metavar="FILE", help="Read this deploys.jsonl instead of the environment's."),
]
Last = Annotated[int, typer.Option("--last", min=1, help="Show this many of the newest.")]


@app.command(
    epilog="Examples:  exporter deploy -e production --tag v1.4 --dry-run  ·  exporter deploy -e staging web --build"
)
def deploy(
    service: Service = "",
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    tag: Annotated[
        str,
        typer.Option(
            help="The tag of images that are built here; default: TAG, the catalog's tag, or the commit."
        ),
    ] = "",
    build: Annotated[
        bool, typer.Option("--build", help="Build all images that have a build in the catalog.")
    ] = False,
    pull: Annotated[
        bool, typer.Option("--pull", help="Pull all images. Default: only missing ones.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Deploy a release to an environment's host, verify it, and roll back if it is not healthy.

    The next deploy repairs an interrupted one. Exit status 0: the release is running and healthy, 1: it is not, 2:
    wrong usage, 3: the Docker engine stopped answering, 130: interrupted.
    """
    from exporter.host.failures import WRONG_USAGE, OperationError
    from exporter.host.schedule import ensure
    from exporter.releases.deploying import Mode, Wish
    from exporter.releases.frame import Options
    from exporter.releases.operations import check_service
    from exporter.releases.operations import deploy as do
    from exporter.releases.tags import chosen_tag

    with operation("deploy") as run:
        if build and pull:
            raise OperationError("--build and --pull cannot be used together", WRONG_USAGE)
        mode = Mode.BUILD if build else Mode.PULL if pull else Mode.MISSING
        site = run.load(config, environment, root)
        if build and site.handed_over:
            raise OperationError(
                f"{site.environment} is on another host, which does not have the sources; build and push the images "
                "first, then deploy them with --pull",
                WRONG_USAGE,
            )
        check_service(site, service)
        site = run.site = replace(site, requested_tag=chosen_tag(tag, site))
        do(run, site, Wish(site.tag or "", service, mode), Options(dry_run, yes, json))
        if not dry_run:
            ensure(site, run.screen)


@app.command(
    epilog="Examples:  exporter rollback -e production --list  ·  exporter rollback -e production --to v1.3"
)
def rollback(
    service: Service = "",
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    to: Annotated[str, typer.Option("--to", metavar="TAG|ID", help="Roll back to this tag or deploy.")] = "",
    show: Annotated[
        bool, typer.Option("--list", help="List the releases that you can roll back to; change nothing.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Roll back to the images, definitions and files from before the last good deploy, and verify them.

    Run it again to go back further. Data in volumes is not changed. After an interrupted deploy, it finishes the
    rollback of that deploy instead. The exit status is the same as for deploy.
    """
    from exporter.releases.frame import Options
    from exporter.releases.operations import check_service
    from exporter.releases.operations import rollback as do

    with operation("rollback") as run:
        site = run.load(config, environment, root)
        check_service(site, service)
        if show:
            _print_targets(run, service, as_json=json)
        else:
            do(run, site, service, to, Options(dry_run, yes, json))


@deploys.command("list", epilog="Example:  exporter deploys list -e production")
def list_records(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    file: File = None,
    last: Last = 10,
    json: Json = False,
) -> None:
    """Show the newest records, newest last."""
    with operation("deploys list") as run:
        _print(_records(run, file, config, environment, root)[-last:], as_json=json)


@deploys.command("last", epilog="Example:  exporter deploys last -e production --good --json")
def last_record(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    file: File = None,
    good: Annotated[bool, typer.Option("--good", help="Only successful deploys and rollbacks.")] = False,
    json: Json = False,
) -> None:
    """Show the newest record. The exit status is 1 if there is none."""
    with operation("deploys last") as run:
        records = _records(run, file, config, environment, root)
        found = [record for record in records if record.good or not good][-1:]
        _print(found, as_json=json)
    raise typer.Exit(0 if found else 1)


@deploys.command("show", epilog="Example:  exporter deploys show 20261130T161550Z-4711 -e production")
def show_record(
    id: Annotated[str, typer.Argument(metavar="ID", help="The id, or the beginning of it.")],  # noqa: A002
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    file: File = None,
    json: Json = False,
) -> None:
    """Show everything about one deploy: who, when, the result, the images before and after."""
    from exporter.host.failures import OperationError
    from exporter.host.shown import shown
    from exporter.releases.shown_records import in_full

    with operation("deploys show") as run:
        found = [each for each in _records(run, file, config, environment, root) if each.id.startswith(id)]
        if len({each.id for each in found}) != 1:
            many = (
                f"{len(found)} deploys have an id that begins" if found else "no deploy has an id that begins"
            )
            raise OperationError(f"{many} with {shown(id)}; for the ids, run: exporter deploys list")
        if json:
            _print(found[-1:], as_json=True)
        else:
            typer.echo("\n".join(in_full(found[-1])))


def _records(
    run: Run, file: Path | None, config: Path, environment: str | None, root: Path | None
) -> list[Record]:
    from exporter.catalog.planning.places import DEPLOYS
    from exporter.host.failures import OperationError
    from exporter.releases.records import RecordsError, last

    path = file or run.load(config, environment, root).state_folder / DEPLOYS
    try:
        return last(path, MANY)
    except RecordsError as error:
        raise OperationError(str(error)) from None


def _print(records: Sequence[Record], *, as_json: bool) -> None:
    from exporter.releases.shown_records import row

    if as_json:
        typer.echo(json_format.dumps([asdict(record) for record in records], indent=2))
        return
    for record in records:
        typer.echo(row(record))


def _print_targets(run: Run, service: str, *, as_json: bool) -> None:
    from exporter.releases.rolling_back import kept_targets
    from exporter.releases.shown_records import target_row

    if run.site is None:
        raise RuntimeError("load() comes first")
    found = kept_targets(run.site.state, service)
    if as_json:
        rows = [{**asdict(target), "undone": [record.id for record in target.undone]} for target in found]
        typer.echo(json_format.dumps(rows, indent=2))
        return
    if not found:
        run.screen.say(f"there is nothing to roll back to in {run.site.environment}")
    for target in found:
        typer.echo(target_row(target))
