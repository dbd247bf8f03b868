"""Small files of the kernel, read whole with as few system calls as can be.

A reading needs some fifteen of them. Three quarters of its time would go into opening and closing them, so those of
cgroups are kept open, up to a number. A cgroup can be removed though its files are open; to read them then is an error.
"""

from __future__ import annotations

import errno
import os
import resource

_CHUNK = 16384
_PAGE = 2048
"""A file of several records is handed out by pages of at least 4096 bytes, but for what is left at the end."""
_ABSENT = frozenset((errno.ENOENT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM))
"""Of a controller that is off, an older kernel, PSI that is switched off, or what this process may not see."""
_MOST_DESCRIPTORS = 4096


class GoneError(Exception):
    """The container or process ended while its files were read."""


class Budget:
    """How many files may be kept open: a quarter of those this process may have, as probes need most."""

    def __init__(self, most: int | None = None) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        allowed = _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(_MOST_DESCRIPTORS, soft // 4)
        self.left = allowed if most is None else most


class KeptFiles:
    """The files of one container's cgroup."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._open: dict[str, int] = {}

    def read(self, path: str) -> bytes | None:
        """All of a file; None where there is no such file. Raises GoneError if it was removed meanwhile."""
        file = self._open.get(path)
        if file is None:
            if self._budget.left <= 0:
                return read(path)
            try:
                file = os.open(path, os.O_RDONLY)
            except OSError as error:
                _require_absent(error)
                return None
            self._open[path] = file
            self._budget.left -= 1
        try:
            return _read_all(file)
        except OSError as error:
            _require_absent(error)
            return None

    def number(self, path: str) -> int | None:
        """The number in a file that holds nothing else."""
        data = self.read(path)
        return int(data) if data else None

    def table(self, path: str) -> dict[bytes, bytes]:
        """A file with a name and a value on each line; empty where there is no such file."""
        words = (self.read(path) or b"").split()
        return dict(zip(words[::2], words[1::2], strict=True))

    def close(self) -> None:
        for file in self._open.values():
            os.close(file)
        self._budget.left += len(self._open)
        self._open.clear()


def read(path: str, folder: int | None = None) -> bytes | None:
    """All of a file, relative to an open `folder` if there is one; None where there is no such file.

    Raises GoneError if it was removed while it was read.
    """
    try:
        file = os.open(path, os.O_RDONLY, dir_fd=folder)
    except OSError as error:
        _require_absent(error)
        return None
    try:
        return _read_all(file)
    except OSError as error:
        _require_absent(error)
        return None
    finally:
        os.close(file)


def number(table: dict[bytes, bytes], name: bytes) -> int | None:
    value = table.get(name)
    return None if value is None else int(value)


def seconds(table: dict[bytes, bytes], name: bytes, unit: float) -> float | None:
    """A time of `table`, which counts it in units of 1/`unit` of a second."""
    value = table.get(name)
    return None if value is None else int(value) / unit


def _read_all(file: int) -> bytes:
    data = chunk = os.pread(file, _CHUNK, 0)
    while len(chunk) >= _PAGE:
        chunk = os.pread(file, _CHUNK, len(data))
        data += chunk
    return data


def _require_absent(error: OSError) -> None:
    if error.errno in (errno.ENODEV, errno.ESRCH):
        raise GoneError from error
    if error.errno not in _ABSENT:
        raise error
