"""Reading of files that a user names: at most a limit of bytes, and without waiting forever.

A path in the catalog may lead to a named pipe that nobody writes to, to a device, or to a disk that is gone. Every
failure is an OSError with a readable `strerror`.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

SECONDS = 2.0
"""A local disk answers within milliseconds; a server that is gone never does."""
_KINDS = {
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


def open_regular(path: str | PathLike[str]) -> int:
    """Return a descriptor for reading. Never waits for a writer, and never opens a device, which might react to it.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    _refuse_irregular(os.stat(path))  # noqa: PTH116 - as os.open below
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _refuse_irregular(os.fstat(descriptor))  # it may have been replaced in between
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_regular(path: str | PathLike[str], limit: int) -> bytes:
    """Return the file's first `limit` + 1 bytes: more than `limit` means that it is too large. Waits for its disk.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    descriptor = open_regular(path)
    try:
        return read_up_to(descriptor, limit)
    finally:
        os.close(descriptor)


def read_whole(path: str | PathLike[str], limit: int) -> bytes:
    """Return the whole content of a file. Waits for its disk.

    Raises:
        OSError: as `read_regular`, or it is larger than `limit` bytes.
    """
    content = read_regular(path, limit)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
    return content


def read_up_to(descriptor: int, limit: int) -> bytes:
    """Return `limit` + 1 bytes, or fewer if the file ends earlier."""
    pieces = []
    left = limit + 1
    while left and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def read_in_time(path: str | PathLike[str], limit: int, seconds: float = SECONDS) -> bytes:
    """Read as `read_regular` does, for a command: a disk that does not answer within `seconds` is an OSError.

    The thread stays behind, because nothing interrupts a read of a dead disk. It does not keep the process from
    exiting.
    """
    answer: list[bytes | BaseException] = []

    def read() -> None:
        try:
            answer.append(read_regular(path, limit))
        except BaseException as error:  # noqa: BLE001 - raised again below
            answer.append(error)

    thread = threading.Thread(target=read, name=f"read {path}", daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise no_answer(seconds)
    if isinstance(answer[0], BaseException):
        raise answer[0]
    return answer[0]


def no_answer(seconds: float) -> OSError:
    """Return the error for a disk that has not answered for `seconds`."""
    return TimeoutError(errno.ETIMEDOUT, f"its file system has not answered for {seconds:.2g} s")


def _refuse_irregular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "it is a special file")
        raise OSError(errno.EINVAL, f"{kind}, not a regular file")
