"""`exporter backups …`: list, verify, prune and move backups. Each body is one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from exporter.backups.schedule_commands import run_due, schedule
from exporter.host.command import DEFAULT_CONFIG, Config, Environment, Json, Root

if TYPE_CHECKING:
    from exporter.backups.authentic import Trust
    from exporter.host.site import Site

app = typer.Typer(
    name="backups",
    help="List, verify, prune, move and schedule backups.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup's folder.")]
KeyFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--key", metavar="FILE", help="A copy of the key the backup was made with; - reads standard input."
    ),
]
AcceptUnauthenticated = Annotated[
    bool,
    typer.Option(
        "--accept-unauthenticated",
        help="Accept a backup of an earlier version. Anybody with write access to its folder can have forged it.",
    ),
]


@app.command(name="list")
def list_backups(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    as_json: Json = False,
) -> None:
    """List the complete backups, on this host and in the bucket, newest first."""
    import time

    from exporter.backups.frame import backups_operation
    from exporter.backups.listing import list_backups as listed
    from exporter.backups.subjects import backups_folder

    with backups_operation("exporter backups list", config, environment, root) as (run, site):
        listing = listed(site.catalog, backups_folder(site.catalog), _local(site), time.time())
        if listing.silent:
            run.screen.warn(f"the bucket could not be listed: {listing.silent}")
        if as_json:
            typer.echo(json.dumps(listing.as_json(), indent=2))
        elif listing.rows:
            for line in listing.table():
                typer.echo(line)
        else:
            run.screen.say(
                f"no backup yet in {backups_folder(site.catalog)}; make one with: exporter backup -e {site.environment}"
            )


@app.command()
def verify(
    folder: Folder,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    key: KeyFile = None,
    accept_unauthenticated: AcceptUnauthenticated = False,
) -> None:
    """Check that a backup is authentic and complete: no file altered, missing or added. Prints a line per problem."""
    from exporter.backups.checks import findings
    from exporter.backups.frame import backups_operation

    with backups_operation("exporter backups verify", config, environment, root) as (run, site):
        found = findings(folder, _trust(site, key, accept_unauthenticated))
        for sentence in found:
            run.screen.say(sentence)
        raise typer.Exit(1 if found else 0)


@app.command()
def prune(
    folder: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Argument(metavar="[FOLDER]", help="The environment's backups; default: the catalog's folder."),
    ] = None,
    keep: Annotated[
        Optional[int],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            "--keep", min=1, help="Keep this many good backups of each name, instead of the catalog's keep."
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
) -> None:
    """Remove backups beyond their retention (never the last good one), and leftovers of interrupted runs."""
    from exporter.backups.frame import backups_operation
    from exporter.backups.retention import prune as prune_folder
    from exporter.backups.subjects import backups_folder, subjects

    with backups_operation("exporter backups prune", config, environment, root) as (run, site):
        kept = {name: keep or subject.keep for name, subject in subjects(site.catalog).items()}
        pruned = prune_folder(folder or backups_folder(site.catalog), kept, _local(site))
        for path in pruned.removed:
            run.screen.say(f"removed {path}")
        for sentence in pruned.findings:
            run.screen.say(sentence)
        if pruned.findings:
            raise typer.Exit(1)


@app.command()
def upload(
    folder: Folder, config: Config = DEFAULT_CONFIG, environment: Environment = None, root: Root = None
) -> None:
    """Upload a backup to the catalog's bucket, and verify the uploaded files."""
    from exporter.backups.frame import backups_operation
    from exporter.backups.s3 import Bucket

    with backups_operation("exporter backups upload", config, environment, root) as (_, site):
        Bucket(site.catalog).upload(folder, _local(site))


@app.command()
def download(
    id: Annotated[str, typer.Argument(metavar="BACKUP", help="Its id, such as 20260102T030000Z.")],  # noqa: A002 - the name used everywhere
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    key: KeyFile = None,
    accept_unauthenticated: AcceptUnauthenticated = False,
) -> None:
    """Download a backup from the catalog's bucket into the environment's folder, and print its path."""
    from exporter.backups.frame import backups_operation
    from exporter.backups.s3 import Bucket
    from exporter.backups.subjects import backups_folder

    with backups_operation("exporter backups download", config, environment, root) as (_, site):
        trust = _trust(site, key, accept_unauthenticated)
        typer.echo(Bucket(site.catalog).download(id, backups_folder(site.catalog), trust))


def _local(site: Site) -> Trust:
    from exporter.backups.authentic import local_trust
    from exporter.backups.keys import KEY_FILE

    return local_trust(site.secrets_folder / KEY_FILE)


def _trust(site: Site, key: Path | None, accept_unauthenticated: bool) -> Trust:
    from exporter.backups.authentic import trust_of
    from exporter.backups.keys import KEY_FILE

    return trust_of(site.secrets_folder / KEY_FILE, key, without_code=accept_unauthenticated)


app.command(name="schedule")(schedule)
app.command(name="run-due")(run_due)
