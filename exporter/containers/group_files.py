"""Values that both versions of cgroups share: the working set, and the counts of processes and threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.containers.kernel_files import GoneError, read

if TYPE_CHECKING:
    from exporter.containers.kernel_files import KeptFiles


MAX_INNER = 200
"""Nested cgroups of a container whose processes are counted. Limited, because a program can create any number."""


def working_set(usage: int | None, inactive_file: int | None) -> int | None:
    """Return the memory that cannot easily be reclaimed, as cAdvisor defines it. The two values are read one after the
    other, so their difference can be below 0."""
    if usage is None or inactive_file is None:
        return None
    return max(0, usage - inactive_file)


def read_processes(folder: str, files: KeptFiles) -> int | None:
    """Return the processes of a cgroup and of all cgroups in it; None if they are not visible or there are too many
    cgroups."""
    count = (files.read(f"{folder}/cgroup.procs") or b"").count(b"\n")
    try:
        # Each folder in it has a link to it, as in all of the kernel's own file systems.
        if os.stat(folder).st_nlink > 2:  # noqa: PTH116 # a Path costs as much as reading a file
            for number, (inner, _, _) in enumerate(os.walk(folder)):
                if number > MAX_INNER:
                    return None
                if inner != folder:
                    count += (read(f"{inner}/cgroup.procs") or b"").count(b"\n")
    except FileNotFoundError as error:
        raise GoneError from error
    # v1 leaves out processes outside the reader's PID namespace.
    return count or None


def read_threads_max(folder: str, files: KeptFiles) -> int | None:
    data = files.read(f"{folder}/pids.max")
    if not data:
        return None
    return 0 if data.startswith(b"max") else int(data)


def read_threads(folder: str, files: KeptFiles) -> int | None:
    """Return the threads of a cgroup and of all cgroups in it; None if they are not counted.

    Read this last: if the container still has threads now, it was running during the other reads. Raises GoneError if
    it has no threads any more.
    """
    threads = files.number(f"{folder}/pids.current")
    if threads == 0 or (threads is None and not os.access(folder, os.F_OK)):
        raise GoneError
    return threads
