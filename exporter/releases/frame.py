"""Common frame of deploy and rollback: show the plan, ask for approval, hold the lock, report the result."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from exporter.host.command import confirm
from exporter.host.failures import OperationError
from exporter.host.lock import locked
from exporter.host.shown import shown
from exporter.releases.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.host.command import Run
    from exporter.host.site import Site
    from exporter.releases.context import Context
    from exporter.releases.plan import Plan
    from exporter.releases.records import Record


@dataclass(frozen=True, slots=True)
class Options:
    """Options of both operations: change nothing, do not ask for approval, print JSON."""

    dry_run: bool = False
    approved: bool = False
    json: bool = False


def show_plan(context: Context, title: str, plan: Plan) -> None:
    """Show a plan, and first the repair of an interrupted deploy."""
    screen, left = context.screen, Journal(context.state).interrupted()
    screen.say(f"== {title}")
    if left is not None:
        screen.say(f'  first: repair the deploy that was killed at the step "{left[1]}"')
    for line in plan.lines():
        screen.say(f"  {shown(line, 500)}")


def approve(site: Site, what: str, name: str, options: Options) -> None:
    """Ask the user to approve a change of a protected environment.

    Raises:
        OperationError: It was not approved.
    """
    if not site.protected or options.approved:
        return
    environment = site.environment
    if not confirm(f"{environment} is protected: {what}?", environment):
        raise OperationError(
            f"{environment} is protected and the {name} was not approved; approve it at a terminal, or use --yes"
        )


@contextmanager
def changing(run: Run, context: Context) -> Iterator[Context]:
    """Hold the lock while the block runs, with a log for the tools' output.

    Raises:
        OperationError: Another command holds the lock, or a restore has to be completed first.
    """
    site, screen = context.site, context.screen
    with locked(site.state, f"exporter {run.name}", site.title, screen.say):
        left = site.state.restore_left(site.environment)
        if left:
            raise OperationError(left)
        yield replace(context, log=run.open_log())


def last_words(run: Run, sentence: str, record: Record, options: Options) -> None:
    """Print the result, and where the tools' output is."""
    run.screen.say(sentence)
    if run.log is not None and run.log.stat().st_size:
        run.screen.say(f"the tools' output: {run.log}")
    if options.json:
        print(json.dumps(asdict(record), indent=2))
