"""A subject of a verified backup, for an engine to read. It never names an image, a mount or a place."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.backups.encryption import Encryption
    from exporter.backups.engines.shape import Readable
    from exporter.backups.manifest import Saved

_SHOWN_FACTS = ("version",)
"""Facts for engines. Others, such as Redis' old data folder, say where data came from, not where it goes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The engines' Source. `folder`: the backup. `encryption`: with the identity that opens its files."""

    folder: Path
    saved: Saved
    encryption: Encryption

    def objects(self, content: str) -> tuple[str, ...]:
        """Return the objects of all files with this content, in the order they were saved."""
        return self.saved.objects(content)

    @contextmanager
    def open(self, content: str, what: str | None = None) -> Iterator[Readable]:
        """Open a file for decrypted reading."""
        file = self.saved.file(content, what or "")
        with self.encryption.reading(self.folder / file.path) as stream:
            yield stream

    def fact(self, key: str) -> str:
        """Return a fact that was noted at the backup, if engines may use it; otherwise an empty text."""
        return self.saved.facts.get(key, "") if key in _SHOWN_FACTS else ""

    def check_opens(self) -> None:
        """Raise BackupsError unless the identity opens the first file."""
        try:
            with self.encryption.reading(self.folder / self.saved.files[0].path) as stream:
                opened = bool(stream.read(1)) or not self.saved.files[0].bytes
        except BackupsError:
            opened = False
        if not opened:
            raise BackupsError(f"the private key {self.encryption.identity} cannot decrypt this backup")
