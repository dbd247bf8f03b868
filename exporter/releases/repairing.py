"""Repair of an interrupted deploy or rollback, from its journal."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from exporter.host.failures import EngineLost, Interrupted, OperationError
from exporter.host.shown import shown
from exporter.releases.deploying import blamed, enter
from exporter.releases.ending import finish, keep_good, prune
from exporter.releases.failing import show
from exporter.releases.journal import UNTOUCHED, Journal, Step, Way
from exporter.releases.taking_back import take_back

if TYPE_CHECKING:
    from exporter.releases.context import Context


class Repaired(Enum):
    NOTHING_LEFT = auto()
    NOTHING_CHANGED = auto()
    """It had not changed any running container."""
    FINISHED = auto()
    """It had been verified, and is now recorded."""
    TAKEN_BACK = auto()
    NOT_HEALTHY = auto()
    """The previous release was started, but is not healthy."""


def repair(context: Context) -> Repaired:
    """Finish an interrupted deploy or rollback. The lock must be held. If this is interrupted, it can be repeated.

    Raises:
        OperationError: The journal or the kept release cannot be read.
    """
    journal, screen = Journal(context.state), context.screen
    left = journal.interrupted()
    if left is None:
        return Repaired.NOTHING_LEFT
    deploy, step = left
    screen.say(f'the {deploy.kind} {deploy.id} of {shown(deploy.user)} was killed at the step "{step}"')
    if step in UNTOUCHED:
        screen.say("it had not changed any running container")
        finish(context, deploy, "interrupted", f"killed at the step {step}; nothing was changed")
        result = Repaired.NOTHING_CHANGED
    elif step is Step.RECORD:
        screen.say("it had been verified; writing its record")
        keep_good(context, deploy)
        result = Repaired.FINISHED
    else:
        screen.say("finishing the rollback to the previous release")
        enter(context, journal, deploy, Step.ROLLBACK)
        good = "reverted" if deploy.kind is Way.ROLLBACK else "rolled_back"
        try:
            take_back(context, deploy)
        except (EngineLost, Interrupted):
            raise
        except OperationError as error:
            show(screen, context.engine, blamed(context, deploy, error))
            why = f"killed at the step {step}; after the rollback: {error.sentence}"
            finish(context, deploy, "rollback_failed", why)
            screen.warn(f"the previous release is not healthy either: {error.sentence}")
            return Repaired.NOT_HEALTHY
        finish(context, deploy, good, f"killed at the step {step}; repaired by the next run")
        result = Repaired.TAKEN_BACK
    prune(context)
    return result
