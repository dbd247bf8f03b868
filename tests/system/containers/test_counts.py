"""Counters of a real engine's containers as Prometheus sees them, across re-creations and daemon restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.daemon.running import RunningDaemon, running_daemon
from tests.docker_engine import IMAGE
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docker_engine import DockerEngine

CATALOG = """
project: shop
exporter: {{containers: {{docker: "{docker}", interval: 50ms, strangers: {strangers}}}}}
services:
  web: {{image: x, replicas: 2}}
  hungry: {{image: x}}
"""
HUNGRY = ("--label=exporter.service=hungry", "--memory=16m", "--memory-swap=16m")
EAT = ("tail", "/dev/zero")


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    yield docker_engine
    docker_engine.remove_all()


@pytest.fixture
def swarm(engine: DockerEngine) -> Iterator[DockerEngine]:
    engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:0")
    yield engine
    engine.docker("service", "rm", "shop_web")
    engine.docker("swarm", "leave", "--force")


def catalog(engine: DockerEngine, *, strangers: bool = True) -> str:
    return CATALOG.format(docker=engine.host, strangers=str(strangers).lower())


@pytest.fixture
def daemon(engine: DockerEngine, tmp_path: Path) -> Iterator[RunningDaemon]:
    with running_daemon(tmp_path, catalog(engine)) as daemon:
        until(lambda: daemon.lines("exporter_docker_up 1"), "the engine to be watched")
        yield daemon


def values(daemon: RunningDaemon, *parts: str) -> list[float]:
    return sorted(float(line.rsplit(" ", 1)[1]) for line in daemon.lines(*parts))


def kills(daemon: RunningDaemon) -> list[float]:
    return values(daemon, 'service_container_oom_kills_total{service="hungry"}')


def test_a_kill_before_the_first_scrape_is_an_increase(daemon: RunningDaemon, engine: DockerEngine) -> None:
    """Check a container that was removed as it ended, too: no scrape ever saw it."""
    engine.docker("run", "--detach", "--name", "eats", *HUNGRY, IMAGE, *EAT)
    engine.docker("wait", "eats")
    until(lambda: daemon.service("hungry")["containers"][0]["oom_events"] == 1, "the kill to be seen")
    first, second = daemon.metrics(), daemon.metrics()
    for name in ('service_container_oom_kills_total{service="hungry"}', "container_oom_events_total{"):
        lines = [
            next(line for line in text.splitlines() if line.startswith(name)) for text in (first, second)
        ]
        assert [line.rsplit(" ", 1)[1] for line in lines] == ["0", "1"], name
    engine.remove("eats")
    until(lambda: not daemon.service("hungry")["containers"], "the end of the container")
    assert kills(daemon) == [1]
    # The client stays attached, so the container exists until it has exited.
    with pytest.raises(AssertionError):
        engine.docker("run", "--rm", *HUNGRY, IMAGE, *EAT)
    until(lambda: kills(daemon) == [2], "the kill of a container that is gone")


def test_a_restart_of_the_daemon_is_no_increase(engine: DockerEngine, tmp_path: Path) -> None:
    engine.docker("run", "--detach", "--name", "eats", *HUNGRY, "--restart=on-failure:2", IMAGE, *EAT)
    child = "tail /dev/zero; sleep 1000"
    lives = engine.docker("run", "--detach", *HUNGRY, IMAGE, "sh", "-c", child)
    until(
        lambda: engine.docker("inspect", "--format", "{{.State.Status}}", "eats") == "exited", "its end", 60
    )
    names = (
        "oom_kills_total",
        "oom_events_total",
        "service_container_restarts_total",
        "start_failures_total",
    )
    for _ in range(2):
        with running_daemon(tmp_path, catalog(engine)) as daemon:
            until(lambda: len(daemon.service("hungry")["containers"]) == 2, "both containers")
            until(lambda: daemon.lines("container_memory_rss{"), "a reading")
            for _ in range(3):
                assert {value for name in names for value in values(daemon, name)} == {0}
            assert values(daemon, "container_restarts_total{", 'name="eats"') == [2], "the engine's own count"
    engine.remove(lives)


def test_old_tasks_of_swarm_are_not_the_service_and_new_ones_are_restarts(
    swarm: DockerEngine, daemon: RunningDaemon
) -> None:
    swarm.docker(
        *("service", "create", "--detach", "--name", "shop_web", "--no-resolve-image", "--replicas", "2"),
        *("--container-label", "com.docker.stack.namespace=shop", "--restart-delay", "500ms"),
        *(IMAGE, "sh", "-c", "usleep 700000; exit 1"),
    )
    until(lambda: sum(values(daemon, "service_container_restarts_total{", '"web"')) >= 4, "new tasks", 60)
    assert values(daemon, "service_containers_wanted{", '"web"') == [2], "of a Swarm of one node"
    swarm.docker("service", "update", "--detach", "--args", "sleep 1000", "--stop-signal", "KILL", "shop_web")
    until(lambda: values(daemon, "service_containers_running{", '"web"') == [2], "both to run", 60)
    replicas = {
        line.partition("replica=")[2][:3] for line in daemon.lines("service_container_restarts_total{")
    }
    assert replicas == {'"1"', '"2"'}
    exited = daemon.lines("container_exit_code{", "shop_web.")
    assert len(exited) >= 4
    assert not [line for line in exited if 'service="' in line], "what was replaced is no longer the service"
    told = daemon.service("web")
    assert (told["state"], told["containers_wanted"], told["containers_running"]) == ("up", 2, 2)
    assert [each["state"] for each in told["containers"] if not each["old"]] == ["running", "running"]


def test_old_containers_are_not_exported_without_strangers(engine: DockerEngine, tmp_path: Path) -> None:
    label = "--label=exporter.service=hungry"
    engine.docker("run", "--name", "old", label, IMAGE, "true")
    engine.run("--name", "new", label)
    with running_daemon(tmp_path, catalog(engine, strangers=False)) as daemon:
        until(lambda: daemon.lines("container_state{", 'name="new"'), "the container")
        assert not daemon.lines('name="old"')
        engine.docker("stop", "new")
        until(lambda: daemon.lines("container_exit_code{", 'name="new"'), "its end")
        assert not daemon.lines('name="old"')


def test_running_containers_are_counted_as_by_cadvisor(daemon: RunningDaemon, engine: DockerEngine) -> None:
    for number in range(3):
        engine.create("--name", f"made-{number}")
    engine.docker("run", "--name", "done", IMAGE, "true")
    engine.run("--name", "runs")
    engine.run("--name", "paused")
    engine.docker("pause", "paused")
    until(lambda: daemon.lines("container_state{", 'name="paused"', 'state="paused"} 1'), "all of them")
    seen = daemon.lines("container_last_seen{")
    assert sorted(line.partition('name="')[2].partition('"')[0] for line in seen) == ["paused", "runs"]
    assert values(daemon, "machine_cpu_cores") == [int(engine.docker("info", "--format", "{{.NCPU}}"))]
    assert values(daemon, "machine_memory_bytes") == [int(engine.docker("info", "--format", "{{.MemTotal}}"))]
