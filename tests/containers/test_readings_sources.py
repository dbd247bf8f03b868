"""Files and engine give the same values for real containers, and each is read where the other is not available.

Uses a real engine with the cgroup version of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from exporter.catalog.planning.plan import ContainersPlan
from tests.containers.readings_of import read, watched
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.containers.model import Reading
    from tests.docker_engine import DockerEngine

MIB = 1024 * 1024
NETWORK = "test-readings"

SPIN = (
    "sh",
    "-c",
    """
    until grep -q "nr_throttled [1-9]" /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat 2>/dev/null
    do i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done
    done
    touch /done
    exec sleep 1000
    """,
)
FILL = ("sh", "-c", "dd if=/dev/zero of=/file bs=64k count=1000; touch /done; exec sleep 1000")
WRITE = (
    "sh",
    "-c",
    """
    dd if=/dev/zero of=/file bs=64k count=32 oflag=direct conv=fsync &&
    dd if=/file of=/dev/null bs=64k iflag=direct && touch /done
    exec sleep 1000
    """,
)
DIE = ("sh", "-c", "tail /dev/zero; tail /dev/zero; touch /done; exec sleep 1000")


@pytest.fixture(scope="module")
def containers(docker_engine: DockerEngine) -> Iterator[dict[str, str]]:
    """Start containers that use resources and then sleep, one of them paused, so that nothing changes meanwhile."""
    with contextlib.ExitStack() as stack:
        docker_engine.docker("network", "create", NETWORK)
        stack.callback(docker_engine.docker, "network", "rm", NETWORK)

        def run(*options: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
            identifier = docker_engine.run(*options, command=command)
            stack.callback(docker_engine.remove, identifier)
            return identifier

        found = {
            "limited": run("--memory", "32m", "--pids-limit", "50", command=FILL),
            "throttled": run("--cpus", "0.1", command=SPIN),
            # Since Linux 6.10, v1 counts a device's transfers only if some limit is set for it.
            "writing": run("--device-write-bps", f"{_disk(docker_engine.folder)}:1gb", command=WRITE),
            "killed": run("--memory", "16m", "--memory-swap", "16m", command=DIE),
            "talking": run(),
            "host": run("--network", "host"),
            "alone": run("--network", "none"),
        }
        docker_engine.docker("network", "connect", NETWORK, found["talking"])
        # The host answers. Another engine's packet filter may be active here and drop packets between containers.
        gateway = "{{(index .IPAM.Config 0).Gateway}}"
        address = docker_engine.docker("network", "inspect", "--format", gateway, NETWORK)
        docker_engine.docker("exec", found["talking"], "ping", "-c", "5", "-i", "0.1", "-s", "1000", address)
        for name in ("limited", "throttled", "writing", "killed"):
            _wait_until_done(docker_engine, found[name])
        docker_engine.docker("pause", found["limited"])
        yield found


def _disk(folder: Path) -> str:
    """Return the block device that holds `folder`."""
    device = folder.stat().st_dev
    return f"/dev/{Path(f'/sys/dev/block/{os.major(device)}:{os.minor(device)}').resolve().name}"


def _wait_until_done(docker_engine: DockerEngine, container: str) -> None:
    until(lambda: "/done" in docker_engine.docker("diff", container), "the end of the container's work", 60)


def test_files_and_engine_say_the_same(docker_engine: DockerEngine, containers: dict[str, str]) -> None:
    """Skip values that the engine does not report. The network counters grow on their own."""

    def differences() -> list[str]:
        before = read(docker_engine, "cgroup", *containers.values())
        told = read(docker_engine, "api", *containers.values())
        after = read(docker_engine, "cgroup", *containers.values())
        found = []
        for name, identifier in containers.items():
            counted, answer = before[identifier], told[identifier]
            passed_over = ("taken_at", "source", "interfaces", "devices", "pressures")
            found += [
                f"{name}: {field} {getattr(counted, field)} {getattr(answer, field)}"
                for field in counted.__slots__
                if field not in passed_over
                and getattr(answer, field) is not None
                and getattr(counted, field) != pytest.approx(getattr(answer, field), rel=1e-9)
            ]
            for mine, its, later in zip(
                counted.interfaces, answer.interfaces, after[identifier].interfaces, strict=True
            ):
                assert mine.name == its.name
                assert mine.receive_bytes <= its.receive_bytes <= later.receive_bytes
                assert mine.transmit_bytes <= its.transmit_bytes <= later.transmit_bytes
            devices = {device.name: device for device in answer.devices}
            for device in counted.devices:
                assert devices[device.name].read_bytes == device.read_bytes
                assert devices[device.name].write_bytes == device.write_bytes
        return found

    # Pages are still being written back, and the kernel sums up some of its statistics every other second.
    until(lambda: not differences(), f"agreement; {differences()}", 30)


def test_the_files_say_what_was_done(docker_engine: DockerEngine, containers: dict[str, str]) -> None:
    latest = read(docker_engine, "auto", *containers.values())
    assert {reading.source for reading in latest.values()} == {"cgroup"}
    of = {name: latest[identifier] for name, identifier in containers.items()}

    limited = of["limited"]
    assert limited.memory_usage is not None
    assert limited.memory_max_usage is None or limited.memory_usage <= limited.memory_max_usage <= 32 * MIB
    assert limited.memory_working_set is not None
    assert limited.memory_inactive_file is not None
    assert limited.memory_working_set == limited.memory_usage - limited.memory_inactive_file
    assert limited.memory_failcnt is not None
    assert limited.memory_failcnt > 0, "64 MB of page cache must not fit in 32"
    assert (limited.threads, limited.threads_max, limited.processes) == (1, 50, 1)

    throttled = of["throttled"]
    assert throttled.cfs_periods is not None
    assert throttled.cfs_throttled_periods is not None
    assert throttled.cfs_throttled_seconds is not None
    assert throttled.cfs_periods >= throttled.cfs_throttled_periods > 0
    assert throttled.cfs_throttled_seconds > 0.0

    (disk,) = (device for device in of["writing"].devices if device.write_bytes)
    assert disk.name.startswith("/dev/")
    assert disk.write_bytes >= 2 * MIB
    assert disk.read_bytes >= 2 * MIB
    assert disk.writes is not None
    assert disk.writes >= 32
    assert disk.reads is not None
    assert disk.reads >= 32

    assert of["killed"].oom_kills == 2
    assert of["limited"].oom_kills == 0

    first, second = of["talking"].interfaces
    assert (first.name, second.name) == ("eth0", "eth1")
    assert second.transmit_bytes > 5000
    assert second.receive_bytes > 5000
    assert first.transmit_bytes < 5000, "the pings must count only for the second network"
    assert of["host"].interfaces == ()
    assert of["alone"].interfaces == ()


def test_where_processes_are_not_visible_the_engine_is_asked(
    docker_engine: DockerEngine, containers: dict[str, str], tmp_path: Path
) -> None:
    talking, alone = containers["talking"], containers["alone"]
    plan = ContainersPlan(source="auto", interval=0.1, proc=str(tmp_path))

    async def check() -> None:
        async with watched(docker_engine, plan, talking, alone) as watching:
            latest = await watching.until_all()
            assert latest[talking].source == "api"
            assert [interface.name for interface in latest[talking].interfaces] == ["eth0", "eth1"]
            assert latest[alone].source == "cgroup", "without a network of its own the files must be enough"
            assert watching.readings.counts() == {"cgroup": 1, "api": 1}

    asyncio.run(check())


def test_where_no_cgroup_is_visible(
    docker_engine: DockerEngine, containers: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(source: Literal["auto", "cgroup"]) -> dict[str, Reading]:
        plan = ContainersPlan(source=source, interval=0.1, cgroup=str(tmp_path))
        async with watched(docker_engine, plan, *containers.values()) as watching:
            for _ in range(3):
                await watching.refresh()
            return await watching.until_all() if source == "auto" else dict(watching.readings.latest)

    assert asyncio.run(check("cgroup")) == {}
    (record,) = (record for record in caplog.records if record.name.startswith("exporter.containers"))
    assert str(tmp_path) in record.getMessage()
    assert {reading.source for reading in asyncio.run(check("auto")).values()} == {"api"}


def test_the_end_and_the_next_life_of_a_container(docker_engine: DockerEngine) -> None:
    """Cover engine events that arrive late: the files are already gone."""
    identifier = docker_engine.run(command=("sh", "-c", "for i in $(seq 20000); do :; done; exec sleep 1000"))

    async def check() -> None:
        async with watched(
            docker_engine, ContainersPlan(source="cgroup", interval=0.0), identifier
        ) as watching:
            old = await watching.containers()
            await watching.readings.refresh(old)
            first = watching.readings.latest[identifier]
            await asyncio.to_thread(docker_engine.docker, "kill", identifier)
            await watching.readings.refresh(old)
            assert watching.readings.latest == {}
            assert await watching.refresh() == {}, "a stopped container must have no reading"
            assert watching.readings.counts() == {"cgroup": 0, "api": 0}
            await asyncio.to_thread(docker_engine.docker, "start", identifier)
            second = (await watching.refresh())[identifier]
            assert second.taken_at > first.taken_at
            assert second.page_faults is not None
            assert [interface.name for interface in second.interfaces] == ["eth0"]

    try:
        asyncio.run(check())
    finally:
        docker_engine.remove(identifier)


def test_a_scrape_does_not_wait_for_an_engine_that_hangs(
    docker_engine: DockerEngine, containers: dict[str, str]
) -> None:
    async def check() -> None:
        plan = ContainersPlan(source="api", interval=0.1)
        async with watched(docker_engine, plan, *containers.values()) as watching:
            latest = await watching.until_all()
            known = await watching.containers()
            with docker_engine.frozen():
                began = time.monotonic()
                await watching.readings.refresh(known)
                assert time.monotonic() - began < 1.0
                assert watching.readings.latest.keys() == latest.keys(), (
                    "the last readings must be kept for a while"
                )
                watching.readings.clear()
                assert watching.readings.latest == {}
            # A request from before is discarded, and one from now on is recorded.
            await asyncio.sleep(0)
            assert watching.readings.latest == {}
            await watching.until_all()

    asyncio.run(check())
