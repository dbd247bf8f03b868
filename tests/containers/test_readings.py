"""Timing and cost of reading containers, and which readings are dropped.

The containers are of a recorded host (`recorded.py`), so that they do not change; real ones are in
test_readings_sources.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

from exporter.containers.kernel_files import Budget, KeptFiles
from tests.containers.recorded import WEB, Recorded, RecordedHost
from tests.waiting import until

if TYPE_CHECKING:
    from exporter.containers.model import Container


def test_files_are_read_once_in_an_interval(tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, WEB)
    usage = host.folder(WEB) / "memory.current"

    async def check() -> None:
        readings = host.readings(interval=1.0)
        began = time.monotonic()
        await readings.refresh([WEB.container])
        first = readings.latest[WEB.id]
        usage.write_text("999999\n")
        await asyncio.gather(*(readings.refresh([WEB.container]) for _ in range(5)))
        assert readings.latest[WEB.id] is first, "must be within the interval"
        while readings.latest[WEB.id] is first:
            assert time.monotonic() < began + 20
            await asyncio.sleep(0.02)
            await readings.refresh([WEB.container])
        assert time.monotonic() - began >= 0.95
        assert readings.latest[WEB.id].memory_usage == 999999
        await readings.close()

    asyncio.run(check())


def test_what_is_forgotten_has_no_reading(tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, WEB)

    async def check() -> None:
        readings = host.readings(interval=60.0)
        await readings.refresh([WEB.container])
        assert readings.counts() == {"cgroup": 1, "api": 0}
        readings.forget(WEB.id)
        assert readings.latest == {}
        await readings.refresh([WEB.container])
        assert readings.counts() == {"cgroup": 1, "api": 0}
        readings.clear()
        assert readings.latest == {}
        stopped = replace(WEB.container, status=replace(WEB.container.status, state="exited"))
        for gone in ([stopped], []):
            await readings.refresh([WEB.container])
            assert readings.latest
            await readings.refresh(gone)
            assert readings.latest == {}
        assert readings.source_of(stopped) is None
        await readings.close()

    asyncio.run(check())


def many(root: Path, count: int) -> tuple[RecordedHost, list[Container]]:
    """Make a host with this many containers, all with the same values."""
    host = RecordedHost(root, WEB)
    copies = [Recorded("web", "systemd", f"{number:064x}", 1000 + number) for number in range(1, count + 1)]
    for copy in copies:
        host.folder(copy).mkdir()
        for file in host.folder(WEB).iterdir():
            (host.folder(copy) / file.name).write_bytes(file.read_bytes())
        process = host.proc / str(copy.pid) / "net"
        process.mkdir(parents=True)
        (process / "dev").write_bytes((host.proc / str(WEB.pid) / "net/dev").read_bytes())
        (process.parent / "cgroup").write_text(f"0::{copy.cgroup}\n")
    return host, [copy.container for copy in copies]


def test_reading_fifty_containers_holds_nobody_up(tmp_path: Path) -> None:
    """Compare the longest turn of the event loop with all turns, in CPU time: other processes do not count."""
    host, containers = many(tmp_path, 50)

    async def check() -> tuple[float, float]:
        readings = host.readings()
        done = asyncio.Event()
        turns = []

        async def beside() -> None:
            last = time.thread_time()
            while not done.is_set():
                await asyncio.sleep(0)
                now = time.thread_time()
                turns.append(now - last)
                last = now

        ticking = asyncio.create_task(beside())
        for _ in range(5):
            await readings.refresh(containers)
        done.set()
        await ticking
        assert len(readings.latest) == 50
        await readings.close()
        return max(turns), sum(turns)

    longest, all_together = asyncio.run(check())
    assert longest < all_together / 20


def test_descriptors_are_bounded_and_given_back(tmp_path: Path) -> None:
    def opened() -> int:
        count = 0
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the one that lists them
                count += str(tmp_path) in str(descriptor.readlink())
        return count

    host, containers = many(tmp_path, 30)

    async def check() -> None:
        readings = host.readings()
        await readings.refresh(containers)
        assert len(readings.latest) == 30
        assert 0 < opened() <= 30 * 14
        for container in containers[:29]:
            readings.forget(container.identity.id)
        assert opened() <= 14
        await readings.close()
        assert opened() == 0

    asyncio.run(check())

    budget = Budget(3)
    files = [KeptFiles(budget) for _ in range(30)]
    for kept, container in zip(files, containers, strict=True):
        usage = f"{host.cgroup}/{container.identity.cgroup}/memory.current"
        assert kept.number(usage) == kept.number(usage) == 368640
    assert opened() == 3
    for kept in files:
        kept.close()
    assert (opened(), budget.left) == (0, 3)


def test_a_file_of_many_pages_is_read_whole() -> None:
    """Read a file that the kernel returns page by page: the memory map of an idle process."""
    with subprocess.Popen(
        [sys.executable, "-c", "import ssl, asyncio; print(1, flush=True); input()"], stdin=PIPE, stdout=PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        file = f"/proc/{child.pid}/maps"

        def read_both_ways() -> tuple[bytes, bytes | None]:
            kept = KeptFiles(Budget(1))
            kept.read(file)
            found = Path(file).read_bytes(), kept.read(file)
            kept.close()
            return found

        until(lambda: len(set(read_both_ways())) == 1, "the same text by both ways")
        assert len(read_both_ways()[0]) > 2 * 4096
        child.communicate(b"\n")
