"""Readings from cgroup v2 files that were recorded on a real host; `recorded.py` says why."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from exporter.containers.cgroup import UNIFIED, find_hierarchy
from exporter.containers.model import Device, Interface, Pressure, Reading
from tests.containers.recorded import FREE, OOM, SPIN, WEB, WEB_CGROUPFS, Recorded, RecordedHost

ALL = pytest.mark.parametrize(
    "recorded", [WEB, FREE, SPIN, OOM, WEB_CGROUPFS], ids=lambda each: f"{each.driver}-{each.name}"
)


def disk() -> str:
    """Return the name that this machine has for the recorded device 254:0, if any."""
    known = Path("/sys/dev/block/254:0")
    return f"/dev/{known.resolve().name}" if known.exists() else "254:0"


def test_a_container_that_is_killed_again_and_again_for_want_of_memory(tmp_path: Path) -> None:
    assert RecordedHost(tmp_path, OOM).read(OOM.container) == Reading(
        taken_at=0.0,
        source="cgroup",
        cpu_seconds=5.462414,
        cpu_user_seconds=2.264519,
        cpu_system_seconds=3.197895,
        cfs_periods=0,
        cfs_throttled_periods=0,
        cfs_throttled_seconds=0.0,
        memory_usage=466944,
        memory_working_set=466944,
        memory_rss=114688,
        memory_cache=0,
        memory_swap=0,
        memory_mapped_file=0,
        memory_kernel=352256,
        memory_max_usage=8388608,
        memory_active_file=0,
        memory_inactive_file=0,
        memory_failcnt=635,
        page_faults=52251,
        major_page_faults=1,
        oom_kills=17,
        processes=2,
        threads=2,
        threads_max=3551,
        interfaces=(Interface("eth0", 656, 8, 0, 0, 0, 0, 0, 0),),
        devices=(Device(disk(), read_bytes=16384, write_bytes=0, reads=1, writes=0),),
        pressures=(
            ("cpu", Pressure(0.57181, 0.537774)),
            ("memory", Pressure(0.242228, 0.242228)),
            ("io", Pressure(0.000208, 0.000208)),
        ),
    )


@ALL
def test_every_field_is_as_the_files_say(recorded: Recorded, tmp_path: Path) -> None:
    def said(file: str, pattern: str = r"^(\d+)$") -> int:
        found = re.search(pattern, (recorded.recording / file).read_text(), re.MULTILINE)
        assert found, f"{pattern} in {file}"
        return int(found[1])

    def statistic(name: str) -> int:
        return said("memory.stat", rf"^{name} (\d+)$")

    def stalled(resource: str, kind: str) -> float:
        return said(f"{resource}.pressure", rf"^{kind} .*total=(\d+)$") / 1e6

    reading = RecordedHost(tmp_path, recorded).read(recorded.container)
    assert reading is not None
    io = re.findall(
        r"^254:0 rbytes=(\d+) wbytes=(\d+) rios=(\d+) wios=(\d+)",
        (recorded.recording / "io.stat").read_text(),
    )
    assert {field.name: getattr(reading, field.name) for field in fields(Reading)} == {
        "taken_at": 0.0,
        "source": "cgroup",
        "cpu_seconds": pytest.approx(said("cpu.stat", r"^usage_usec (\d+)") / 1e6),
        "cpu_user_seconds": pytest.approx(said("cpu.stat", r"^user_usec (\d+)") / 1e6),
        "cpu_system_seconds": pytest.approx(said("cpu.stat", r"^system_usec (\d+)") / 1e6),
        "cfs_periods": said("cpu.stat", r"^nr_periods (\d+)"),
        "cfs_throttled_periods": said("cpu.stat", r"^nr_throttled (\d+)"),
        "cfs_throttled_seconds": pytest.approx(said("cpu.stat", r"^throttled_usec (\d+)") / 1e6),
        "memory_usage": said("memory.current"),
        "memory_working_set": said("memory.current") - statistic("inactive_file"),
        "memory_rss": statistic("anon"),
        "memory_cache": statistic("file"),
        "memory_swap": said("memory.swap.current"),
        "memory_mapped_file": statistic("file_mapped"),
        "memory_kernel": statistic("kernel"),
        "memory_max_usage": said("memory.peak"),
        "memory_active_file": statistic("active_file"),
        "memory_inactive_file": statistic("inactive_file"),
        "memory_failcnt": said("memory.events", r"^max (\d+)"),
        "page_faults": statistic("pgfault"),
        "major_page_faults": statistic("pgmajfault"),
        "oom_kills": said("memory.events", r"^oom_kill (\d+)"),
        "processes": len((recorded.recording / "cgroup.procs").read_text().split()),
        "threads": said("pids.current"),
        "threads_max": 0 if recorded.driver == "cgroupfs" else said("pids.max"),
        "interfaces": (
            Interface("eth0", 1252, 14, 0, 0, 0, 0, 0, 0)
            if recorded.name == "web"
            else Interface("eth0", 656, 8, 0, 0, 0, 0, 0, 0),
        ),
        "devices": tuple(Device(disk(), *map(int, counts)) for counts in io),
        "pressures": tuple(
            (resource, Pressure(stalled(resource, "some"), stalled(resource, "full")))
            for resource in ("cpu", "memory", "io")
        ),
    }


@ALL
def test_the_container_is_found_however_much_is_hidden(recorded: Recorded, tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, recorded)
    container = recorded.container
    whole = host.read(container)
    assert whole is not None

    # In a private cgroup namespace the path is relative to the reader's own cgroup.
    membership = host.proc / str(recorded.pid) / "cgroup"
    membership.write_text(f"0::/../{Path(recorded.cgroup).name}\n")
    assert host.read(container) == whole

    # The engine's default cgroup parent was changed, so the cgroup is not at the usual path.
    membership.write_text(f"0::{recorded.cgroup}\n")
    elsewhere = replace(container, identity=replace(container.identity, cgroup=f"/elsewhere/{recorded.id}"))
    assert host.read(elsewhere) == whole

    # No process is visible, so only the usual places are left.
    shutil.rmtree(host.proc)
    assert host.read(elsewhere) == replace(whole, interfaces=())


def test_a_rootless_engine_keeps_its_containers_below_its_user(tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, WEB)
    place = host.cgroup / "user.slice/user-1000.slice/user@1000.service/user.slice"
    place.mkdir(parents=True)
    host.folder(WEB).rename(place / host.folder(WEB).name)
    shutil.rmtree(host.proc)
    reading = host.read(WEB.container)
    assert reading is not None
    assert reading.memory_usage == 368640


def test_a_process_that_is_not_the_containers_is_not_believed(tmp_path: Path) -> None:
    """Cover another PID namespace, where the number of the container's first process belongs to another process."""
    host = RecordedHost(tmp_path, WEB)
    assert host.source_of(WEB.container) == "cgroup"
    (host.proc / str(WEB.pid) / "cgroup").write_text("0::/system.slice/cron.service\n")
    reading = host.read(WEB.container)
    assert reading is not None
    assert reading.memory_usage == 368640
    assert reading.interfaces == ()
    assert host.source_of(WEB.container) == "api", "without network counters the engine must be preferred"


