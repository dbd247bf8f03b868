"""One subject of a verified backup as an engine reads it. Nothing of it names an image, a mount or a place."""

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
"""Others, such as the folder in which Redis kept its data, are where the data comes from, not where it goes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """`folder`: the backup's. `encryption` has the identity that opens its files."""

    folder: Path
    saved: Saved
    encryption: Encryption

    def objects(self, content: str) -> tuple[str, ...]:
        """Return the objects of all files with this content, in the order in which they were saved."""
        return self.saved.objects(content)

    @contextmanager
    def open(self, content: str, what: str | None = None) -> Iterator[Readable]:
        """Open a file, decrypted."""
        file = self.saved.file(content, what or "")
        with self.encryption.reading(self.folder / file.path) as stream:
            yield stream

    def fact(self, key: str) -> str:
        """Return what was noted when it was saved, of what a person reads; else an empty text."""
        return self.saved.facts.get(key, "") if key in _SHOWN_FACTS else ""

    def check_opens(self) -> None:
        """Raise BackupsError unless the identity opens the first file."""
        try:
            with self.encryption.reading(self.folder / self.saved.files[0].path) as stream:
                opened = bool(stream.read(1)) or not self.saved.files[0].bytes
        except BackupsError:
            opened = False
        if not opened:
            raise BackupsError(f"{self.encryption.identity} does not open this backup")
