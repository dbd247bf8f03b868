"""Frame the work of deploy and rollback: show the plan, ask for approval, hold the lock, say how it ended."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from exporter.host.command import confirm
from exporter.host.failures import EngineLost, OperationError
from exporter.host.lock import locked
from exporter.host.shown import shown
from exporter.releases import kept
from exporter.releases.ending import tags_of
from exporter.releases.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.host.command import Run
    from exporter.host.containers import Container
    from exporter.host.site import Site
    from exporter.host.state import StateFolder
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
    """Show a plan, and before it what an interrupted deploy left."""
    screen, left = context.screen, Journal(context.state).interrupted()
    screen.enter(title)
    if left is not None:
        screen.say(f'  first: repair of the deploy that was killed at the step "{left[1]}"')
    for line in plan.lines():
        screen.say(f"  {shown(line, 500)}")


def approve(site: Site, what: str, name: str, options: Options) -> None:
    """Have a person approve a change of a protected environment.

    Raises:
        OperationError: nobody did.
    """
    if not site.protected or options.approved:
        return
    environment = site.environment
    if not confirm(f"{environment} is protected: {what}?", environment):
        raise OperationError(
            f"{environment} is protected and the {name} was not approved; approve it at a terminal, or with --yes"
        )


@contextmanager
def changing(run: Run, context: Context) -> Iterator[Context]:
    """Hold the lock inside, with a log for what tools say. On Ctrl-C, say what runs.

    Raises:
        OperationError: another command holds the lock, or a restore has to be completed first.
    """
    site, screen = context.site, context.screen
    with locked(site.state, f"exporter {run.name}", site.title, screen.say):
        left = site.state.restore_left(site.environment)
        if left:
            raise OperationError(left)
        try:
            yield replace(context, log=run.open_log())
        except KeyboardInterrupt:
            with suppress(OperationError):
                screen.say(f"now runs: {running(site.state, context.containers()) or 'nothing'}")
            raise
        except EngineLost:
            screen.say("what runs now is not known")
            raise


def running(state: StateFolder, containers: Sequence[Container]) -> str:
    """Return `api v1 2/2, web v2 1/1`: how many containers of each service run, and their tag."""
    tags = tags_of(state, kept.images_of(containers))
    rows = []
    for service, tag in tags.items():
        there = [each for each in containers if each.service == service]
        up = sum(each.running for each in there)
        rows.append(f"{service} {tag} {up}/{len(there)}")
    return shown(", ".join(rows), 1000)


def last_words(run: Run, sentence: str, record: Record, options: Options) -> None:
    """Say that it is done, and where the tools' output is."""
    run.screen.say(sentence)
    if run.log is not None and run.log.stat().st_size:
        run.screen.say(f"the tools' output: {run.log}")
    if options.json:
        print(json.dumps(asdict(record), indent=2))
