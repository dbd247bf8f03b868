"""Choice of the kept releases that no rollback needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exporter.releases.records import Record

KEPT_ROLLBACKS = 5


def disposable(folders: Collection[str], undoable: Iterable[Record], running: str | None) -> list[str]:
    """Return those of `folders` (`rollback/ID`, `releases/ID`) that can be removed. The folder `running` stays; the
    other folder of the same deploy is removed only if that deploy is not among those that can be undone."""
    newest = [record.id for record in undoable][-KEPT_ROLLBACKS:]
    return sorted(
        folder for folder in folders if folder != running and folder.rpartition("/")[2] not in newest
    )
