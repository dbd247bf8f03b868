"""Choose what no rollback needs any more, among the kept states of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exporter.releases.records import Record

KEPT_ROLLBACKS = 5


def disposable(folders: Collection[str], undoable: Iterable[Record], running: str | None) -> list[str]:
    """Return those of `folders` (`rollback/ID`, `releases/ID`) that can go. `running` is such a folder, too, and its
    counterpart of the same deploy goes only if nothing can be undone by it."""
    newest = [record.id for record in undoable][-KEPT_ROLLBACKS:]
    return sorted(
        folder for folder in folders if folder != running and folder.rpartition("/")[2] not in newest
    )
