"""Discovery follows a real engine: the state and limits of containers, and when they are unknown."""

from __future__ import annotations

import gc
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.containers import event_stream
from exporter.containers.endpoint import resolve_endpoint
from exporter.containers.lanes import LANES
from exporter.containers.mapping import ServiceMapping
from exporter.containers.model import Limits
from exporter.containers.oom import OomCount
from tests.components import require
from tests.containers.socket_proxy import SocketProxy
from tests.containers.watching import Watching
from tests.docker_engine import IMAGE
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docker_engine import DockerEngine

MIB = 1024 * 1024
EAT_MEMORY = ("tail", "/dev/zero")
SHOP = ServiceMapping(["web", "db", "api"], ["shop"], labels=["team"])


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


@pytest.fixture(scope="module")
def watching(docker_engine: DockerEngine) -> Iterator[Watching]:
    with Watching(resolve_endpoint(docker_engine.host), SHOP) as watching:
        yield watching.until_up()


@pytest.fixture
def proxy(docker_engine: DockerEngine, tmp_path: Path) -> Iterator[SocketProxy]:
    with SocketProxy(tmp_path / "proxy.sock", docker_engine.socket) as proxy:
        yield proxy


def test_a_container_from_its_making_to_its_end(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.create("--name", "life")
    container = watching.until_seen(identifier, bool, "there")
    assert (container.identity.name, container.identity.image) == ("life", IMAGE)
    assert container.identity.image_digest.startswith("sha256:")
    assert container.status.state == "created"
    assert container.status.exit_code is None
    assert container.status.started_at is None

    engine.docker("start", "life")
    status = watching.until_seen(identifier, lambda seen: seen.status.state == "running", "running").status
    assert status.pid > 0
    assert status.started_at is not None
    assert abs(status.started_at - time.time()) < 60

    engine.docker("pause", "life")
    watching.until_seen(identifier, lambda seen: seen.status.state == "paused", "paused")
    engine.docker("unpause", "life")
    watching.until_seen(identifier, lambda seen: seen.status.state == "running", "running")

    engine.docker("rename", "life", "lives")
    watching.until_seen(identifier, lambda seen: seen.identity.name == "lives", "renamed")

    engine.docker("update", "--memory", "64m", "--memory-swap", "-1", "--cpus", "0.5", "lives")
    limits = watching.until_seen(identifier, lambda seen: seen.limits.memory, "limited").limits
    assert limits == Limits(memory=64 * MIB, cpu_period=100_000, cpu_quota=50_000)

    engine.docker("stop", "lives")
    status = watching.until_seen(identifier, lambda seen: seen.status.state == "exited", "stopped").status
    assert (status.exit_code, status.pid) == (137, 0)
    assert status.finished_at is not None
    assert not status.oom_killed

    engine.remove("lives")
    watching.until_gone(identifier)
    assert watching.changes[-1] == (identifier, None)


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ((), Limits()),
        (("--cpus", "1.5"), Limits(cpu_period=100_000, cpu_quota=150_000)),
        (("--cpu-period", "50000", "--cpu-quota", "25000"), Limits(cpu_period=50_000, cpu_quota=25_000)),
        (("--cpu-quota", "25000"), Limits(cpu_period=100_000, cpu_quota=25_000)),
        (("--cpu-shares", "512"), Limits(cpu_shares=512)),
        (("--memory", "64m"), Limits(memory=64 * MIB, memory_swap=128 * MIB)),
        (("--memory", "64m", "--memory-swap", "-1"), Limits(memory=64 * MIB)),
        (
            ("--memory", "64m", "--memory-swap", "64m", "--memory-reservation", "32m"),
            Limits(memory=64 * MIB, memory_swap=64 * MIB, memory_reservation=32 * MIB),
        ),
        (("--pids-limit", "50"), Limits(processes=50)),
        (("--pids-limit", "-1"), Limits()),
    ],
)
def test_limits(engine: DockerEngine, watching: Watching, options: tuple[str, ...], limits: Limits) -> None:
    identifier = engine.create(*options)
    assert watching.until_seen(identifier, bool, "there").limits == limits


