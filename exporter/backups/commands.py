"""`exporter backups …`: what the generated backup.sh and restore.sh leave to Python. Each body is one call."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from exporter.backups.schedule_commands import run_due, schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.backups.authentic import Trust
    from exporter.catalog.catalog import Catalog

app = typer.Typer(
    name="backups",
    help="Seal, verify, prune and move backups; what backup.sh and restore.sh call.",
    no_args_is_help=True,
)

# Optional, not `| None`: typer reads these annotations at run time.
Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="EXPORTER_CONFIG", metavar="FILE", help="The service catalog."),
]
Environment = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--environment", "-e", envvar="EXPORTER_ENVIRONMENT", metavar="NAME", help="The environment."
    ),
]
Names = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it at run time
    typer.Argument(metavar="[NAME]...", help="Stores and volumes, or configuration; all if none is named."),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup's folder.")]
Error = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option("--error", metavar="SENTENCE", help="Why it failed; without, it went well."),
]
Seconds = Annotated[float, typer.Option("--time-limit", metavar="SECONDS", help="When it must be over.")]
KeyFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option("--key", metavar="FILE", help="A copy of the key that the backup was made with."),
]
AcceptUnauthenticated = Annotated[
    bool,
    typer.Option(
        "--accept-unauthenticated",
        help="Accept a backup of an earlier version, which has no authentication code.",
    ),
]
DEFAULT_CONFIG = Path("config.yaml")


class Moment(StrEnum):
    BEGIN = "begin"
    END = "end"
    DRILL_BEGIN = "drill-begin"
    DRILL_END = "drill-end"


@app.command()
def plan(names: Names = None, config: Config = DEFAULT_CONFIG, environment: Environment = None) -> None:
    """Print what is saved, for a shell to read: name, key and value, each ended by a zero byte."""
    from exporter.backups.plan_text import plan_text

    _do(config, environment, lambda catalog: sys.stdout.write(plan_text(catalog, names or [])))


@app.command()
def room(names: Names = None, config: Config = DEFAULT_CONFIG, environment: Environment = None) -> None:
    """Whether a backup as large as the last one fits on the disk."""
    from exporter.backups.authentic import local_trust
    from exporter.backups.checks import check_room
    from exporter.backups.keys import key_file
    from exporter.backups.subjects import backups_folder, chosen

    _do(
        config,
        environment,
        lambda catalog: check_room(
            backups_folder(catalog), chosen(catalog, names or []), local_trust(key_file(catalog))
        ),
    )


@app.command()
def seal(folder: Folder, config: Config = DEFAULT_CONFIG, environment: Environment = None) -> None:
    """Write the manifest of a half-made backup, ID.partial, and give it its name; prints the folder."""
    from exporter import __version__
    from exporter.backups.keys import key_file, make_key
    from exporter.backups.sealing import seal as seal_folder
    from exporter.backups.subjects import subjects

    def act(catalog: Catalog) -> None:
        encryption = catalog.backup.encrypt.tool if catalog.backup.encrypt else ""
        key, made = make_key(key_file(catalog))
        if made:
            typer.echo(
                f"made the key of this host's backups, {key_file(catalog)}: keep a copy of it elsewhere, "
                "because a new host cannot restore without it",
                err=True,
            )
        place = seal_folder(
            folder,
            subjects(catalog),
            project=catalog.project,
            environment=catalog.environment_name,
            encryption=encryption,
            exporter=__version__,
            key=key,
        )
        typer.echo(place)

    _do(config, environment, act)


@app.command()
def verify(
    folder: Folder,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    key: KeyFile = None,
    accept_unauthenticated: AcceptUnauthenticated = False,
) -> None:
    """Check that a backup is authentic and whole: no file altered, missing or added. One sentence for each finding."""
    from exporter.backups.checks import findings

    def act(catalog: Catalog) -> None:
        found = findings(folder, _trust(catalog, key, accept_unauthenticated))
        for sentence in found:
            typer.echo(sentence, err=True)
        raise typer.Exit(1 if found else 0)

    _do(config, environment, act)


@app.command()
def contents(
    folder: Folder,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    key: KeyFile = None,
    accept_unauthenticated: AcceptUnauthenticated = False,
) -> None:
    """Print what a backup holds, for a shell to read: name, key and value, each ended by a zero byte."""
    from exporter.backups.plan_text import contents_text

    _do(
        config,
        environment,
        lambda catalog: sys.stdout.buffer.write(
            contents_text(folder, _trust(catalog, key, accept_unauthenticated))
        ),
    )


@app.command()
def prune(
    folder: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Argument(
            metavar="[FOLDER]", help="The environment's backups; the catalog's folder if not given."
        ),
    ] = None,
    keep: Annotated[
        Optional[int],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            "--keep", min=1, help="How many good ones of each name stay, instead of the catalog's keep."
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
) -> None:
    """Remove backups that are beyond their keep, never the last good one, and what runs that died have left."""
    from exporter.backups.authentic import local_trust
    from exporter.backups.keys import key_file
    from exporter.backups.retention import prune as prune_folder
    from exporter.backups.subjects import backups_folder, subjects

    def act(catalog: Catalog) -> None:
        kept = {name: keep or subject.keep for name, subject in subjects(catalog).items()}
        pruned = prune_folder(folder or backups_folder(catalog), kept, local_trust(key_file(catalog)))
        for path in pruned.removed:
            typer.echo(f"removed {path}", err=True)
        for sentence in pruned.findings:
            typer.echo(sentence, err=True)
        if pruned.findings:
            raise typer.Exit(1)

    _do(config, environment, act)


@app.command()
def upload(folder: Folder, config: Config = DEFAULT_CONFIG, environment: Environment = None) -> None:
    """Upload a backup to the catalog's bucket, and verify what arrived."""
    from exporter.backups.authentic import local_trust
    from exporter.backups.keys import key_file
    from exporter.backups.s3 import Bucket

    _do(
        config,
        environment,
        lambda catalog: Bucket(catalog).upload(folder, local_trust(key_file(catalog))),
    )


