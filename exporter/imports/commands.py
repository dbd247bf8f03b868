"""`exporter init`. It imports what it needs when it runs."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import Annotated, Optional

import typer

from exporter.host.command import operation
from exporter.options import DryRun, Json  # noqa: TC001 - typer reads them at run time

app = typer.Typer()


@app.command(
    epilog="Examples:  exporter init  ·  exporter init --from docker  ·  "
    "exporter init --from blackbox.yml prometheus.yml"
)
def init(
    sources: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Argument(
            metavar="[FOLDER|FILE…]", help="A folder with Compose files; default: the current one."
        ),
    ] = None,
    origin: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Compose files, a blackbox.yml and a prometheus.yml, docker, or docker:PROJECT.",
        ),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Write everything that deploying it from the catalog needs.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--out", "-o", metavar="FILE", help="The file to write; default: config.yaml in the folder."
        ),
    ] = None,
) -> None:
    """Write a catalog for an application that exists: from its Compose files, or from what runs.

    By default everything in it is only watched. An existing file is never overwritten. Exit status 0: the catalog is
    valid, 1: it was written and has problems, 2: the source cannot be used, 3: the Docker engine does not answer.
    """
    from exporter.imports.initializing import initialize
    from exporter.imports.project import SourceError

    with operation("exporter init"):
        try:
            valid = initialize(
                [*(origin or ()), *(sources or ())],
                given=bool(origin),
                own=own,
                dry_run=dry_run,
                out=out,
                ask=_ask if os.isatty(0) and not json else None,
                show=typer.echo,
                for_programs=json,
            )
        except SourceError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None
    raise typer.Exit(0 if valid else 1)


def _ask(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default, err=True))
