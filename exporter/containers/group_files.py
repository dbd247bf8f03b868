"""What both versions of cgroups have in common: the counts of processes, and what follows from two numbers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.containers.kernel_files import GoneError, read

if TYPE_CHECKING:
    from exporter.containers.kernel_files import KeptFiles


MAX_INNER = 200
"""Cgroups within a container's of which processes are counted: a program there can make as many as it likes."""


def working_set(usage: int | None, inactive_file: int | None) -> int | None:
    """Memory that cannot be had back without a cost: cAdvisor's definition. The two are read one after the other, so
    that the difference can be below 0."""
    if usage is None or inactive_file is None:
        return None
    return max(0, usage - inactive_file)


def read_processes(folder: str, files: KeptFiles) -> int | None:
    """Processes of a cgroup and all within it. None if they are not visible, or in too many cgroups to look at."""
    count = (files.read(f"{folder}/cgroup.procs") or b"").count(b"\n")
    try:
        # Each folder within it has a link to it, as in all file systems of the kernel's own.
        if os.stat(folder).st_nlink > 2:  # noqa: PTH116 # a Path costs as much as the reading of a file
            for number, (inner, _, _) in enumerate(os.walk(folder)):
                if number > MAX_INNER:
                    return None
                if inner != folder:
                    count += (read(f"{inner}/cgroup.procs") or b"").count(b"\n")
    except FileNotFoundError as error:
        raise GoneError from error
    # v1 leaves out processes that are not of the reader's PID namespace.
    return count or None


def read_threads_max(folder: str, files: KeptFiles) -> int | None:
    data = files.read(f"{folder}/pids.max")
    if not data:
        return None
    return 0 if data.startswith(b"max") else int(data)


def read_threads(folder: str, files: KeptFiles) -> int | None:
    """Threads of a cgroup and all within it; None if they are not counted.

    To be read last: whatever was read of a container that still has threads now is of a container that ran. Raises
    GoneError if it has none any more.
    """
    threads = files.number(f"{folder}/pids.current")
    if threads == 0 or (threads is None and not os.access(folder, os.F_OK)):
        raise GoneError
    return threads
