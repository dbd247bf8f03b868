"""Metric families of containers: those of cAdvisor with its names, units and labels, and additional ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.containers.model import ACTIVE, HEALTHS, STATES
from exporter.containers.start_failures import reason_of
from exporter.metrics.family import ItemFamily
from exporter.metrics.items import value
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.containers.model import Container, Device, Identity, Interface, Pressure, Reading
    from exporter.probes.families import Kind

CONTAINER_LABELS = ("id", "image", "name", "service")
"""Labels of every container. `service` is missing if it belongs to no service. Its own labels are added."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container and, while it runs, its last reading and when it was last seen running."""

    container: Container
    reading: Reading | None
    seen_at: float | None = None
    """Seconds since the epoch; None if it is not running."""


def container_labels(identity: Identity, *, old: bool = False) -> str:
    """Return the labels of every series of a container, as text without braces.

    `old`: another container has replaced it, so it is no longer the service.
    """
    service = [("service", identity.service)] if identity.service is not None and not old else []
    return label_text(
        [
            ("id", identity.cgroup),
            ("image", identity.image),
            ("name", identity.name),
            *service,
            *identity.labels,
        ]
    )


@lru_cache(maxsize=1024)
def _label(name: str, value: str) -> str:
    """Return the text of an extra label. Cached: few exist, and every scrape needs them for every container."""
    return f",{label_text([(name, value)])}"


def _of_container(get: Callable[[Container], float | None]) -> Callable[[Seen], Iterable[tuple[str, float]]]:
    return value(lambda seen: get(seen.container))


def _of_reading(attribute: str, labels: str = "") -> Callable[[Seen], Iterable[tuple[str, float]]]:
    def sample(seen: Seen) -> Iterable[tuple[str, float]]:
        found = getattr(seen.reading, attribute, None)
        return () if found is None else ((labels, found),)

    return sample


def _of_interfaces(attribute: str) -> Callable[[Seen], Iterable[tuple[str, float]]]:
    def sample(seen: Seen) -> Iterable[tuple[str, float]]:
        interfaces: Iterable[Interface] = seen.reading.interfaces if seen.reading else ()
        return [(_label("interface", one.name), getattr(one, attribute)) for one in interfaces]

    return sample


def _of_devices(attribute: str) -> Callable[[Seen], Iterable[tuple[str, float]]]:
    def sample(seen: Seen) -> Iterable[tuple[str, float]]:
        devices: Iterable[Device] = seen.reading.devices if seen.reading else ()
        found = [(one.name, getattr(one, attribute)) for one in devices]
        return [(_label("device", name), count) for name, count in found if count is not None]

    return sample


def _of_pressure(resource: str, attribute: str) -> Callable[[Seen], Iterable[tuple[str, float]]]:
    def sample(seen: Seen) -> Iterable[tuple[str, float]]:
        pressures: Iterable[tuple[str, Pressure]] = seen.reading.pressures if seen.reading else ()
        return [("", getattr(found, attribute)) for name, found in pressures if name == resource]

    return sample


def _failures(seen: Seen) -> Iterable[tuple[str, float]]:
    reading = seen.reading
    if reading is None:
        return ()
    kinds = (("pgfault", reading.page_faults), ("pgmajfault", reading.major_page_faults))
    return [(f',failure_type="{kind}",scope="container"', n) for kind, n in kinds if n is not None]


def _states(seen: Seen) -> Iterable[tuple[str, float]]:
    current = seen.container.status.state
    return [(_label("state", state), state == current) for state in STATES]


def _healths(seen: Seen) -> Iterable[tuple[str, float]]:
    current = seen.container.status.health
    return [(_label("status", health), health == current) for health in HEALTHS]


def _image(seen: Seen) -> Iterable[tuple[str, float]]:
    return ((_label("image_digest", seen.container.identity.image_digest), 1),)


def _start_failure(seen: Seen) -> Iterable[tuple[str, float]]:
    container = seen.container
    return ((_label("reason", reason_of(container.status.error)), 1),) if container.failed_to_start else ()


