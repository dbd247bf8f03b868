"""Readings from the Engine API's `GET /containers/ID/stats`, for containers whose cgroup files are not visible.

The engine passes on the values of its host's cgroups, so the answer has two shapes. It has fewer values than the
files: for v1 no swap, kernel memory or kills; for v2 also no operation counts and no stall times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.containers.answers import AnswerError, Part
from exporter.containers.group_files import working_set
from exporter.containers.model import Device, Interface, Reading
from exporter.containers.proc_net import is_reported

if TYPE_CHECKING:
    from exporter.containers.block_devices import BlockDevices
    from exporter.containers.model import Product

PARAMETERS = {"stream": "false", "one-shot": "true"}
"""One sample. Engines before API 1.41 ignore `one-shot` and take two, a second apart."""

_NANO = 1e9
_UNLIMITED = 2**63
"""From this number of processes on, there is no limit."""
_NEVER = "0001-01-01"
_COUNTS = ("bytes", "packets", "errors", "dropped")

_FIELDS_V1 = {
    "rss": "total_rss",
    "cache": "total_cache",
    "swap": "total_swap",
    "mapped_file": "total_mapped_file",
    "active_file": "total_active_file",
    "inactive_file": "total_inactive_file",
    "page_faults": "total_pgfault",
    "major_page_faults": "total_pgmajfault",
}
_FIELDS_V2 = {
    "rss": "anon",
    "cache": "file",
    "mapped_file": "file_mapped",
    "active_file": "active_file",
    "inactive_file": "inactive_file",
    "page_faults": "pgfault",
    "major_page_faults": "pgmajfault",
}


def reading_of(
    answer: object, devices: BlockDevices, taken_at: float, product: Product = "docker"
) -> Reading | None:
    """Return the reading in the engine's decoded answer; None for a container that is not running.

    `devices` gives names to block devices; they must be those of the engine's host.

    Raises:
        AnswerError: the answer does not match the API.
    """
    told = Part(answer)
    cpu = told.part("cpu_stats")
    if (told.text("read") or _NEVER).startswith(_NEVER) or "system_cpu_usage" not in cpu:
        return None
    used = cpu.part("cpu_usage")
    # Podman sends zeros for values that it does not measure: throttling, and all network counters but two.
    measured = product == "docker"
    throttling = cpu.part("throttling_data") if measured else Part({})
    processes = told.part("pids_stats")
    memory = _memory(told.part("memory_stats"))
    return Reading(
        taken_at=taken_at,
        source="api",
        cpu_seconds=_seconds(used, "total_usage"),
        cpu_user_seconds=_seconds(used, "usage_in_usermode"),
        cpu_system_seconds=_seconds(used, "usage_in_kernelmode"),
        cfs_periods=throttling.whole("periods"),
        cfs_throttled_periods=throttling.whole("throttled_periods"),
        cfs_throttled_seconds=_seconds(throttling, "throttled_time"),
        threads=processes.whole("current"),
        threads_max=_limit(processes) if measured else None,
        interfaces=_interfaces(told) if measured else (),
        devices=_devices(told.part("blkio_stats"), devices),
        memory_usage=memory.get("usage"),
        memory_working_set=memory.get("working_set"),
        memory_rss=memory.get("rss"),
        memory_cache=memory.get("cache"),
        memory_swap=memory.get("swap"),
        memory_mapped_file=memory.get("mapped_file"),
        memory_max_usage=memory.get("max_usage"),
        memory_active_file=memory.get("active_file"),
        memory_inactive_file=memory.get("inactive_file"),
        memory_failcnt=memory.get("failcnt"),
        page_faults=memory.get("page_faults"),
        major_page_faults=memory.get("major_page_faults"),
    )


def _memory(memory: Part) -> dict[str, int | None]:
    usage, statistics = memory.whole("usage"), memory.part("stats")
    if usage is None or not statistics:
        return {"usage": usage}
    is_v1 = "total_inactive_file" in statistics
    names = _FIELDS_V1 if is_v1 else _FIELDS_V2
    found = {field: statistics.whole(name) for field, name in names.items()}
    found["usage"] = usage
    found["working_set"] = working_set(usage, found["inactive_file"])
    if is_v1:
        # The engine omits zeros. For v2 it has no maximum, and `failcnt` has another meaning: how often memory ran out,
        # not how often the limit was hit.
        found["max_usage"] = memory.whole("max_usage") or 0
        found["failcnt"] = memory.whole("failcnt") or 0
    return found


def _seconds(values: Part, name: str) -> float | None:
    value = values.whole(name)
    return None if value is None else value / _NANO


def _limit(processes: Part) -> int | None:
    """Return the limit on processes; 0 if there is none, which the engine shows by no value or by a huge one."""
    if "current" not in processes:
        return None
    limit = processes.whole("limit") or 0
    return 0 if limit >= _UNLIMITED else limit


def _interfaces(told: Part) -> tuple[Interface, ...]:
    return tuple(
        Interface(name, *(_count(counts, f"{way}_{what}") for way in ("rx", "tx") for what in _COUNTS))
        for name, counts in sorted(told.named("networks"), key=lambda pair: pair[0])
        if is_reported(name)
    )


def _count(counts: Part, name: str) -> int:
    value = counts.whole(name)
    if value is None:
        raise AnswerError(f"has an interface without {name}")
    return value


def _devices(io: Part, devices: BlockDevices) -> tuple[Device, ...]:
    transferred = _operations(io, "io_service_bytes_recursive")
    served = _operations(io, "io_serviced_recursive")
    return tuple(
        Device(
            devices.name(device),
            read_bytes=counts.get("read", 0),
            write_bytes=counts.get("write", 0),
            reads=served.get(device, {}).get("read"),
            writes=served.get(device, {}).get("write"),
        )
        for device, counts in transferred.items()
    )


def _operations(io: Part, key: str) -> dict[str, dict[str, int]]:
    """Return counts by device and by operation, whose names the engine writes as `Read` or `read`."""
    counts: dict[str, dict[str, int]] = {}
    for entry in io.parts(key):
        device = f"{_count(entry, 'major')}:{_count(entry, 'minor')}"
        counts.setdefault(device, {})[entry.text("op").lower()] = _count(entry, "value")
    return counts
