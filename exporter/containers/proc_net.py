"""Network counters of a container, from /proc of its first process."""

from __future__ import annotations

import os

from exporter.containers.kernel_files import GoneError, read
from exporter.containers.model import Interface

_NOT_ITS_OWN = ("veth", "docker", "nerdctl")
"""Interfaces of other containers' networks, of an engine that runs inside the container. cAdvisor leaves out the same;
each container gets new names, so the number of series would grow without limit."""
_COLUMNS = 16


def is_reported(interface: str) -> bool:
    """True unless it is loopback or belongs to a container inside the container."""
    return interface != "lo" and not interface.startswith(_NOT_ITS_OWN)


def read_membership(proc: str, pid: int, container_id: str) -> bytes | None:
    """Return /proc/PID/cgroup if the process belongs to the container; otherwise None.

    In the PID namespace of `proc`, the engine's PID can be another process, so it is trusted only if its cgroup has the
    container's id.
    """
    if not pid:
        return None
    try:
        text = read(f"{proc}/{pid}/cgroup")
    except GoneError:
        return None
    return text if text is not None and container_id.encode() in text else None


def read_interfaces(proc: str, pid: int, container_id: str) -> tuple[Interface, ...]:
    """Return the interfaces of the container's first process, without loopback.

    Raises GoneError if there is no such process, or it does not belong to the container.
    """
    try:
        # An open folder of /proc stays that of this process, even if its PID is reused.
        folder = os.open(f"{proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise GoneError from error
    try:
        membership = read("cgroup", folder)
        if membership is None or container_id.encode() not in membership:
            raise GoneError
        table = read("net/dev", folder)
    finally:
        os.close(folder)
    if table is None:
        raise GoneError
    return _parse(table)


def shows_network(proc: str, pid: int, container_id: str) -> bool:
    """True if `read_interfaces` has a result, or would have one if the table could be parsed."""
    try:
        read_interfaces(proc, pid, container_id)
    except (GoneError, PermissionError):
        return False
    except ValueError:
        return True
    return True


def _parse(table: bytes) -> tuple[Interface, ...]:
    """Parse /proc/PID/net/dev. Raises ValueError. A name has any bytes except spaces, `/` and `:`; bytes that are not
    UTF-8 become `\\xNN`."""
    found = []
    for line in table.split(b"\n")[2:]:
        written, _, numbers = line.rpartition(b":")
        values = [int(value) for value in numbers.split()]
        name = written.strip(b" ").decode("utf-8", "backslashreplace")
        if not written or not is_reported(name):
            continue
        if len(values) < _COLUMNS:
            raise ValueError("a line of net/dev has too few columns")
        found.append(Interface(name, *values[0:4], *values[8:12]))
    return tuple(found)
