"""gzip on the way into a backup and out of it."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.backups.engines.shape import Readable, Writable

_LEVEL = 6


@contextmanager
def packed(target: Writable) -> Iterator[Writable]:
    """Give a stream whose bytes go to `target` compressed."""
    with gzip.GzipFile(fileobj=cast("Any", target), mode="wb", compresslevel=_LEVEL, mtime=0) as file:
        yield file


class Unpacked:
    """What was compressed, read again. `first` comes before it."""

    def __init__(self, source: Readable, first: bytes = b"") -> None:
        self._first = first
        self._file = gzip.GzipFile(fileobj=cast("Any", source), mode="rb")

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; none at the end. Raises BackupsError if the stream is cut off."""
        if self._first:
            given, self._first = self._first[:size], self._first[size:]
            return given
        try:
            return self._file.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise BackupsError("a file of the backup is not whole: it cannot be uncompressed") from None
