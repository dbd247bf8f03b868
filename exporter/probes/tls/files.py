"""Certificate and key files: read without blocking the loop, and read again while they are in use.

A file can be on a hung file system, or be a FIFO. Each is read in its own daemon thread; while that is stuck, no other
thread is started for the same file. OpenSSL gets a copy in memory, so that it never waits for a disk and sees a
certificate and its key of the same moment.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exporter.files import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Contents = dict[str, bytes]
"""Contents of files by path."""

MAX_BYTES = 8 * 1024 * 1024
"""Limit of one file: the bundle of all public authorities has a quarter of a megabyte."""
READ_SECONDS = 2.0
"""After this time a file that has not been read counts as unreadable."""


class TlsError(Exception):
    """Certificate or key files that cannot be used. One sentence; `files`: those at fault."""

    def __init__(self, sentence: str, *files: str) -> None:
        super().__init__(sentence)
        self.files = files


class _Read(concurrent.futures.Future[bytes]):
    """A running read of one file."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    @property
    def stuck(self) -> bool:
        return not self.done() and time.monotonic() - self._began > READ_SECONDS


_lock = threading.Lock()
_under_way: dict[str, _Read] = {}


def read_files(paths: Iterable[str]) -> Contents:
    """Return the contents of the files; wait at most `READ_SECONDS` for all of them.

    Raises:
        TlsError: a file cannot be read.
    """
    reads = {path: _begin(path) for path in paths}
    concurrent.futures.wait([read for read in reads.values() if not read.stuck], READ_SECONDS)
    return {path: _result(path, read) for path, read in reads.items()}


async def read_files_aside(paths: Iterable[str]) -> Contents:
    """Call `read_files` without blocking the loop."""
    reads = {path: _begin(path) for path in paths}
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    awaited = [read for read in reads.values() if not read.stuck]

    def look() -> None:
        if not over.done() and all(read.done() for read in awaited):
            over.set_result(None)

    def ended(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(look)

    look()
    for read in awaited:
        read.add_done_callback(ended)
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            await over
    return {path: _result(path, read) for path, read in reads.items()}


@contextmanager
def in_memory(content: bytes) -> Iterator[str]:
    """Yield the path of a file in memory that only this user can read: OpenSSL reads certificates only from files."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _begin(path: str) -> _Read:
    """Return the running read of a file, or start one."""
    with _lock:
        known = _under_way.get(path)
        if known is not None:
            return known
        read = _under_way[path] = _Read()
    try:
        threading.Thread(target=_work, args=(path, read), name=f"read {path}", daemon=True).start()
    except RuntimeError:
        _end(path)
        read.set_exception(TlsError(f"cannot read {path}: the exporter cannot start more threads", path))
    return read


def _work(path: str, read: _Read) -> None:
    try:
        content = read_whole(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        _end(path)
        why = getattr(error, "strerror", None) or error
        read.set_exception(TlsError(f"cannot use {path}: {why}", path))
    except BaseException as error:  # noqa: BLE001 - raised again for each task that waits
        _end(path)
        read.set_exception(error)
    else:
        _end(path)
        read.set_result(content)


def _end(path: str) -> None:
    with _lock:
        _under_way.pop(path, None)


def _result(path: str, read: _Read) -> bytes:
    if not read.done():
        raise TlsError(f"cannot read {path}: its file system does not answer", path)
    error = read.exception()
    if error is not None:
        raise error
    return read.result()