def test_terminal_and_network(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.create("--tty", "--network", "host")
    container = watching.until_seen(identifier, bool, "there")
    assert container.tty
    assert container.network_mode == "host"


@pytest.mark.parametrize("parent", [None, "/tests/of/exporter", "tests-of-exporter"])
def test_the_cgroup_is_where_the_kernel_has_it(
    engine: DockerEngine, watching: Watching, parent: str | None
) -> None:
    identifier = engine.run(*(() if parent is None else ("--cgroup-parent", parent)))
    container = watching.until_seen(identifier, lambda seen: seen.status.pid, "running")
    groups = Path(f"/proc/{container.status.pid}/cgroup").read_text().splitlines()
    assert container.identity.cgroup in {group.split(":", 2)[2] for group in groups}


def test_health(engine: DockerEngine, watching: Watching) -> None:
    often = ("--health-interval", "200ms", "--health-retries", "2")
    healthy = engine.run("--health-cmd", "true", *often)
    ill = engine.run("--health-cmd", "false", *often)
    starting = engine.run("--health-cmd", "true", "--health-interval", "1h")
    unasked = engine.run()
    watching.until_seen(healthy, lambda seen: seen.status.health == "healthy", "healthy")
    watching.until_seen(ill, lambda seen: seen.status.health == "unhealthy", "unhealthy")
    watching.until_seen(starting, lambda seen: seen.status.health == "starting", "starting")
    watching.until_seen(unasked, lambda seen: seen.status.health == "none", "without a health check")


def test_health_checks_do_not_wake_the_exporter_up(engine: DockerEngine, watching: Watching) -> None:
    checked = engine.run("--health-cmd", "echo >>/tmp/checks", "--health-interval", "100ms")
    watching.until_seen(checked, lambda seen: seen.status.health == "healthy", "healthy")
    before = len(watching.changes)
    done = len(engine.docker("exec", checked, "cat", "/tmp/checks"))

    def checked_often() -> bool:
        return int(engine.docker("exec", checked, "wc", "-l", "/tmp/checks").split()[0]) > done + 5

    until(checked_often, "more checks")
    assert len(watching.changes) == before


def test_a_restarting_container(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.run("--restart", "always", command=("sh", "-c", "exit 7"))
    status = watching.until_seen(
        identifier, lambda seen: seen.status.state == "restarting" and seen.status.restarts > 1, "restarting"
    ).status
    assert status.exit_code == 7


def test_what_could_not_be_started(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.create(command=("no-such-program",))
    with pytest.raises(AssertionError, match="no-such-program"):
        engine.docker("start", identifier)
    status = watching.until_seen(identifier, lambda seen: seen.status.error, "failed").status
    assert "no-such-program" in status.error
    assert (status.state, status.exit_code) == ("created", 127)


def test_out_of_memory_is_counted_once_for_each_life(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.run("--memory", "16m", "--memory-swap", "16m", command=EAT_MEMORY)
    container = watching.until_seen(identifier, lambda seen: seen.status.state == "exited", "killed")
    assert (container.status.exit_code, container.status.oom_killed) == (137, True)
    watching.until_seen(identifier, lambda seen: seen.oom_events == 1, "counted")
    for lives in (2, 3):
        engine.docker("start", identifier)
        engine.docker("wait", identifier)
        watching.until_seen(identifier, lambda seen, lives=lives: seen.oom_events == lives, "counted")  # type: ignore[misc] # a default argument


def test_a_killed_child_is_counted_and_the_count_stays(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.run(
        *("--memory", "16m", "--memory-swap", "16m"),
        command=("sh", "-c", "[ -e /tmp/again ] || tail /dev/zero; touch /tmp/again; sleep 1000"),
    )
    container = watching.until_seen(identifier, lambda seen: seen.oom_events, "counted")
    assert container.status.state == "running"
    engine.docker("restart", identifier)
    watching.until_seen(
        identifier, lambda seen: seen.status.started_at != container.status.started_at, "started again"
    )
    assert watching.until_seen(identifier, lambda seen: seen.status.pid, "running").oom_events == 1


def test_the_kernel_may_have_counted_more(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.run()
    watching.until_seen(identifier, lambda seen: seen.status.pid, "running")

    async def note(kills: int) -> int:
        watching.discovery.note_oom_kills(identifier, kills)
        return watching.discovery.containers[identifier].oom_events

    assert watching.call(note(3)) == 3
    assert watching.call(note(2)) == 3
    assert watching.changes[-1][0] == identifier
    engine.docker("restart", identifier)
    seen = watching.seen(identifier)
    assert seen is not None
    assert seen.oom_events == 3


def test_compose(engine: DockerEngine, watching: Watching, tmp_path: Path) -> None:
    compose = [require("docker-compose"), "--project-name", "shop"]
    (tmp_path / "docker-compose.yml").write_text(
        f"services:\n  web: &web\n    image: {IMAGE}\n    command: sleep 1000\n    network_mode: none\n"
        "    stop_signal: KILL\n    labels: {team: one}\n  cache: *web\n"
    )
    environ = {**os.environ, "DOCKER_HOST": engine.host}
    for command in (("up", "--detach"), ("run", "--detach", "web")):
        subprocess.run(
            [*compose, *command], cwd=tmp_path, env=environ, check=True, capture_output=True, timeout=60
        )
    until(lambda: len(watching.discovery.containers) == 3, "three containers")
    by_service = {seen.identity.name: seen.identity for seen in watching.discovery.containers.values()}
    web = next(identity for identity in by_service.values() if identity.service == "web")
    assert dict(web.labels) == {
        "container_label_com_docker_compose_project": "shop",
        "container_label_com_docker_compose_service": "web",
        "container_label_com_docker_compose_container_number": "1",
        "container_label_team": "one",
    }
    others = [identity for identity in by_service.values() if identity is not web]
    assert [identity.service for identity in others] == [None, None], "a one-off and a stranger are nobody's"
    assert {identity.project for identity in by_service.values()} == {"shop"}


def test_strangers_can_be_left_out(engine: DockerEngine) -> None:
    mapping = ServiceMapping(["web"], strangers=False)
    with Watching(resolve_endpoint(engine.host), mapping) as watching:
        watching.until_up()
        engine.create("--name", "stranger")
        ours = engine.create("--label", "exporter.service=web")
        watching.until_seen(ours, lambda seen: seen.identity.service == "web", "the service's")
        assert list(watching.discovery.containers) == [ours]


def test_many_come_and_go_and_nothing_stays(engine: DockerEngine, watching: Watching) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def counts() -> int:
        gc.collect()
        return sum(isinstance(thing, OomCount) for thing in gc.get_objects())

    until(lambda: not watching.discovery.containers, "no containers")
    tasks, files = watching.tasks(), open_files()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: engine.create(), range(100)))
    until(lambda: watching.discovery.containers.keys() == set(made), "a hundred containers")
    engine.remove(*made)
    until(lambda: not watching.discovery.containers, "no containers")
    assert watching.tasks() == tasks
    assert open_files() <= files + LANES, "beside a connection for each inspect at once"
    assert counts() == 0


def test_what_happened_while_the_engine_was_out_of_reach(engine: DockerEngine, proxy: SocketProxy) -> None:
    eater = engine.create("--memory", "16m", "--memory-swap", "16m", command=EAT_MEMORY)
    stays, goes = engine.create(), engine.create()
    with Watching(resolve_endpoint(f"unix://{proxy.path}")) as watching:
        watching.until_up()
        engine.docker("start", eater)
        watching.until_seen(eater, lambda seen: seen.oom_events == 1, "counted")
        proxy.cut()
        watching.until_down()
        assert watching.discovery.containers == {}
        until(lambda: "has no socket there" in watching.discovery.error, "the reason")
        for _ in range(2):
            engine.docker("start", eater)
            engine.docker("wait", eater)
        engine.remove(goes)
        engine.docker("start", stays)
        comes = engine.create()
        proxy.mend()
        watching.until_up()
        assert watching.discovery.containers.keys() == {eater, stays, comes}
        watching.until_seen(stays, lambda seen: seen.status.state == "running", "running")
        watching.until_seen(eater, lambda seen: seen.oom_events == 3, "counted in each life")
        proxy.cut()
        watching.until_down()
        proxy.mend()
        watching.until_up()
        engine.docker("rename", comes, "told-after-the-replay")
        watching.until_seen(
            comes, lambda seen: seen.identity.name == "told-after-the-replay", "renamed after the replay"
        )
        assert watching.until_seen(eater, bool, "there").oom_events == 3


def test_containers_appear_together_once_all_are_known(engine: DockerEngine) -> None:
    made = {engine.create() for _ in range(5)}
    with Watching(resolve_endpoint(engine.host)) as watching:
        until(lambda: watching.discovery.containers, "containers")
        assert watching.discovery.containers.keys() == made
    assert [container for _, container in watching.changes[5:]] == [None] * 5, "it forgets them when it ends"


def test_an_engine_that_falls_silent_is_noticed(
    engine: DockerEngine, proxy: SocketProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(event_stream, "PING_SECONDS", 0.5)
    engine.create()
    with Watching(resolve_endpoint(f"unix://{proxy.path}")) as watching:
        watching.until_up()
        proxy.silence()
        watching.until_down()
        assert "did not answer within 0.5 s" in watching.discovery.error
        assert watching.discovery.containers == {}
        proxy.cut()
        proxy.mend()
        watching.until_up()


def test_an_engine_that_hangs_holds_up_nothing(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(event_stream, "PING_SECONDS", 0.5)
    identifier = engine.create()
    with Watching(resolve_endpoint(engine.host)) as watching:
        watching.until_up()
        with engine.frozen():
            watching.until_down()
            began = time.monotonic()
            assert watching.tasks() >= 1
            assert time.monotonic() - began < 0.5, "the loop is free"
        watching.until_up()
        assert watching.seen(identifier) is not None


def test_a_restart_of_the_engine(engine: DockerEngine, watching: Watching) -> None:
    identifier = engine.run("--name", "survivor", "--restart", "unless-stopped")
    watching.until_seen(identifier, lambda seen: seen.status.pid, "running")
    engine.stop()
    watching.until_down()
    assert watching.discovery.containers == {}
    assert watching.changes[-1] == (identifier, None)
    assert watching.discovery.info is None
    assert watching.discovery.error
    engine.start()
    watching.until_up()
    watching.until_seen(identifier, lambda seen: seen.status.pid, "running again")
    assert watching.discovery.error == ""
