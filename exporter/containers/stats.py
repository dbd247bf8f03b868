"""A reading from the Engine API's `GET /containers/ID/stats`, where a container's files cannot be seen.

The engine passes on what its host's cgroups say, so the answer has two shapes. It tells less than the files do:
of v1 no swap, no kernel memory and no kills, of v2 moreover no counts of operations and no stall times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.containers.group_files import working_set
from exporter.containers.model import Device, Interface, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.containers.block_devices import BlockDevices

PARAMETERS = {"stream": "false", "one-shot": "true"}
"""One sample. Engines before API 1.41 ignore `one-shot` and take two, a second apart."""

_NANO = 1e9
_UNLIMITED = 2**63
"""From here on a number of processes means that there is no limit."""
_NEVER = "0001-01-01"

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


def reading_of(answer: Mapping[str, Any], devices: BlockDevices, taken_at: float) -> Reading | None:
    """The reading in the engine's decoded answer; None of a container that does not run.

    `devices` names block devices, which must be the engine's host's.
    """
    cpu = answer.get("cpu_stats") or {}
    if str(answer.get("read", _NEVER)).startswith(_NEVER) or "system_cpu_usage" not in cpu:
        return None
    used = cpu.get("cpu_usage") or {}
    throttling = cpu.get("throttling_data") or {}
    processes = answer.get("pids_stats") or {}
    memory = _memory(answer.get("memory_stats") or {})
    return Reading(
        taken_at=taken_at,
        source="api",
        cpu_seconds=_seconds(used, "total_usage"),
        cpu_user_seconds=_seconds(used, "usage_in_usermode"),
        cpu_system_seconds=_seconds(used, "usage_in_kernelmode"),
        cfs_periods=throttling.get("periods"),
        cfs_throttled_periods=throttling.get("throttled_periods"),
        cfs_throttled_seconds=_seconds(throttling, "throttled_time"),
        threads=processes.get("current"),
        threads_max=_limit(processes),
        interfaces=_interfaces(answer.get("networks") or {}),
        devices=_devices(answer.get("blkio_stats") or {}, devices),
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


def _memory(memory: Mapping[str, Any]) -> dict[str, int | None]:
    usage = memory.get("usage")
    statistics = memory.get("stats")
    if usage is None or not statistics:
        return {}
    is_v1 = "total_inactive_file" in statistics
    names = _FIELDS_V1 if is_v1 else _FIELDS_V2
    found: dict[str, int | None] = {field: statistics.get(name) for field, name in names.items()}
    found["usage"] = usage
    found["working_set"] = working_set(usage, found["inactive_file"])
    if is_v1:
        # The engine leaves out what is 0. Of v2 it has no maximum, and `failcnt` is the count of another thing there:
        # of the times that memory ran out, not of those that the limit was hit.
        found["max_usage"] = memory.get("max_usage", 0)
        found["failcnt"] = memory.get("failcnt", 0)
    return found


def _seconds(values: Mapping[str, int], name: str) -> float | None:
    value = values.get(name)
    return None if value is None else value / _NANO


def _limit(processes: Mapping[str, int]) -> int | None:
    """The engine leaves out a limit that there is not, or tells the greatest of all numbers."""
    if "current" not in processes:
        return None
    limit = processes.get("limit", 0)
    return 0 if limit >= _UNLIMITED else limit


def _interfaces(networks: Mapping[str, Mapping[str, int]]) -> tuple[Interface, ...]:
    return tuple(
        Interface(
            name,
            receive_bytes=counts["rx_bytes"],
            receive_packets=counts["rx_packets"],
            receive_errors=counts["rx_errors"],
            receive_dropped=counts["rx_dropped"],
            transmit_bytes=counts["tx_bytes"],
            transmit_packets=counts["tx_packets"],
            transmit_errors=counts["tx_errors"],
            transmit_dropped=counts["tx_dropped"],
        )
        for name, counts in sorted(networks.items())
    )


def _devices(io: Mapping[str, Any], devices: BlockDevices) -> tuple[Device, ...]:
    transferred = _operations(io.get("io_service_bytes_recursive") or ())
    served = _operations(io.get("io_serviced_recursive") or ())
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


def _operations(entries: list[Mapping[str, Any]] | tuple[()]) -> dict[str, dict[str, int]]:
    """Counts by device and operation, which are written `Read` or `read`."""
    counts: dict[str, dict[str, int]] = {}
    for entry in entries:
        device = f"{entry['major']}:{entry['minor']}"
        counts.setdefault(device, {})[str(entry["op"]).lower()] = entry["value"]
    return counts
