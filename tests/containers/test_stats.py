"""The engine's statistics as a reading: recorded answers of cgroup v2 compared with the files, and a stopped
container's.

`recorded.py` says where the recordings come from. test_readings_sources.py compares answers of a running engine.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exporter.containers.block_devices import BlockDevices
from exporter.containers.endpoint import resolve_endpoint
from exporter.containers.engine import Engine
from exporter.containers.model import Device, Interface, Reading
from exporter.containers.stats import PARAMETERS, reading_of
from tests.containers.recorded import FREE, OOM, SPIN, WEB, Recorded, RecordedHost

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docker_engine import DockerEngine

NAMELESS = BlockDevices(None)

V1: Any = json.loads("""
{"read": "2026-11-24T02:10:20.157375801Z", "pids_stats": {"current": 3, "limit": 50}, "blkio_stats": {
 "io_service_bytes_recursive": [
  {"major": 8, "minor": 0, "op": "Read", "value": 2097152}, {"major": 8, "minor": 0, "op": "Write", "value": 2113536},
  {"major": 8, "minor": 0, "op": "Total", "value": 4210688}],
 "io_serviced_recursive": [
  {"major": 8, "minor": 0, "op": "Read", "value": 32}, {"major": 8, "minor": 0, "op": "Write", "value": 37}]},
 "cpu_stats": {
  "cpu_usage": {"total_usage": 673697555, "usage_in_kernelmode": 10000000, "usage_in_usermode": 660000000},
  "system_cpu_usage": 23285530000000, "online_cpus": 2,
  "throttling_data": {"periods": 23, "throttled_periods": 21, "throttled_time": 1438978010}},
 "memory_stats": {"usage": 2392064, "max_usage": 3813376, "limit": 67108864, "stats": {
  "cache": 1, "rss": 2, "inactive_file": 3, "active_file": 4, "mapped_file": 5, "pgfault": 6, "pgmajfault": 7,
  "total_cache": 1880064, "total_rss": 65536, "total_inactive_file": 1794048, "total_active_file": 86016,
  "total_mapped_file": 1449984, "total_pgfault": 1084, "total_pgmajfault": 3}},
 "networks": {
  "eth1": {"rx_bytes": 9, "rx_packets": 10, "rx_errors": 11, "rx_dropped": 12,
           "tx_bytes": 13, "tx_packets": 14, "tx_errors": 15, "tx_dropped": 16},
  "eth0": {"rx_bytes": 1, "rx_packets": 2, "rx_errors": 3, "rx_dropped": 4,
           "tx_bytes": 5, "tx_packets": 6, "tx_errors": 7, "tx_dropped": 8}}}
""")
"""Answer of Docker 20.10 on cgroup v1, shortened, with made-up values in place of zeros."""


def test_every_field_of_v1() -> None:
    assert reading_of(V1, NAMELESS, 12.5) == Reading(
        taken_at=12.5,
        source="api",
        cpu_seconds=0.673697555,
        cpu_user_seconds=0.66,
        cpu_system_seconds=0.01,
        cfs_periods=23,
        cfs_throttled_periods=21,
        cfs_throttled_seconds=1.43897801,
        memory_usage=2392064,
        memory_working_set=2392064 - 1794048,
        memory_rss=65536,
        memory_cache=1880064,
        memory_mapped_file=1449984,
        memory_max_usage=3813376,
        memory_active_file=86016,
        memory_inactive_file=1794048,
        memory_failcnt=0,
        page_faults=1084,
        major_page_faults=3,
        threads=3,
        threads_max=50,
        interfaces=(
            Interface("eth0", 1, 2, 3, 4, 5, 6, 7, 8),
            Interface("eth1", 9, 10, 11, 12, 13, 14, 15, 16),
        ),
        devices=(Device("8:0", 2097152, 2113536, 32, 37),),
    )


@pytest.mark.parametrize("recorded", [WEB, FREE], ids=["web", "free"])
def test_v2_is_as_the_files_of_the_same_moment(recorded: Recorded, tmp_path: Path) -> None:
    """Compare the values of containers that slept while they were recorded; only their network changed."""
    files = RecordedHost(tmp_path, recorded).read(recorded.container)
    answer = reading_of(recorded.statistics, BlockDevices(), 0.0)
    assert files is not None
    assert answer is not None
    assert answer == replace(
        files,
        source="api",
        memory_swap=None,
        memory_kernel=None,
        memory_max_usage=None,
        memory_failcnt=None,
        oom_kills=None,
        processes=None,
        pressures=(),
        interfaces=answer.interfaces,
        devices=tuple(replace(device, reads=None, writes=None) for device in files.devices),
    )
    (counted,), (told,) = files.interfaces, answer.interfaces
    assert told.name == counted.name == "eth0"
    assert told.receive_bytes >= counted.receive_bytes > 0


@pytest.mark.parametrize("recorded", [SPIN, OOM], ids=["spin", "oom"])
def test_v2_goes_on_from_the_files_of_just_before(recorded: Recorded, tmp_path: Path) -> None:
    files = RecordedHost(tmp_path, recorded).read(recorded.container)
    answer = reading_of(recorded.statistics, BlockDevices(), 0.0)
    assert files is not None
    assert answer is not None
    assert answer.memory_usage == files.memory_usage
    assert answer.memory_working_set == files.memory_working_set
    for field in ("cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "cfs_throttled_seconds"):
        assert getattr(files, field) <= getattr(answer, field) <= 1.5 * getattr(files, field), field
    assert answer.memory_failcnt is None, "the engine uses this name for something else"


def test_what_the_engine_leaves_out_or_puts_at_the_greatest_number_is_no_limit() -> None:
    for limits in ({"current": 3}, {"current": 3, "limit": 0}, {"current": 3, "limit": 18446744073709551615}):
        reading = reading_of({**V1, "pids_stats": limits}, NAMELESS, 0.0)
        assert reading is not None
        assert (reading.threads, reading.threads_max) == (3, 0)
    reading = reading_of({**V1, "pids_stats": {}}, NAMELESS, 0.0)
    assert reading is not None
    assert (reading.threads, reading.threads_max) == (None, None)


def test_sections_that_the_engine_has_not_are_absent() -> None:
    """Cover a rootless engine that cannot create cgroups, and a container with the host's network."""
    answer = {**V1, "memory_stats": {}, "blkio_stats": {"io_service_bytes_recursive": None}}
    del answer["networks"]
    reading = reading_of(answer, NAMELESS, 0.0)
    assert reading is not None
    assert reading.memory_usage is None
    assert reading.memory_working_set is None
    assert (reading.devices, reading.interfaces) == ((), ())


def test_a_container_that_does_not_run_has_no_reading(docker_engine: DockerEngine) -> None:
    """Cover a real engine's answer for a stopped container: zeros, and a time that never was."""

    async def ask(identifier: str) -> Any:
        engine = Engine(resolve_endpoint(docker_engine.host))
        try:
            return await engine.get(f"/containers/{identifier}/stats", PARAMETERS)
        finally:
            await engine.close()

    identifier = docker_engine.create()
    try:
        answer = asyncio.run(ask(identifier))
    finally:
        docker_engine.remove(identifier)
    assert answer["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert reading_of(answer, NAMELESS, 0.0) is None
