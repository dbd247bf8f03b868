"""The unfinished backup of one subject: its files, encrypted while they are written, and notes on each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.backups.manifest import PARTS
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.backups.encryption import Encryption
    from exporter.backups.engines.shape import Writable
    from exporter.backups.steps import Steps

FACT_CHARACTERS = 1000


class Making:
    """The engines' Target. `folder` is created now; the caller removes it if the subject cannot be saved."""

    def __init__(self, folder: Path, encryption: Encryption, steps: Steps) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._encryption = encryption
        self._steps = steps

    @contextmanager
    def file(self, path: str, content: str, what: str = "") -> Iterator[Writable]:
        """Open a new file of the backup, and note it when it is complete."""
        try:
            with self._encryption.writing(self._folder / path) as file:
                yield _Counted(file, self._steps)
        except OSError as error:
            raise BackupsError(f"{self._steps.current} failed: {error.strerror or error}") from None
        self._note("file", path, content, what)

    def fact(self, key: str, value: str) -> None:
        """Note a fact for the manifest. Raises BackupsError if it is not a printable text."""
        if len(value) > FACT_CHARACTERS or not value.isprintable():
            raise BackupsError(f"{key} is not a printable text of at most {FACT_CHARACTERS} characters")
        self._note("fact", key, value, "")

    def _note(self, *fields: str) -> None:
        if any("\0" in field for field in fields):
            raise BackupsError("a name contains a zero byte")
        with (self._folder / PARTS).open("ab") as notes:
            notes.write("".join(f"{field}\0" for field in fields).encode(errors="surrogateescape"))


class _Counted:
    """A file that adds what is written to the byte count of the step."""

    def __init__(self, file: Writable, steps: Steps) -> None:
        self._file = file
        self._steps = steps

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._steps.written += len(data)
        return len(data)
