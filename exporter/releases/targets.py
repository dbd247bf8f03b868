"""The releases that a rollback can go to, and the choice of one."""

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
    """The release before the deploy `base`, which is undone with all later ones (`undone`, newest last). `release`: the
    deploy that started it, empty if unknown. `service`: roll back only this one; empty means all."""

    base: str
    tag: str
    release: str
    since: float | None
    service: str
    undone: tuple[Record, ...]


def targets(
    records: Sequence[Record], tag_before: Callable[[str], str | None], service: str = ""
) -> list[Target]:
    """Return all targets, newest first. `tag_before` returns the tag that ran before a deploy, or None if nothing ran
    or it is not kept."""
    stack = undoable(records, service)
    found = []
    for index in range(len(stack) - 1, -1, -1):
        undone = tuple(stack[index:])
        tag = tag_before(undone[0].id)
        if tag is None:
            break  # older ones are not kept either
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
    """Return the newest target, or the newest one whose tag or id is `to`.

    Raises:
        OperationError: There is none.
    """
    of = f" of {service}" if service else ""
    stack = undoable(records, service)
    if not stack:
        raise OperationError(f"there is no good deploy{of} to undo")
    if not found:
        raise OperationError(
            f"nothing{of} ran before deploy {stack[-1].id}, so there is nothing to roll back to"
        )
    if not to:
        return found[0]
    for target in found:
        if to in (target.tag, target.release):
            return target
    if to in (stack[-1].id, stack[-1].version):
        raise OperationError(f"{to} is the last good deploy, which is the current release")
    known = ", ".join(dict.fromkeys(target.tag for target in found if target.tag)) or "none with a tag"
    raise OperationError(f"{to} is not kept; you can roll back to: {known} (see --list)")


def _only_service(undone: Sequence[Record]) -> str:
    """Return the service if all of these deployed only that one, or an empty text."""
    asked = {record.services for record in undone}
    [services] = asked if len(asked) == 1 else [()]
    return services[0] if len(services) == 1 else ""
