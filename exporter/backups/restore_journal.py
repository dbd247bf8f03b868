"""The journal of a restore: the file `restoring` in the state folder lists what is not restored yet.

Deploys, backups and restores read it first, since the data of these names is partial. The next restore completes an
interrupted one, and must include every name that is left.
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
"""Prefix of the keys of Redis' data folders, by store: with partial data, Redis cannot be asked for its folder."""


@dataclass(slots=True)
class Journal:
    """The journal of one restore. It is written before anything is stopped."""

    state: StateFolder
    backup: str
    names: list[str]
    folders: dict[str, str]
    """Data folders of Redis by store, as last reported by Redis itself."""

    @classmethod
    def begin(cls, state: StateFolder, backup: Path, backups: Path, names: Iterable[str]) -> Journal:
        """Write down what is to be restored. `backups`: the folder whose backups are named by id alone."""
        named = backup.name if backup.parent == backups else shlex.quote(str(backup))
        journal = cls(state, named, list(names), known_folders(state))
        journal._write()
        return journal

    def knows(self, name: str, folder: str) -> None:
        """Write down the data folder of a Redis."""
        if self.folders.get(name) != folder:
            self.folders[name] = folder
            self._write()

    def done(self, name: str) -> None:
        """Write down that one subject is restored."""
        self.names.remove(name)
        self._write()

    def end(self) -> None:
        """Remove the journal: everything is restored, and the services that write are started."""
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
    """Return the data folders of Redis, by store, from the journal of an interrupted restore."""
    fields = state.fields(RESTORING)
    return {
        key.removeprefix(_DATA_FOLDER): value
        for key, value in fields.items()
        if key.startswith(_DATA_FOLDER) and value.startswith("/")
    }
