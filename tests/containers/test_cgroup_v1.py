"""Readings from cgroup v1 files: of a real container if this machine has v1, and of files laid out like other
machines' mounts."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.plan import ContainersPlan, Endpoint
from exporter.containers.cgroup import find_hierarchy
from exporter.containers.engine import Engine
from exporter.containers.model import Container, Device, Identity, Interface, Reading, Status
from exporter.containers.readings import Readings
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docker_engine import DockerEngine

ID = "b9e3f3aaa7cbc2747c6f5db3a6f5a5c3f9c0e6d1ee712b1474453ad53bdbb207"
CONTAINER = Container(
    Identity(ID, "busy", "busybox", "", f"/docker/{ID}"), Status("running", pid=7), network_mode="bridge"
)

FILES = {
    "cpu,cpuacct/cpuacct.usage": "644259635\n",
    "cpu,cpuacct/cpuacct.stat": "user 63\nsystem 4\n",
    "cpu,cpuacct/cpu.stat": "nr_periods 22\nnr_throttled 20\nthrottled_time 1369821780\nnr_bursts 0\nburst_time 0\n",
    "memory/memory.usage_in_bytes": "2392064\n",
    "memory/memory.max_usage_in_bytes": "3813376\n",
    "memory/memory.failcnt": "12\n",
    "memory/memory.kmem.usage_in_bytes": "278528\n",
    "memory/memory.memsw.usage_in_bytes": "2396160\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "memory/memory.stat": "cache 1\nrss 2\nmapped_file 3\ninactive_file 4\nactive_file 5\npgfault 6\npgmajfault 7\n"
    "hierarchical_memory_limit 67108864\ntotal_cache 1880064\ntotal_rss 65536\ntotal_mapped_file 1449984\n"
    "total_pgfault 1084\ntotal_pgmajfault 3\ntotal_inactive_file 1794048\ntotal_active_file 86016\n",
    "blkio/blkio.throttle.io_service_bytes": "8:0 Read 1\n8:0 Write 1\nTotal 2\n",
    "blkio/blkio.throttle.io_service_bytes_recursive": "1048575:7 Read 2097152\n1048575:7 Write 2113536\n"
    "1048575:7 Sync 4210688\n1048575:7 Async 0\n1048575:7 Discard 0\n1048575:7 Total 4210688\nTotal 4210688\n",
    "blkio/blkio.throttle.io_serviced_recursive": "1048575:7 Read 32\n1048575:7 Write 37\n1048575:7 Sync 69\n"
    "1048575:7 Async 0\n1048575:7 Discard 0\n1048575:7 Total 69\nTotal 69\n",
    "pids/cgroup.procs": "7\n9\n",
    "pids/pids.current": "3\n",
    "pids/pids.max": "50\n",
}
EXPECTED = Reading(
    taken_at=0.0,
    source="cgroup",
    cpu_seconds=0.644259635,
    cpu_user_seconds=63 / os.sysconf("SC_CLK_TCK"),
    cpu_system_seconds=4 / os.sysconf("SC_CLK_TCK"),
    cfs_periods=22,
    cfs_throttled_periods=20,
    cfs_throttled_seconds=1.36982178,
    memory_usage=2392064,
    memory_working_set=2392064 - 1794048,
    memory_rss=65536,
    memory_cache=1880064,
    memory_swap=4096,
    memory_mapped_file=1449984,
    memory_kernel=278528,
    memory_max_usage=3813376,
    memory_active_file=86016,
    memory_inactive_file=1794048,
    memory_failcnt=12,
    page_faults=1084,
    major_page_faults=3,
    oom_kills=3,
    processes=2,
    threads=3,
    threads_max=50,
    interfaces=(Interface("eth0", 736, 8, 1, 2, 70, 1, 3, 4),),
    devices=(Device("1048575:7", 2097152, 2113536, 32, 37),),
)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Make a hybrid host: v1's controllers, two of them combined, and v2's hierarchy without controllers."""
    unified = tmp_path / "cgroup/unified" / f"docker/{ID}"
    unified.mkdir(parents=True)
    (tmp_path / "cgroup/unified/cgroup.controllers").write_text("")
    for name, text in FILES.items():
        controller, file = name.split("/")
        folder = tmp_path / "cgroup" / controller / "docker" / ID
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    process = tmp_path / "proc/7"
    (process / "net").mkdir(parents=True)
    (process / "cgroup").write_text(
        f"5:pids:/docker/{ID}\n4:memory:/docker/{ID}\n2:cpu,cpuacct:/docker/{ID}\n3:blkio:/docker/{ID}\n"
        f"1:name=systemd:/docker/{ID}\n0::/system.slice/containerd.service\n"
    )
    (process / "net/dev").write_text(
        "Inter-|   Receive |  Transmit\n face |bytes packets errs ...\n"
        "    lo: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n  eth0: 736 8 1 2 0 0 0 0 70 1 3 4 0 0 0 0\n"
    )
    return tmp_path


def read(host: Path | None, container: Container = CONTAINER) -> Reading | None:
    """Read once, at time 0; without a `host`, from this machine's own files."""

    async def once() -> Reading | None:
        plan = ContainersPlan(source="cgroup")
        if host is not None:
            plan = replace(plan, cgroup=str(host / "cgroup"), proc=str(host / "proc"))
        readings = Readings(plan, Engine(Endpoint("nowhere", socket="/nonexistent/docker.sock")))
        await readings.refresh([container])
        reading = readings.latest.get(container.identity.id)
        await readings.close()
        return reading and replace(reading, taken_at=0.0)

    return asyncio.run(once())


def test_every_field(host: Path) -> None:
    assert read(host) == EXPECTED


