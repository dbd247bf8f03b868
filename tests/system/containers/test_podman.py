"""Podman through its Docker-compatible API: its events, states and cgroups have their own names."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from exporter.catalog.planning.plan import ContainersPlan, LogsPlan
from exporter.containers.endpoint import resolve_endpoint
from exporter.containers.engine import Engine
from exporter.containers.logs import LogWatch
from exporter.containers.mapping import ServiceMapping
from exporter.containers.model import Limits
from exporter.containers.readings import Readings
from tests.containers.watching import Watching
from tests.podman_engine import PodmanEngine
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.containers.model import Container, Reading

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def podman() -> Iterator[PodmanEngine]:
    with tempfile.TemporaryDirectory(prefix="podman-") as folder, PodmanEngine(Path(folder)) as engine:
        yield engine


@pytest.fixture(scope="module")
def watching(podman: PodmanEngine) -> Iterator[Watching]:
    with Watching(resolve_endpoint(podman.host), ServiceMapping(["app"])) as watching:
        yield watching.until_up()


@pytest.fixture(autouse=True)
def _nothing_stays(podman: PodmanEngine) -> Iterator[None]:
    yield
    podman.remove_all()


def test_the_engine_says_what_it_is(watching: Watching) -> None:
    info = watching.discovery.info
    assert info is not None
    assert (info.product, info.version[:2]) == ("podman", "4.")
    assert info.cgroup_driver == "cgroupfs"


def test_a_container_from_its_making_to_its_end(podman: PodmanEngine, watching: Watching) -> None:
    identifier = podman.create(
        *("--name", "life", "--label", "exporter.service=app", "--memory", "64m", "--cpus", "0.5"),
        command=("sh", "-c", "sleep 1000; exit 3"),
    )
    container = watching.until_seen(identifier, bool, "there")
    assert (container.identity.name, container.identity.service) == ("life", "app")
    assert container.status.state == "created"
    assert container.status.health == "none"
    assert container.limits == Limits(
        memory=64 * MIB, memory_swap=128 * MIB, cpu_period=100_000, cpu_quota=50_000, processes=2048
    )

    podman.podman("init", "life")
    podman.podman("start", "life")
    status = watching.until_seen(identifier, lambda seen: seen.status.state == "running", "running").status
    assert status.started_at is not None
    assert abs(status.started_at - time.time()) < 60

    podman.podman("pause", "life")
    watching.until_seen(identifier, lambda seen: seen.status.state == "paused", "paused")
    podman.podman("unpause", "life")
    watching.until_seen(identifier, lambda seen: seen.status.state == "running", "running")

    podman.podman("exec", "life", "killall", "sleep")
    status = watching.until_seen(identifier, lambda seen: seen.status.state == "exited", "ended").status
    assert (status.exit_code, status.pid) == (3, 0)
    assert status.finished_at is not None

    podman.podman("rename", "life", "lives")
    watching.until_seen(identifier, lambda seen: seen.identity.name == "lives", "renamed")
    podman.remove("lives")
    watching.until_gone(identifier)
    assert watching.discovery.failures == 0
    assert watching.discovery.events.skipped == 0


def test_one_that_is_made_ready_and_not_started(podman: PodmanEngine, watching: Watching) -> None:
    """Check the state that Podman calls initialized, in which a process already exists."""
    identifier = podman.create()
    podman.podman("init", identifier)
    status = watching.until_seen(identifier, bool, "there").status
    assert (status.state, status.pid, status.exit_code) == ("created", 0, None)


def test_health(podman: PodmanEngine, watching: Watching) -> None:
    """Run the check in the test, because nothing else does so without systemd."""
    checked = podman.run(
        "--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--health-retries", "1"
    )
    watching.until_seen(checked, lambda seen: seen.status.pid, "running")
    podman.podman("exec", checked, "touch", "/tmp/well")
    podman.podman("healthcheck", "run", checked)
    watching.until_seen(checked, lambda seen: seen.status.health == "healthy", "healthy")


def test_the_cgroup_is_where_the_kernel_has_it(podman: PodmanEngine, watching: Watching) -> None:
    identifier = podman.run()
    container = watching.until_seen(identifier, lambda seen: seen.status.pid, "running")
    groups = Path(f"/proc/{container.status.pid}/cgroup").read_text().splitlines()
    assert container.identity.cgroup in {group.split(":", 2)[2] for group in groups}


def test_readings_by_files_and_by_the_engine(podman: PodmanEngine, watching: Watching) -> None:
    ids = [podman.run("--pids-limit", "50"), podman.run("--network", "host")]
    containers = [watching.until_seen(each, lambda seen: seen.status.pid, "running") for each in ids]
    files, told = (_readings(podman, containers, source) for source in ("cgroup", "api"))
    for each in ids:
        counted, answer = files[each], told[each]
        assert (counted.source, answer.source) == ("cgroup", "api")
        assert counted.memory_usage
        assert answer.memory_usage
        assert answer.cpu_seconds is not None
        assert answer.cpu_seconds == pytest.approx(counted.cpu_seconds, abs=0.5)
        # Podman returns zeros for values that it does not measure, and a network without a name.
        assert answer.cfs_periods is None
        assert counted.interfaces == answer.interfaces == ()
    assert files[ids[0]].threads_max == 50


def _readings(
    podman: PodmanEngine, containers: list[Container], source: Literal["cgroup", "api"]
) -> dict[str, Reading]:
    async def read() -> dict[str, Reading]:
        engine = Engine(resolve_endpoint(podman.host))
        await engine.hello()
        readings = Readings(ContainersPlan(source=source, interval=0.1), engine)
        try:
            async with asyncio.timeout(20):
                while len(readings.latest) < len(containers):
                    await readings.refresh(containers)
                    await asyncio.sleep(0.05)
            return dict(readings.latest)
        finally:
            await readings.close()
            await engine.close()

    return asyncio.run(read())


def test_logs(podman: PodmanEngine, watching: Watching) -> None:
    """Check many lines with the same time, because Podman's times have no fractions."""
    lines = "echo one; echo it broke >&2; echo one"
    identifier = podman.run(
        *("--label", "exporter.service=app"),
        command=("sh", "-c", f"mkfifo /tmp/go; {lines}; read l </tmp/go; echo it broke; sleep 1000"),
    )
    container = watching.until_seen(identifier, lambda seen: seen.status.pid, "running")

    async def follow() -> LogWatch:
        watch = LogWatch(watching.engine, {"app": LogsPlan((("all", ""), ("broken", "it broke")), 1024)})
        watch._since["app"] -= 60
        watch.follow(container)
        return watch

    watch = watching.call(follow())
    try:
        until(lambda: watch.counts["app", "all"] == 3, "the first lines")
        assert watch.counts["app", "broken"] == 1
        podman.podman("exec", identifier, "sh", "-c", "echo x >/tmp/go")
        until(lambda: watch.counts["app", "broken"] == 2, "the last line")
        assert watch.counts["app", "all"] == 4
        assert watching.call(_unreadable(watch)) == {}
    finally:
        watching.call(watch.stop())


async def _unreadable(watch: LogWatch) -> dict[str, str]:
    return watch.unreadable
