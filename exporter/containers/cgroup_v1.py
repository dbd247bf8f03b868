"""Readings from the files of cgroup v1, with the formulas of cAdvisor (lib/container/libcontainer/handler.go) and
opencontainers/cgroups (fs), so that the exporter and cAdvisor report the same values."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from exporter.containers.group_files import read_processes, read_threads, read_threads_max, working_set
from exporter.containers.kernel_files import number, seconds
from exporter.containers.model import Device, Interface, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.containers.block_devices import BlockDevices
    from exporter.containers.kernel_files import KeptFiles

_NANO = 1e9
_TICKS = os.sysconf("SC_CLK_TCK")
_NOWHERE = "/nonexistent"
"""The folder of a controller that is off: it has no files."""


def read_v1(
    folders: Mapping[str, str], files: KeptFiles, devices: BlockDevices, interfaces: tuple[Interface, ...]
) -> Reading:
    """Read the container's cgroup from `folders` by controller. Raises GoneError if it ended meanwhile."""
    cpu, cpuacct = folders.get("cpu", _NOWHERE), folders.get("cpuacct", _NOWHERE)
    memory = folders.get("memory", _NOWHERE)
    members = folders.get("pids") or next(iter(folders.values()))
    taken_at = time.time()
    used = files.number(f"{cpuacct}/cpuacct.usage")
    ticks = files.table(f"{cpuacct}/cpuacct.stat")
    throttling = files.table(f"{cpu}/cpu.stat")
    statistics = files.table(f"{memory}/memory.stat")
    usage = files.number(f"{memory}/memory.usage_in_bytes")
    inactive_file = number(statistics, b"total_inactive_file")
    return Reading(
        taken_at=taken_at,
        source="cgroup",
        cpu_seconds=None if used is None else used / _NANO,
        cpu_user_seconds=seconds(ticks, b"user", _TICKS),
        cpu_system_seconds=seconds(ticks, b"system", _TICKS),
        cfs_periods=number(throttling, b"nr_periods"),
        cfs_throttled_periods=number(throttling, b"nr_throttled"),
        cfs_throttled_seconds=seconds(throttling, b"throttled_time", _NANO),
        memory_usage=usage,
        memory_working_set=working_set(usage, inactive_file),
        memory_rss=number(statistics, b"total_rss"),
        memory_cache=number(statistics, b"total_cache"),
        memory_swap=_swap(memory, files, statistics, usage),
        memory_mapped_file=number(statistics, b"total_mapped_file"),
        memory_kernel=files.number(f"{memory}/memory.kmem.usage_in_bytes"),
        memory_max_usage=files.number(f"{memory}/memory.max_usage_in_bytes"),
        memory_active_file=number(statistics, b"total_active_file"),
        memory_inactive_file=inactive_file,
        memory_failcnt=files.number(f"{memory}/memory.failcnt"),
        page_faults=number(statistics, b"total_pgfault"),
        major_page_faults=number(statistics, b"total_pgmajfault"),
        oom_kills=number(files.table(f"{memory}/memory.oom_control"), b"oom_kill"),
        interfaces=interfaces,
        devices=_devices(folders.get("blkio", _NOWHERE), files, devices),
        processes=read_processes(members, files),
        threads_max=read_threads_max(members, files),
        threads=read_threads(members, files),
    )


def _swap(memory: str, files: KeptFiles, statistics: dict[bytes, bytes], usage: int | None) -> int | None:
    swap = number(statistics, b"total_swap")
    if swap is not None or usage is None:
        return swap
    both = files.number(f"{memory}/memory.memsw.usage_in_bytes")
    return None if both is None else max(0, both - usage)


def _devices(folder: str, files: KeptFiles, devices: BlockDevices) -> tuple[Device, ...]:
    """Return the counters of the block layer, which do not depend on a device's scheduler. Since Linux 6.10 it counts
    only if a limit of the device was set; otherwise the files are empty, and so is the engine's answer."""
    transferred = _operations(folder, files, "io_service_bytes")
    if not transferred:
        return ()
    served = _operations(folder, files, "io_serviced")
    return tuple(
        Device(
            devices.name(device),
            read_bytes=counts.get("Read", 0),
            write_bytes=counts.get("Write", 0),
            reads=served.get(device, {}).get("Read"),
            writes=served.get(device, {}).get("Write"),
        )
        for device, counts in transferred.items()
    )


def _operations(folder: str, files: KeptFiles, name: str) -> dict[str, dict[str, int]]:
    """Return counts by device and operation from lines such as `8:0 Read 1282048` and, at the end, `Total 3477504`."""
    text = files.read(f"{folder}/blkio.throttle.{name}_recursive")
    if text is None:
        text = files.read(f"{folder}/blkio.throttle.{name}") or b""
    counts: dict[str, dict[str, int]] = {}
    for line in text.decode("ascii").splitlines():
        words = line.split()
        if len(words) == 3:
            counts.setdefault(words[0], {})[words[1]] = int(words[2])
    return counts
