"""gzip streams into and out of a backup."""

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
    """Yield a stream whose bytes are compressed and written to `target`."""
    with gzip.GzipFile(fileobj=cast("Any", target), mode="wb", compresslevel=_LEVEL, mtime=0) as file:
        yield file


class Unpacked:
    """A stream that uncompresses `source`. The bytes `first` come before its content."""

    def __init__(self, source: Readable, first: bytes = b"") -> None:
        self._first = first
        self._file = gzip.GzipFile(fileobj=cast("Any", source), mode="rb")

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, and none at the end. Raises BackupsError if the stream is truncated."""
        if self._first:
            given, self._first = self._first[:size], self._first[size:]
            return given
        try:
            return self._file.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise BackupsError("a file of the backup is damaged: it cannot be uncompressed") from None
