"""List the states that a rollback can go back to, and choose one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError
from exporter.releases.records import undoable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.releases.records import Record


@dataclass(frozen=True, slots=True)
class Target:
    """The state before the deploy `base`, which is undone with all later ones (`undone`, the newest last). `tag`: what
    ran then; `release`: the deploy that had put it there, empty where none is known. `service`: only this one goes
    back; empty means all."""

    base: str
    tag: str
    release: str
    since: float | None
    service: str
    undone: tuple[Record, ...]


def targets(
    records: Sequence[Record], tag_before: Callable[[str], str | None], service: str = ""
) -> list[Target]:
    """Return all of them, the newest first. `tag_before` gives the tag that ran before a deploy, None where what ran
    then was not kept (any more), or nothing ran."""
    stack = undoable(records, service)
    found = []
    for index in range(len(stack) - 1, -1, -1):
        undone = tuple(stack[index:])
        tag = tag_before(undone[0].id)
        if tag is None:
            break  # nor is anything older
        by = stack[index - 1] if index else None
        found.append(
            Target(
                undone[0].id,
                tag,
                by.id if by else "",
                by.finished if by else None,
                service or _only_service(undone),
                undone,
            )
        )
    return found


def choose(records: Sequence[Record], found: Sequence[Target], service: str, to: str) -> Target:
    """Return the target that was asked for: the newest, or the newest whose tag or id `to` is.

    Raises:
        OperationError: there is none.
    """
    of = f" of {service}" if service else ""
    stack = undoable(records, service)
    if not stack:
        raise OperationError(f"there is no good deploy{of} that could be undone")
    if not found:
        raise OperationError(
            f"nothing{of} ran before deploy {stack[-1].id}, so there is nothing to go back to"
        )
    if not to:
        return found[0]
    for target in found:
        if to in (target.tag, target.release):
            return target
    if to in (stack[-1].id, stack[-1].version):
        raise OperationError(f"{to} is what the last good deploy put there, and it was not undone")
    known = ", ".join(dict.fromkeys(target.tag for target in found if target.tag)) or "none with a tag"
    raise OperationError(f"{to} is not kept; these can be gone back to: {known} (--list shows them)")


def _only_service(undone: Sequence[Record]) -> str:
    """Return the service that all of these deployed and nothing else, or nothing."""
    asked = {record.services for record in undone}
    [services] = asked if len(asked) == 1 else [()]
    return services[0] if len(services) == 1 else ""