@app.command()
def download(
    id: Annotated[str, typer.Argument(metavar="BACKUP", help="Its id, such as 20260102T030000Z.")],  # noqa: A002 - what it is called everywhere
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    key: KeyFile = None,
    accept_unauthenticated: AcceptUnauthenticated = False,
) -> None:
    """Download a backup from the catalog's bucket into the environment's folder; prints where it is."""
    from exporter.backups.s3 import Bucket
    from exporter.backups.subjects import backups_folder

    _do(
        config,
        environment,
        lambda catalog: typer.echo(
            Bucket(catalog).download(
                id, backups_folder(catalog), _trust(catalog, key, accept_unauthenticated)
            )
        ),
    )


@app.command(name="list")
def list_backups(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    s3: Annotated[bool, typer.Option("--s3", help="Those in the bucket.")] = False,
) -> None:
    """Print the ids of finished backups, the newest first."""
    from exporter.backups.checks import whole_backups
    from exporter.backups.s3 import Bucket
    from exporter.backups.subjects import backups_folder

    def act(catalog: Catalog) -> None:
        ids = (
            Bucket(catalog).backups()
            if s3
            else [path.name for path in whole_backups(backups_folder(catalog))]
        )
        for id in ids:  # noqa: A001 - what it is called everywhere
            typer.echo(id)

    _do(config, environment, act)


@app.command()
def mark(
    moment: Annotated[Moment, typer.Argument(help="What has just happened.")],
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Of which stores and volumes.")],
    time_limit: Seconds = 3600,
    backup: Annotated[str, typer.Option("--backup", help="end: its folder; drill-end: its id.")] = "",
    error: Error = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
) -> None:
    """Write the markers that the daemon exports."""
    from exporter.backups import marks
    from exporter.backups.authentic import local_trust
    from exporter.backups.keys import key_file
    from exporter.backups.subjects import BackupsError, chosen

    def act(catalog: Catalog) -> None:
        them = chosen(catalog, names).values()
        if moment is Moment.END and not backup and not error:
            raise BackupsError("a run that ended has a --backup, or an --error")
        if moment is Moment.BEGIN:
            marks.begin(catalog, them, time_limit)
        elif moment is Moment.END:
            marks.end(
                catalog,
                them,
                backup=Path(backup) if backup else None,
                error=error,
                trust=local_trust(key_file(catalog)),
            )
        elif moment is Moment.DRILL_BEGIN:
            marks.begin_drill(catalog, them, time_limit)
        else:
            marks.end_drill(catalog, them, backup=backup, error=error)

    _do(config, environment, act)


@app.command()
def inventory(
    to: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Option(
            "--to", metavar="FILE", help="Write it here, and pass the archive on to standard output."
        ),
    ] = None,
) -> None:
    """Read a tar archive from standard input, and say what it holds: counts, and one checksum of everything."""
    from exporter.backups.inventory import inventory as inventory_of

    def act() -> None:
        text = inventory_of(sys.stdin.buffer, sys.stdout.buffer if to else None)
        if to:
            sys.stdout.buffer.flush()
            to.write_text(text)
        else:
            sys.stdout.write(text)

    _say_errors(act)


@app.command(name="pack-configuration")
def pack_configuration(config: Config = DEFAULT_CONFIG, environment: Environment = None) -> None:
    """Write the files of backup.configuration to standard output, as a tar archive."""
    from exporter.backups.engines.configuration import pack

    _do(
        config,
        environment,
        lambda catalog: pack(catalog.folder, catalog.backup.configuration, sys.stdout.buffer),
    )


@app.command(name="unpack-configuration")
def unpack_configuration(folder: Folder) -> None:
    """Put the files of such an archive, from standard input, in their places below FOLDER."""
    from exporter.backups.engines.configuration import unpack

    def act() -> None:
        for path in unpack(sys.stdin.buffer, folder):
            typer.echo(f"restored {path!r}", err=True)

    _say_errors(act)


def _trust(catalog: Catalog, key: Path | None, accept_unauthenticated: bool) -> Trust:
    from exporter.backups.authentic import trust_of
    from exporter.backups.keys import key_file

    return trust_of(key_file(catalog), key, without_code=accept_unauthenticated)


def _do(config: Path, environment: str | None, act: Callable[[Catalog], object]) -> None:
    from exporter.catalog.loading import load_catalog
    from exporter.catalog.problems import CatalogError

    try:
        catalog = load_catalog(config, environment)
    except CatalogError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    _say_errors(lambda: act(catalog))


def _say_errors(act: Callable[[], object]) -> None:
    from exporter.backups.subjects import BackupsError

    try:
        act()
    except BackupsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"{where}{error.strerror or error}", err=True)
        raise typer.Exit(1) from None


app.command(name="schedule")(schedule)
app.command(name="run-due")(run_due)
