"""`exporter status`, `doctor`, `compose` and `destroy`. Each imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from exporter.host.command import DEFAULT_CONFIG, Config, Environment, Json, Root, Yes, confirm, operation

app = typer.Typer()


@app.command(epilog="Examples:  exporter status -e production  ·  exporter status -e production --json")
def status(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the services in the catalog and on the host, backups, deploys, and problems.

    Exit status 0: everything matches the catalog, 1: something is missing or wrong, 2: wrong usage or catalog, 3: the
    Docker engine does not answer.
    """
    from datetime import UTC, datetime

    from exporter.host.engine import connected
    from exporter.operations.status import look
    from exporter.operations.status_text import as_json, print_text

    with operation("status") as run:
        site = run.load(config, environment, root)
        with connected(site.docker_host) as engine:
            found = look(site, engine)
        if json:
            typer.echo(as_json(found))
        else:
            print_text(found, datetime.now(UTC))
        raise typer.Exit(0 if found.good else 1)


@app.command(epilog="Example:  exporter doctor -e production")
def doctor(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Check everything that an operation needs: generated files, engine, Compose, space, secrets, images, clock.

    Exit status 0: no problems, 1: there are problems, 2: wrong usage or catalog.
    """
    from exporter.operations.doctor import show

    with operation("doctor") as run:
        good = show(run.load(config, environment, root), as_json=json)
        raise typer.Exit(0 if good else 1)


@app.command(
    epilog="Examples:  exporter compose -e production -- ps  ·  exporter compose -e production -- logs --tail 50 web",
)
def compose(
    arguments: Annotated[
        list[str], typer.Argument(metavar="-- ARGUMENT...", help="Any command of Compose and its options.")
    ],
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
) -> None:
    """Run Compose with the deployed files and project, from any folder. Its exit status is passed through."""
    from exporter.host.compose import Compose, replace_process
    from exporter.host.engine import address

    with operation("compose") as run:
        site = run.load(config, environment, root)
        replace_process(Compose.running(site, engine=site.docker_host or address()), arguments)


@app.command(epilog="Examples:  exporter destroy -e testing  ·  exporter destroy -e testing --volumes --yes")
def destroy(
    config: Config = DEFAULT_CONFIG,
    environment: Environment = None,
    root: Root = None,
    volumes: Annotated[
        bool,
        typer.Option("--volumes", help="Also remove the volumes. Their data is lost, except in backups."),
    ] = False,
    yes: Yes = False,
) -> None:
    """List and remove an environment's containers and networks, after asking for its name. Images and backups stay."""
    from exporter.host.engine import connected
    from exporter.host.failures import OperationError
    from exporter.host.lock import locked
    from exporter.host.state import RUNNING
    from exporter.operations.destroy import describe, find, remove

    with operation("destroy") as run:
        site = run.load(config, environment, root)
        with connected(site.docker_host) as engine:
            remains = find(site, engine, volumes=volumes)
            if not remains:
                run.screen.say(f"there is nothing of {site.title} on this Docker engine")
                return
            run.screen.say(f"this removes from {site.title}:")
            for line in describe(site, remains, volumes=volumes):
                run.screen.say(line)
            if not yes and not confirm("This cannot be undone.", site.environment):
                raise OperationError("nothing was removed; type the name at a terminal, or use --yes")
            with locked(site.state, "destroy", site.title, run.screen.say):
                remove(engine, find(site, engine, volumes=volumes), run.screen)
                site.state.remove(RUNNING)
            run.screen.say(f"{site.title} was removed")