def test_swap_is_what_the_kernel_counts_or_the_difference(host: Path) -> None:
    statistics = host / "cgroup/memory/docker" / ID / "memory.stat"
    statistics.write_text(FILES["memory/memory.stat"] + "total_swap 8192\n")
    assert read(host) == replace(EXPECTED, memory_swap=8192)
    statistics.write_text(FILES["memory/memory.stat"])
    (host / "cgroup/memory/docker" / ID / "memory.memsw.usage_in_bytes").unlink()
    assert read(host) == replace(EXPECTED, memory_swap=None), "swap must not be counted"


def test_what_is_switched_off_is_absent(host: Path) -> None:
    """Cover the memory controller, which is off on a Raspberry Pi, and processes, which v1 hides from other PID
    namespaces."""
    (host / "cgroup/memory").rename(host / "memory")
    (host / "cgroup/pids/docker" / ID / "cgroup.procs").write_text("")
    absent: dict[str, Any] = {
        field: None
        for field in Reading.__slots__
        if field.startswith("memory")
        or field in ("page_faults", "major_page_faults", "oom_kills", "processes")
    }
    assert read(host) == replace(EXPECTED, **absent)


def test_without_counts_of_a_whole_tree_there_are_those_of_the_container(host: Path) -> None:
    """Cover Linux before 4.14, which has no recursive counts."""
    for name in ("io_service_bytes", "io_serviced"):
        (host / f"cgroup/blkio/docker/{ID}/blkio.throttle.{name}_recursive").unlink()
    (host / f"cgroup/blkio/docker/{ID}/blkio.throttle.io_service_bytes").write_text(
        "1048575:7 Read 10\n1048575:7 Write 20\nTotal 30\n"
    )
    assert read(host) == replace(EXPECTED, devices=(Device("1048575:7", 10, 20, None, None),))


def test_a_container_that_ends_has_no_reading(host: Path) -> None:
    (host / f"cgroup/pids/docker/{ID}/pids.current").write_text("0\n")
    assert read(host) is None


def test_controllers_are_found_wherever_they_are_mounted(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "31 23 0:28 / /cg rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /cg/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /cg/ram rw,relatime - cgroup cgroup rw,memory\n"
        "40 31 0:37 / /cg/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
        "41 31 0:38 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\n"
    )
    found = find_hierarchy(None, str(tmp_path / "nowhere"), str(mountinfo))
    assert found is not None
    assert found.version == 1, "hybrid host: the controllers must be found in v1"
    assert dict(found.mounts) == {"cpu": "/cg/cpu", "cpuacct": "/cg/cpu", "memory": "/cg/ram"}


@pytest.fixture
def real(docker_engine: DockerEngine) -> Iterator[Container]:
    """Start a real container that used every resource and then sleeps while it is read."""
    found = find_hierarchy(None)
    if found is None or found.version != 1:
        pytest.skip(
            "this machine has no cgroup v1; test_readings_sources.py reads a real container of what it has"
        )
    identifier = docker_engine.run(
        *("--memory", "32m", "--cpus", "0.2", "--pids-limit", "60"),
        command=("sh", "-c", "dd if=/dev/zero of=/file bs=64k count=1000; touch /done; exec sleep 1000"),
    )
    try:
        until(
            lambda: docker_engine.docker("diff", identifier).count("/done"),
            "a file of 64 MB in 32 MB of memory",
            60,
        )
        state = json.loads(docker_engine.docker("inspect", identifier))[0]["State"]
        yield Container(
            Identity(identifier, "real", "busybox", "", f"/docker/{identifier}"),
            Status("running", pid=state["Pid"], started_at=1.0),
            network_mode="bridge",
        )
    finally:
        docker_engine.remove(identifier)


def test_a_real_container_is_as_its_files_say(real: Container) -> None:
    folders = {
        line.split(":")[1]: line.split(":")[2]
        for line in Path(f"/proc/{real.status.pid}/cgroup").read_text().splitlines()
    }

    def said(controller: str, file: str, key: str | None = None) -> int:
        mount, path = next((name, path) for name, path in folders.items() if controller in name.split(","))
        text = Path(f"/sys/fs/cgroup/{mount}{path}/{file}").read_text()
        return int(text) if key is None else int(text.split(f"{key} ", 1)[1].split()[0])

    def compare() -> bool:
        reading = read(None, real)
        assert reading is not None
        expected = replace(
            reading,
            cpu_seconds=said("cpuacct", "cpuacct.usage") / 1e9,
            cfs_periods=said("cpu", "cpu.stat", "nr_periods"),
            cfs_throttled_periods=said("cpu", "cpu.stat", "nr_throttled"),
            memory_usage=said("memory", "memory.usage_in_bytes"),
            memory_cache=said("memory", "memory.stat", "total_cache"),
            memory_rss=said("memory", "memory.stat", "total_rss"),
            memory_max_usage=said("memory", "memory.max_usage_in_bytes"),
            memory_failcnt=said("memory", "memory.failcnt"),
            memory_kernel=said("memory", "memory.kmem.usage_in_bytes"),
            page_faults=said("memory", "memory.stat", "total_pgfault"),
            oom_kills=said("memory", "memory.oom_control", "oom_kill"),
            threads=1,
            processes=1,
            threads_max=60,
        )
        assert reading.memory_failcnt is not None
        assert reading.memory_failcnt > 0, "the file did not fit"
        assert reading.memory_max_usage is not None
        assert 30 * 1024 * 1024 < reading.memory_max_usage <= 32 * 1024 * 1024
        return reading == expected

    # The kernel still writes back pages and sums up its statistics for some seconds.
    until(compare, "a reading that is as the files are", 30)
