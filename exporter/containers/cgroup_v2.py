"""A reading from the files of cgroup v2, by the formulas of cAdvisor (lib/container/libcontainer/handler.go) and
opencontainers/cgroups (fs2), so that both tools say the same of the same container."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from exporter.containers.group_files import count_processes, require_alive, working_set
from exporter.containers.kernel_files import number, read, read_number, read_table, seconds
from exporter.containers.model import Device, Interface, Pressure, Reading

if TYPE_CHECKING:
    from exporter.containers.block_devices import BlockDevices

_MICRO = 1e6
_RESOURCES: tuple[Literal["cpu", "memory", "io"], ...] = ("cpu", "memory", "io")


def read_v2(folder: str, devices: BlockDevices, interfaces: tuple[Interface, ...]) -> Reading:
    """Read the container's cgroup at `folder`. Raises GoneError if the container ended meanwhile."""
    taken_at = time.time()
    cpu = read_table(f"{folder}/cpu.stat")
    memory = read_table(f"{folder}/memory.stat")
    events = read_table(f"{folder}/memory.events")
    usage = read_number(f"{folder}/memory.current")
    inactive_file = number(memory, b"inactive_file")
    reading = Reading(
        taken_at=taken_at,
        source="cgroup",
        cpu_seconds=seconds(cpu, b"usage_usec", _MICRO),
        cpu_user_seconds=seconds(cpu, b"user_usec", _MICRO),
        cpu_system_seconds=seconds(cpu, b"system_usec", _MICRO),
        cfs_periods=number(cpu, b"nr_periods"),
        cfs_throttled_periods=number(cpu, b"nr_throttled"),
        cfs_throttled_seconds=seconds(cpu, b"throttled_usec", _MICRO),
        memory_usage=usage,
        memory_working_set=working_set(usage, inactive_file),
        memory_rss=number(memory, b"anon"),
        memory_cache=number(memory, b"file"),
        memory_swap=read_number(f"{folder}/memory.swap.current"),
        memory_mapped_file=number(memory, b"file_mapped"),
        memory_kernel=number(memory, b"kernel"),
        memory_max_usage=read_number(f"{folder}/memory.peak"),
        memory_active_file=number(memory, b"active_file"),
        memory_inactive_file=inactive_file,
        memory_failcnt=number(events, b"max"),
        page_faults=number(memory, b"pgfault"),
        major_page_faults=number(memory, b"pgmajfault"),
        oom_kills=number(events, b"oom_kill"),
        processes=count_processes(folder),
        threads=(threads := read_number(f"{folder}/pids.current")),
        threads_max=_limit(read(f"{folder}/pids.max")),
        interfaces=interfaces,
        devices=_devices(read(f"{folder}/io.stat"), devices),
        pressures=tuple(
            (resource, pressure)
            for resource in _RESOURCES
            if (pressure := _pressure(read(f"{folder}/{resource}.pressure"))) is not None
        ),
    )
    require_alive(folder, threads)
    return reading