@pytest.mark.parametrize("mode", ["host", "none", "container:0123"])
def test_a_container_without_a_network_of_its_own_has_no_interfaces(mode: str, tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, WEB)
    container = replace(WEB.container, network_mode=mode)
    reading = host.read(container)
    assert reading is not None
    assert reading.interfaces == ()
    shutil.rmtree(host.proc)
    assert host.source_of(container) == "cgroup", "its /proc must not be needed"


def test_cgroups_that_a_container_makes_within_its_own_belong_to_it(tmp_path: Path) -> None:
    """Cover cgroups of systemd or of an engine in a container: the first process is in a subfolder."""
    host = RecordedHost(tmp_path, OOM)
    inner = host.folder(OOM) / "init.scope"
    inner.mkdir()
    (inner / "cgroup.procs").write_text("746\n850\n851\n")
    (host.folder(OOM) / "cgroup.procs").write_text("")
    (host.proc / str(OOM.pid) / "cgroup").write_text(f"0::{OOM.cgroup}/init.scope\n")
    (host.proc / str(OOM.pid) / "net/dev").write_text(
        "Inter-|   Receive |  Transmit\n face |bytes packets errs ...\n"
        "    lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n"
        "docker0: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n"
        "veth0a1b2c: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n"
        "  eth0:12345678901 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
    )
    reading = host.read(OOM.container)
    assert reading is not None
    assert reading.memory_usage == 466944
    assert reading.processes == 3
    assert reading.interfaces == (Interface("eth0", 12345678901, 2, 3, 4, 5, 6, 7, 8),)


def test_what_an_older_kernel_does_not_tell_is_absent(tmp_path: Path) -> None:
    """Cover Linux 5.10: no peak, no stalls of all tasks waiting for CPU, no sum of kernel memory; swap is off."""
    host = RecordedHost(tmp_path, WEB)
    whole = host.read(WEB.container)
    assert whole is not None
    folder = host.folder(WEB)
    for file in ("memory.peak", "memory.swap.current", "io.pressure"):
        (folder / file).unlink()
    (folder / "cpu.pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=342572\n")
    statistics = folder / "memory.stat"
    statistics.write_text(statistics.read_text().replace("kernel 266240\n", ""))
    (folder / "io.stat").write_text("7:0 \n")
    assert host.read(WEB.container) == replace(
        whole,
        memory_max_usage=None,
        memory_swap=None,
        memory_kernel=None,
        devices=(),
        pressures=(("memory", Pressure(0.0, 0.0)),),
    )


def test_a_container_that_ends_has_no_reading(tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, WEB)
    (host.folder(WEB) / "pids.current").write_text("0\n")
    assert host.read(WEB.container) is None, "no thread must be left"
    shutil.rmtree(host.proc)
    assert host.read(WEB.container) is None
    shutil.rmtree(host.folder(WEB))
    assert host.read(WEB.container) is None


def test_working_set_is_never_below_zero(tmp_path: Path) -> None:
    host = RecordedHost(tmp_path, FREE)
    (host.folder(FREE) / "memory.current").write_text("4096\n")
    reading = host.read(FREE.container)
    assert reading is not None
    assert reading.memory_inactive_file == 77824
    assert reading.memory_working_set == 0


def test_a_hierarchy_that_is_mounted_elsewhere_is_found(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "25 1 0:5 / / rw - ext4 /dev/vda rw\n"
        "35 25 0:30 / /my\\040cgroups rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    nowhere = str(tmp_path / "nowhere")
    assert find_hierarchy(nowhere, nowhere, str(mountinfo)) is None, (
        "only the path of the catalog must be used"
    )
    found = find_hierarchy(None, nowhere, str(mountinfo))
    assert found is not None
    assert (found.version, dict(found.mounts)) == (2, {UNIFIED: "/my cgroups"})
    assert find_hierarchy(None, nowhere, nowhere) is None
    RecordedHost(tmp_path)
    found = find_hierarchy(str(tmp_path / "cgroup"))
    assert found is not None
    assert (found.version, dict(found.mounts)) == (2, {UNIFIED: str(tmp_path / "cgroup")})
