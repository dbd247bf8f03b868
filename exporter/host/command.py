"""The frame of an operator's command: loads the environment, and turns errors into a sentence and an exit status.

with operation("exporter backup -e staging") as run:
    run.screen.enter("save")
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from exporter.host.failures import INTERRUPTED, WRONG_USAGE, EngineLost, OperationError
from exporter.host.state import CURRENT, RESTORING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from exporter.host.screen import Screen
    from exporter.host.site import Site

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="EXPORTER_CONFIG", metavar="FILE", help="The service catalog."),
]
Environment = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--environment",
        "-e",
        envvar="EXPORTER_ENVIRONMENT",
        metavar="NAME",
        help="One of the catalog's environments; default: the first.",
    ),
]
Root = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--root",
        envvar="EXPORTER_ROOT",
        metavar="DIR",
        help="The folder with deploy/; default: the catalog's folder, or else the current one.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for approval.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and show the plan; change nothing.")
]

DEFAULT_CONFIG = Path("config.yaml")


@dataclass
class Run:
    """One run of a command: its screen, and the context of its final message."""

    name: str
    screen: Screen = field(default_factory=lambda: _screen())
    site: Site | None = None
    log: Path | None = None

    def load(self, config: Path, environment: str | None, root: Path | None = None) -> Site:
        """Load the environment. If it is on another host, run this command there and exit with its status."""
        from exporter.host.site import load_site
        from exporter.host.ssh import go_to_host, is_elsewhere

        self.site = load_site(config, environment, root)
        if is_elsewhere(self.site):
            raise typer.Exit(go_to_host(self.site, sys.argv[1:], self.screen))
        return self.site

    @property
    def changing(self) -> bool:
        """True after the first step; a command that only reads has none."""
        return bool(self.screen.step)

    def open_log(self) -> Path:
        """Create the file for the tools' output; the last line of a failed command names it."""
        if self.site is None:
            raise RuntimeError("load() comes first")
        self.log = self.site.state.new_log(self.name.removeprefix("exporter ").replace(" ", "-"))
        return self.log


def _screen() -> Screen:
    from exporter.host.screen import (
        Screen,
    )  # rich: 60 ms, and the daemon imports this module with the command line

    return Screen()


@contextmanager
def operation(name: str) -> Iterator[Run]:
    """Run a command in the block. Errors become one sentence on standard error and an exit status, never a traceback.

    The status is 130 after Ctrl-C or SIGTERM, 3 after a lost engine; both name the step, what was kept and what to do.
    """
    from exporter.catalog.reading.problems import CatalogError

    run = Run(name)
    _interruptible()
    try:
        yield run
    except CatalogError as error:
        _end(str(error), WRONG_USAGE)
    except EngineLost as error:
        unknown = "It is not known what is running now. " if run.changing else ""
        _end(f"{name}: {_where(run)}{error.sentence}. {unknown}{_kept(run)}", error.status)
    except OperationError as error:
        _end(f"{name}: {error.sentence}{_log(run)}", error.status)
    except KeyboardInterrupt:
        _end(f"{name}: {_where(run)}interrupted. {_runs_now(run)}{_kept(run)}", INTERRUPTED)


def confirm(question: str, word: str) -> bool:
    """Ask the user to type `word`, and return True if they do; False without a terminal."""
    if not os.isatty(0):
        return False
    try:
        return (
            str(typer.prompt(f"{question} Type {word} to continue", default="", show_default=False, err=True))
            == word
        )
    except typer.Abort:
        return False


def _runs_now(run: Run) -> str:
    """Return which services run, if the command may have changed that. A second Ctrl-C stops the query."""
    from exporter.host.engine import connected
    from exporter.host.shown import shown

    if run.site is None or not run.changing:
        return ""
    try:
        with connected(run.site.docker_host) as engine:
            containers = engine.containers(run.site.compose_project)
    except (OperationError, KeyboardInterrupt):
        return "It is not known what is running now. "
    count = Counter(shown(each.service) for each in containers if each.running)
    names = ", ".join(f"{name} ({number})" if number > 1 else name for name, number in sorted(count.items()))
    return f"Running now: {names or 'nothing'}. "


def _where(run: Run) -> str:
    return f'at the step "{run.screen.step}": ' if run.screen.step else ""


def _kept(run: Run) -> str:
    """Return what is left on the host, and the next command."""
    if run.site is None:
        return "Nothing was changed."
    site = run.site
    next_command = f"exporter status -e {site.environment}"
    try:
        step = site.state.fields(CURRENT).get("step")
        left = site.state.half_restored(site.environment)
    except OperationError as error:
        return f"{error.sentence}. Next: {next_command}{_log(run)}"
    journal = f"The journal was kept ({site.state_folder / CURRENT}). " if step else ""
    if left:
        journal += (
            f"The journal was kept ({site.state_folder / RESTORING}); not restored: {' '.join(left.names)}. "
        )
        next_command = left.command
    return f"{journal}Next: {next_command}{_log(run)}"


def _log(run: Run) -> str:
    return (
        f" (the tools' output: {run.log})" if run.log and run.log.exists() and run.log.stat().st_size else ""
    )


def _end(sentence: str, status: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


def _interruptible() -> None:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt from now on; ignored signals stay ignored."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
