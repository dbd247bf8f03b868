"""Small files of the kernel, read whole with as few system calls as can be.

`open()` takes three times as long for such a file as the three calls below, and a reading needs some twenty of them.
"""

from __future__ import annotations

import errno
import os

_CHUNK = 16384
_ABSENT = frozenset((errno.ENOENT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM))
"""Of a controller that is off, an older kernel, PSI that is switched off, or what this process may not see."""


class GoneError(Exception):
    """The container or process ended while its files were read."""


def read(path: str, folder: int | None = None) -> bytes | None:
    """All of a file, relative to an open `folder` if there is one; None where there is no such file.

    Raises GoneError if it was removed while it was read.
    """
    try:
        file = os.open(path, os.O_RDONLY, dir_fd=folder)
    except OSError as error:
        return _absent(error)
    try:
        data = os.read(file, _CHUNK)
        # A file of several records comes page by page, so that only an empty answer is its end.
        while data and (more := os.read(file, _CHUNK)):
            data += more
    except OSError as error:
        return _absent(error)
    finally:
        os.close(file)
    return data


def read_number(path: str) -> int | None:
    """The number in a file that holds nothing else; None where there is no such file."""
    data = read(path)
    return int(data) if data else None


def read_table(path: str) -> dict[bytes, bytes]:
    """A file with a name and a value on each line; empty where there is no such file."""
    words = (read(path) or b"").split()
    return dict(zip(words[::2], words[1::2], strict=True))


def number(table: dict[bytes, bytes], name: bytes) -> int | None:
    value = table.get(name)
    return None if value is None else int(value)


def seconds(table: dict[bytes, bytes], name: bytes, unit: float) -> float | None:
    """A time of `table`, which counts it in units of 1/`unit` of a second."""
    value = table.get(name)
    return None if value is None else int(value) / unit


def _absent(error: OSError) -> None:
    if error.errno in (errno.ENODEV, errno.ESRCH):
        raise GoneError from error
    if error.errno not in _ABSENT:
        raise error
