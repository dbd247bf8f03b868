"""psql in a store's container: its arguments, and a session that stays open while pg_dump uses its snapshot."""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.backups.engines.inside import reading, stream
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from exporter.backups.engines.shape import Place

_LINE_BYTES = 64 * 1024
ANSWER_SECONDS = 60.0
"""Time limit for a statement that reads no data. Counting rows may take as long as the run."""


def psql(place: Place, database: str, *options: str) -> list[str]:
    """Return psql's arguments: no settings of a user, bare rows, and stop at the first error."""
    settings = ["env", "LC_ALL=C", "PGOPTIONS=-c lc_messages=C -c client_min_messages=error"]
    quiet = ["psql", "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    return [*settings, *quiet, "-U", place.user, "-d", conninfo(database), *options]


def conninfo(database: str) -> str:
    """Return a database's name as connection settings, since a bare name with an equals sign would be read as such."""
    name = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{name}'"


class Session:
    """One connection: statements go in, lines come out."""

    def __init__(self, place: Place, given: BinaryIO, said: BinaryIO) -> None:
        self._place = place
        self._given = given
        self._said = said.fileno()
        self._kept = b""

    def send(self, statements: bytes) -> None:
        """Send constant text. Raises BackupsError if psql has exited."""
        try:
            self._given.write(statements)
        except BrokenPipeError:
            raise self._place.steps.failed() from None

    def line(self, seconds: float = ANSWER_SECONDS) -> bytes:
        """Return the next line, with its newline. Raises BackupsError if it is late or too long."""
        deadline = time.monotonic() + min(seconds, self._place.seconds_left)
        while b"\n" not in self._kept and len(self._kept) <= _LINE_BYTES:
            ready, _, _ = select.select([self._said], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise BackupsError(f"{self._place.steps.current} failed: no answer in time")
            piece = os.read(self._said, _LINE_BYTES)
            if not piece:
                raise self._place.steps.failed()
            self._kept += piece
        line, end, self._kept = self._kept.partition(b"\n")
        if not end or len(line) > _LINE_BYTES:
            raise BackupsError(f"{self._place.steps.current} failed: a line of the answer is too long")
        return line + end

    def lines_until(self, end: bytes, limit: int) -> Iterator[bytes]:
        """Yield lines until one is `end`. Raises BackupsError if they have more than `limit` bytes in total."""
        while (line := self.line(self._place.seconds_left)) != end:
            limit -= len(line)
            if limit < 0:
                raise BackupsError(f"{self._place.steps.current} failed: the answer is too long")
            yield line


@contextmanager
def session(place: Place, database: str) -> Iterator[Session]:
    """Connect to a database; the connection ends with the block. Raises BackupsError if psql fails."""
    near, far = os.pipe()
    with (
        open(near, "rb", buffering=0) as source,  # noqa: PTH123 - a descriptor
        open(far, "wb", buffering=0) as given,  # noqa: PTH123 - a descriptor
        reading(lambda target: stream(place, psql(place, database), source=source, target=target)) as raw,
    ):
        try:
            yield Session(place, given, raw)
        finally:
            given.close()  # otherwise psql would not exit, and its reader would hang
