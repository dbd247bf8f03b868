"""Reader of the kernel's small files, with as few system calls as possible.

A reading needs about fifteen files. Opening and closing them would take three quarters of its time, so files of cgroups
are kept open, up to a limit. A cgroup can be removed while its files are open; reading them is then an error.
"""

from __future__ import annotations

import errno
import os
import resource

_CHUNK = 16384
_PAGE = 2048
"""The kernel returns a file of several records in pages of at least 4096 bytes, except for the last one."""
_ABSENT = frozenset((errno.ENOENT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM))
"""Errors for a controller that is off, an older kernel, disabled PSI, or files that this process may not read."""
_MOST_DESCRIPTORS = 4096


class GoneError(Exception):
    """The container or process ended while its files were read."""


class Budget:
    """Number of files that can still be kept open: a quarter of the process's limit, since probes need most of it."""

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
        """Return the content of a file; None if there is no such file. Raises GoneError if it was removed meanwhile."""
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
        """Return the number in a file that contains nothing else."""
        data = self.read(path)
        return int(data) if data else None

    def table(self, path: str) -> dict[bytes, bytes]:
        """Return a file with a name and a value per line; empty if there is no such file."""
        words = (self.read(path) or b"").split()
        return dict(zip(words[::2], words[1::2], strict=True))

    def close(self) -> None:
        for file in self._open.values():
            os.close(file)
        self._budget.left += len(self._open)
        self._open.clear()


def read(path: str, folder: int | None = None) -> bytes | None:
    """Return the content of a file, relative to an open `folder` if given; None if there is no such file.

    Raises GoneError if it was removed during the read.
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
    """Return a time from `table` in seconds; the table has it in units of 1/`unit` second."""
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
