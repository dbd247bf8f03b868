"""`exporter restore`: restore a backup into its environment, or try it in throw-away containers."""

from __future__ import annotations

import json
from typing import Annotated, Optional

import typer

from exporter.backups.commands import AcceptUnauthenticated, KeyFile  # noqa: TC001 - typer reads them at run time
from exporter.host.command import DEFAULT_CONFIG, Config, DryRun, Environment, Json, Root, Yes

Backup = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Argument(
        metavar="BACKUP",
        help="An id such as 20260102T030000Z, a folder, or latest. With --drill the default is latest.",
        show_default=False,
    ),
]
Names = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it at run time
    typer.Argument(
        metavar="[NAME]...",
        help="Only these stores and volumes. The configuration is restored only if it is named here.",
    ),
]
DrillOption = Annotated[
    bool,
    typer.Option(
        "--drill", help="Restore into throw-away containers without a network, compare, and remove them."
    ),
]
Bare = Annotated[
    bool,
    typer.Option(
        "--bare", help="Restore without asking, but only if the host has nothing of this environment yet."
    ),
]


def restore(
    backup: Backup = None,
    names: Names = None,
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    drill: DrillOption = False,
    bare: Bare = False,
    key: KeyFile = None,
    accept_unauthenticated: AcceptUnauthenticated = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Restore a backup, or try it with --drill. A backup that is not on this host is downloaded from the bucket.

    The backup is verified first. Then the services that write are stopped, and each store is restored alone and
    compared with the counts taken when it was saved. At the end all services are started and checked.

    If a PostgreSQL database, a Redis or an SQLite file cannot be restored, it keeps its old data. The old data of a
    MongoDB or a volume is not kept. The next restore completes one that failed or was interrupted.

    BACKUP_IDENTITY_FILE: the private key of an encrypted backup. BACKUP_IMAGE: an image that writes volumes.
    SQLITE_IMAGE: an image with python3. READY_SECONDS: how long a store may take to start (120).
    """
    from exporter.backups.frame import backups_operation
    from exporter.backups.restore_request import Request, run_request
    from exporter.host.failures import WRONG_USAGE, OperationError

    with backups_operation("restore", config, environment, root) as (run, site):
        if backup is None and not drill:
            raise OperationError(
                "say which backup to restore: an id, a folder or latest; see --help", WRONG_USAGE
            )
        if bare and drill:
            raise OperationError("--bare and --drill cannot be used together", WRONG_USAGE)
        request = Request(
            backup=backup or "latest",
            names=tuple(names or ()),
            drill=drill,
            bare=bare,
            key=key,
            without_code=accept_unauthenticated,
            approved=yes,
            dry_run=dry_run,
        )
        answer = run_request(run, site, request)
        if as_json:
            _print(answer)


def _print(answer: object) -> None:
    typer.echo(json.dumps(answer, ensure_ascii=True))


app = typer.Typer()
app.command()(restore)
