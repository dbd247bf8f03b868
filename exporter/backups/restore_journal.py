"""What a restore has not put back yet: the file `restoring` in the state folder, there while a restore is under way.

Whoever deploys, backs up or restores looks at it first: what is there of these names is partial data. A restore that
was interrupted is completed by the next one, which must cover all names that are left.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.host.lock import who
from exporter.host.state import RESTORING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.host.state import StateFolder

_DATA_FOLDER = "folder."
"""Begins the keys under which Redis' data folders stand, by store: a Redis on partial data cannot be asked for it."""


@dataclass(slots=True)
class Journal:
    """The journal of one restore, which is begun before anything is stopped."""

    state: StateFolder
    backup: str
    names: list[str]
    folders: dict[str, str]
    """Data folders of Redis, by store, as they were known when it ran."""

    @classmethod
    def begin(cls, state: StateFolder, backup: Path, backups: Path, names: Iterable[str]) -> Journal:
        """Write down what is to be put back. `backups`: the folder in which an id alone names a backup."""
        named = backup.name if backup.parent == backups else shlex.quote(str(backup))
        journal = cls(state, named, list(names), known_folders(state))
        journal._write()
        return journal

    def knows(self, name: str, folder: str) -> None:
        """Write down where a Redis keeps its data."""
        if self.folders.get(name) != folder:
            self.folders[name] = folder
            self._write()

    def done(self, name: str) -> None:
        """Write down that one thing is back."""
        self.names.remove(name)
        self._write()

    def end(self) -> None:
        """Remove the journal: everything is back, and what writes has been started."""
        self.state.remove(RESTORING)

    def _write(self) -> None:
        values = {
            "names": " ".join(self.names),
            "backup": self.backup,
            "user": who(),
            "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        values |= {f"{_DATA_FOLDER}{name}": folder for name, folder in self.folders.items()}
        self.state.write_fields(RESTORING, values)


def known_folders(state: StateFolder) -> dict[str, str]:
    """Return the data folders of Redis that an interrupted restore has written down, by store."""
    fields = state.fields(RESTORING)
    return {
        key.removeprefix(_DATA_FOLDER): value
        for key, value in fields.items()
        if key.startswith(_DATA_FOLDER) and value.startswith("/")
    }
