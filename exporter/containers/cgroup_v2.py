"""Readings from the files of cgroup v2, with the formulas of cAdvisor (lib/container/libcontainer/handler.go) and
opencontainers/cgroups (fs2), so that the exporter and cAdvisor report the same values."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from exporter.containers.group_files import read_processes, read_threads, read_threads_max, working_set
from exporter.containers.kernel_files import number, seconds
from exporter.containers.model import Device, Interface, Pressure, Reading

if TYPE_CHECKING:
    from exporter.containers.block_devices import BlockDevices
    from exporter.containers.kernel_files import KeptFiles

_MICRO = 1e6
_RESOURCES: tuple[Literal["cpu", "memory", "io"], ...] = ("cpu", "memory", "io")


def read_v2(
    folder: str, files: KeptFiles, devices: BlockDevices, interfaces: tuple[Interface, ...]
) -> Reading:
    """Read the container's cgroup at `folder`. Raises GoneError if the container ended meanwhile."""
    taken_at = time.time()
    cpu = files.table(f"{folder}/cpu.stat")
    memory = files.table(f"{folder}/memory.stat")
    events = files.table(f"{folder}/memory.events")
    usage = files.number(f"{folder}/memory.current")
    inactive_file = number(memory, b"inactive_file")
    return Reading(
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
        memory_swap=files.number(f"{folder}/memory.swap.current"),
        memory_mapped_file=number(memory, b"file_mapped"),
        memory_kernel=number(memory, b"kernel"),
        memory_max_usage=files.number(f"{folder}/memory.peak"),
        memory_active_file=number(memory, b"active_file"),
        memory_inactive_file=inactive_file,
        memory_failcnt=number(events, b"max"),
        page_faults=number(memory, b"pgfault"),
        major_page_faults=number(memory, b"pgmajfault"),
        oom_kills=number(events, b"oom_kill"),
        interfaces=interfaces,
        devices=_devices(files.read(f"{folder}/io.stat") or b"", devices),
        pressures=_pressures(folder, files),
        processes=read_processes(folder, files),
        threads_max=read_threads_max(folder, files),
        threads=read_threads(folder, files),
    )


def _devices(text: bytes, devices: BlockDevices) -> tuple[Device, ...]:
    """Parse lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. Raises ValueError."""
    found = []
    for line in text.decode("ascii").splitlines():
        device, _, rest = line.partition(" ")
        values = dict(word.partition("=")[::2] for word in rest.split())
        # Some kernels list a device without any values.
        if "rbytes" in values:
            read, written, reads, writes = (
                int(values.get(name, "")) for name in ("rbytes", "wbytes", "rios", "wios")
            )
            found.append(Device(devices.name(device), read, written, reads, writes))
    return tuple(found)


def _pressures(folder: str, files: KeptFiles) -> tuple[tuple[Literal["cpu", "memory", "io"], Pressure], ...]:
    found = []
    for resource in _RESOURCES:
        totals = _totals(files.read(f"{folder}/{resource}.pressure") or b"")
        # Before Linux 5.13 cpu.pressure has no `full`; it is left out then.
        if b"some" in totals and b"full" in totals:
            found.append((resource, Pressure(totals[b"some"] / _MICRO, totals[b"full"] / _MICRO)))
    return tuple(found)


def _totals(text: bytes) -> dict[bytes, int]:
    """Return microseconds by kind from lines such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=571810`."""
    totals = {}
    for line in text.splitlines():
        values, _, total = line.partition(b" total=")
        totals[values[:4]] = int(total)
    return totals