def _start_time(container: Container) -> float | None:
    return container.status.started_at if container.status.state in ACTIVE else None


def _finish_time(container: Container) -> float | None:
    return None if container.status.state in ACTIVE else container.status.finished_at


def _read(name: str, kind: Kind, help_: str, attribute: str) -> ItemFamily[Seen]:
    return ItemFamily(name, kind, help_, _of_reading(attribute))


def _limit(name: str, help_: str, get: Callable[[Container], float | None]) -> ItemFamily[Seen]:
    return ItemFamily(name, "gauge", help_, _of_container(get))


CONTAINER_FAMILIES: tuple[ItemFamily[Seen], ...] = (
    ItemFamily("container_state", "gauge", "1 for the container's current state in the engine, 0 for each "
               "other state. Includes stopped containers.", _states, ("state",)),
    ItemFamily("container_health_status", "gauge", "1 for the current status of the container's health check, 0 for "
               "each other status; absent without a health check.", _healths, ("status",)),
    _limit("container_exit_code", "Exit code of a container that has exited or could not be started; absent while it "
           "runs.", lambda c: c.status.exit_code),
    ItemFamily("container_start_failure_info", "gauge", "Why the last attempt to start the container failed; always 1. "
               "Absent if it started.", _start_failure, ("reason",)),
    _limit("container_oom_killed", "1 if the container's last run ended by an out-of-memory kill.",
           lambda c: c.status.oom_killed),
    ItemFamily("container_restarts_total", "counter", "Restarts of this container by the engine's restart policy, as "
               "counted by the engine; service_container_restarts_total also counts re-creations.",
               _of_container(lambda c: c.status.restarts), from_zero=True),
    ItemFamily("container_oom_events_total", "counter", "Out-of-memory kills of the container's processes since the "
               "exporter began watching it, including earlier runs.", _of_container(lambda c: c.oom_events),
               from_zero=True),
    ItemFamily("container_image_info", "gauge", "The image that the container was created from; always 1.", _image,
               ("image_digest",)),
    _limit("container_creation_time_seconds", "When it was created, in seconds since the epoch.",
           lambda c: c.status.created_at),
    _limit("container_start_time_seconds", "When it started, in seconds since the epoch; absent if it is not running.",
           _start_time),
    _limit("container_finish_time_seconds", "When it exited, in seconds since the epoch; absent while it runs.",
           _finish_time),
    ItemFamily("container_last_seen", "gauge", "When it was last seen running, in seconds since the epoch; absent "
               "if it is not running.", value(lambda seen: seen.seen_at)),
    ItemFamily("container_cpu_usage_seconds_total", "counter", "CPU time used.",
               _of_reading("cpu_seconds", ',cpu="total"'), ("cpu",)),
    _read("container_cpu_user_seconds_total", "counter", "CPU time used in user mode.", "cpu_user_seconds"),
    _read("container_cpu_system_seconds_total", "counter", "CPU time used in kernel mode.",
          "cpu_system_seconds"),
    _read("container_cpu_cfs_periods_total", "counter", "Elapsed periods of the CPU quota.", "cfs_periods"),
    _read("container_cpu_cfs_throttled_periods_total", "counter", "Periods in which it was throttled.",
          "cfs_throttled_periods"),
    _read("container_cpu_cfs_throttled_seconds_total", "counter", "Time for which it was throttled.",
          "cfs_throttled_seconds"),
    _limit("container_spec_cpu_period", "Length of a period of the CPU quota, in microseconds; 0 without a quota.",
           lambda c: c.limits.cpu_period),
    _limit("container_spec_cpu_quota", "CPU time that it can use per period, in microseconds; absent without a quota.",
           lambda c: c.limits.cpu_quota or None),
    _limit("container_spec_cpu_shares", "CPU shares, relative to other containers; 0 if not set.",
           lambda c: c.limits.cpu_shares),
    _read("container_memory_usage_bytes", "gauge", "Memory used, including page cache.", "memory_usage"),
    _read("container_memory_working_set_bytes", "gauge", "Memory used, without inactive page cache; it decides when "
          "the container is killed.", "memory_working_set"),
    _read("container_memory_rss", "gauge", "Anonymous memory, in bytes.", "memory_rss"),
    _read("container_memory_cache", "gauge", "Page cache, in bytes.", "memory_cache"),
    _read("container_memory_swap", "gauge", "Swap used, in bytes.", "memory_swap"),
    _read("container_memory_mapped_file", "gauge", "Memory-mapped files, in bytes.", "memory_mapped_file"),
    _read("container_memory_kernel_usage", "gauge", "Kernel memory used, in bytes.", "memory_kernel"),
    _read("container_memory_max_usage_bytes", "gauge", "Peak memory usage.", "memory_max_usage"),
    _read("container_memory_total_active_file_bytes", "gauge", "Active page cache.", "memory_active_file"),
    _read("container_memory_total_inactive_file_bytes", "gauge", "Inactive page cache.", "memory_inactive_file"),
    _read("container_memory_failcnt", "counter", "Number of times it hit its memory limit.", "memory_failcnt"),
    ItemFamily("container_memory_failures_total", "counter", "Page faults: all (pgfault), and those that required a "
               "read from disk (pgmajfault).", _failures, ("failure_type", "scope")),
    _limit("container_spec_memory_limit_bytes", "Memory limit; 0 without a limit.",
           lambda c: c.limits.memory),
    _limit("container_spec_memory_swap_limit_bytes", "Limit of memory and swap together; 0 without a limit.",
           lambda c: c.limits.memory_swap),
    _limit("container_spec_memory_reservation_limit_bytes", "Memory reserved for it when memory is short; 0 if not "
           "set.", lambda c: c.limits.memory_reservation),
    *(
        ItemFamily(name, "counter", help_, _of_interfaces(attribute), ("interface",))
        for name, attribute, help_ in (
            ("container_network_receive_bytes_total", "receive_bytes", "Bytes received."),
            ("container_network_receive_packets_total", "receive_packets", "Packets received."),
            ("container_network_receive_errors_total", "receive_errors", "Errors while receiving."),
            ("container_network_receive_packets_dropped_total", "receive_dropped",
             "Received packets that were dropped."),
            ("container_network_transmit_bytes_total", "transmit_bytes", "Bytes sent."),
            ("container_network_transmit_packets_total", "transmit_packets", "Packets sent."),
            ("container_network_transmit_errors_total", "transmit_errors", "Errors while sending."),
            ("container_network_transmit_packets_dropped_total", "transmit_dropped",
             "Packets to send that were dropped."),
        )
    ),
    *(
        ItemFamily(name, "counter", help_, _of_devices(attribute), ("device",))
        for name, attribute, help_ in (
            ("container_fs_reads_bytes_total", "read_bytes", "Bytes read from block devices."),
            ("container_fs_writes_bytes_total", "write_bytes", "Bytes written to block devices."),
            ("container_fs_reads_total", "reads", "Reads from block devices."),
            ("container_fs_writes_total", "writes", "Writes to block devices."),
        )
    ),
    _read("container_processes", "gauge", "Number of processes.", "processes"),
    _read("container_threads", "gauge", "Number of threads.", "threads"),
    _read("container_threads_max", "gauge", "Limit of threads; 0 without a limit.", "threads_max"),
    *(
        ItemFamily(f"container_pressure_{resource}_{attribute}_seconds_total", "counter",
                   f"Time in which {who} waited for {what} (pressure stall information; cgroup v2 only).",
                   _of_pressure(resource, attribute))
        for resource, what in (("cpu", "CPU"), ("memory", "memory"), ("io", "I/O"))
        for attribute, who in (("waiting", "some task"), ("stalled", "all tasks"))
    ),
)  # fmt: skip
"""Families made from a reading have samples while the container runs; the others also when it is stopped."""
