"""Desired and actual containers on a real engine: every fault of a service's only container fires an alert. A healthy
service with old containers and a finished job fire none.

Each case is a separate service with one container, labelled as by Compose, and no probe. Thresholds are as generated;
only the waits before an alert fires are removed.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_engine import IMAGE, DockerEngine
from tests.system.stack import ENVIRONMENT, Fires, Stack, running_stack
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CATALOG = """
project: shop
exporter:
  alertmanagers: "http://127.0.0.1:{alertmanager}"
  containers: {{docker: "{docker}", interval: 1s}}
prometheus: {{scrape_interval: 1s}}
defaults:
  alerts:
    ServiceNotRunning: {{for: 0s}}
    ReplicasMissing: {{for: 0s}}
    ContainerExited: {{for: 0s}}
services:
{services}
  elsewhere: {{port: 80, alerts: {{ServiceDown: off, ServiceSlow: off, ServiceAbsent: off, ServiceFlapping: off}}}}
environments: {{{environment}: {{}}}}
"""
WAITS = ("sh", "-c", "trap 'exit $CODE' TERM; while usleep 50000; do :; done")
NOT_RUNNING, MISSING, EXITED = "ServiceNotRunning", "ReplicasMissing", "ContainerExited"


def labels(service: str, number: int = 1) -> list[str]:
    compose = {"project": "shop", "service": service, "container-number": str(number)}
    return [f"--label=com.docker.compose.{key}={value}" for key, value in compose.items()]


def run(engine: DockerEngine, service: str, code: int = 0, number: int = 1, name: str = "") -> str:
    options = ("--name", name or f"shop-{service}-{number}", "--env", f"CODE={code}", "--stop-signal", "TERM")
    return engine.docker("run", "--detach", *options, *labels(service, number), IMAGE, *WAITS)


def recreate(engine: DockerEngine, service: str, times: int) -> None:
    """Re-create the container several times, like `docker compose up --force-recreate`."""
    for _ in range(times):
        engine.remove(f"shop-{service}-1")
        run(engine, service)


def replace_by_what_cannot_start(engine: DockerEngine, service: str) -> None:
    engine.remove(f"shop-{service}-1")
    with pytest.raises(AssertionError, match="no-such-program"):
        engine.docker(
            "run", "--detach", *labels(service), f"--name=shop-{service}-1", IMAGE, "no-such-program"
        )


def recreate_without_start(engine: DockerEngine, service: str) -> None:
    engine.remove(f"shop-{service}-1")
    engine.docker("create", *labels(service), IMAGE, *WAITS)


def keep_old_ones(engine: DockerEngine, service: str) -> None:
    """Keep the containers of failed deploys next to the one that finally runs."""
    for number in range(2):
        engine.docker("rename", f"shop-{service}-1", f"old-{number}")
        engine.docker("stop", f"old-{number}")
        run(engine, service, code=3)


BREAK: dict[str, tuple[tuple[str, ...], Callable[[DockerEngine, str], object]]] = {
    "removed": ((NOT_RUNNING,), lambda engine, name: engine.remove(f"shop-{name}-1")),
    "paused": ((NOT_RUNNING,), lambda engine, name: engine.docker("pause", f"shop-{name}-1")),
    "created": ((NOT_RUNNING,), recreate_without_start),
    "exit-0": ((NOT_RUNNING,), lambda engine, name: engine.docker("stop", f"shop-{name}-1")),
    "exit-143": ((NOT_RUNNING,), lambda engine, name: engine.docker("stop", f"shop-{name}-1")),
    "exit-3": ((NOT_RUNNING, EXITED), lambda engine, name: engine.docker("stop", f"shop-{name}-1")),
    "unstartable": ((NOT_RUNNING, EXITED), replace_by_what_cannot_start),
    "scaled-down": ((MISSING,), lambda engine, name: engine.remove(f"shop-{name}-2")),
    "recreated": (("ContainerRestarting",), lambda engine, name: recreate(engine, name, 5)),
    "replaced": ((), keep_old_ones),
    "job": ((), lambda engine, name: engine.docker("stop", f"shop-{name}-1")),
    "none-wanted": ((), lambda engine, name: engine.remove(f"shop-{name}-1")),
}
"""Faults by the name of the service: the alerts that it fires, and the fault."""
SETTINGS = {"scaled-down": "replicas: 2", "none-wanted": "replicas: 0", "job": 'restart: "no"'}
CODES = {"exit-143": 143, "exit-3": 3, "replaced": 3}
HEAL: dict[str, Callable[[DockerEngine, str], object]] = {
    "removed": run,
    "paused": lambda engine, name: engine.docker("unpause", f"shop-{name}-1"),
    "exit-0": lambda engine, name: engine.docker("start", f"shop-{name}-1"),
    "exit-143": lambda engine, name: engine.docker("start", f"shop-{name}-1"),
    "exit-3": lambda engine, name: engine.docker("start", f"shop-{name}-1"),
    "scaled-down": lambda engine, name: run(engine, name, number=2),
}
ALL: tuple[Fires, ...] = tuple((alert, name) for name, (alerts, _) in BREAK.items() for alert in alerts)


class World:
    """Everything that runs."""

    def __init__(self, engine: DockerEngine, stack: Stack) -> None:
        self.engine = engine
        self.stack = stack

    def all_are_seen(self) -> bool:
        counted = self.stack.prometheus.values(
            "min by (service) (count_over_time(container_restarts_total[1m]))"
        )
        return all(counted.get(name, 0) > 1 for name in BREAK)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        # Must be short, because it holds sockets.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wanted-")))
        engine = stack.enter_context(DockerEngine(folder))
        for name in BREAK:
            run(engine, name, CODES.get(name, 0))
        run(engine, "scaled-down", number=2)
        port = free_port()
        services = "\n".join(
            f"  {name}: {{image: shop/{name}, {SETTINGS.get(name, 'replicas: 1')}}}" for name in BREAK
        )
        catalog = CATALOG.format(
            alertmanager=port, docker=engine.host, services=services, environment=ENVIRONMENT
        )
        running = World(engine, stack.enter_context(running_stack(folder, catalog, catalog, port)))
        until(running.all_are_seen, "all containers to be seen", 90)
        running.stack.until_only()
        yield running


@pytest.fixture(scope="module")
def broken(world: World) -> World:
    for name, (_, fault) in BREAK.items():
        fault(world.engine, name)
    return world


@pytest.mark.parametrize("alert", ALL, ids="-".join)
def test_a_fault_fires_its_alert(broken: World, alert: Fires) -> None:
    broken.stack.until_firing(alert)


def test_nothing_else_fires(broken: World) -> None:
    broken.stack.until_only(*ALL)


def test_what_is_wrong_is_shown(broken: World) -> None:
    daemon = broken.stack.daemon
    assert daemon.service("removed")["detail"] == "it has no containers"
    told = daemon.service("unstartable")
    assert (told["state"], told["containers_wanted"], told["containers_running"]) == ("down", 1, 0)
    assert "no-such-program" in told["detail"]
    assert daemon.value("container_start_failure_info{", 'reason="command"', 'service="unstartable"') == 1
    assert daemon.value("service_container_start_failures_total{", '"unstartable"', '"command"') == 1
    assert "could not be started (command)" in daemon.log
    assert daemon.service("job")["state"] == "up"
    assert daemon.service("scaled-down")["containers_running"] == 1
    replaced = daemon.service("replaced")
    assert (replaced["state"], replaced["containers_running"]) == ("up", 1)
    assert [each["old"] for each in replaced["containers"]].count(True) == 2
    assert "1 of 2 containers are running" in daemon.http.get("/").text


def test_the_end_of_a_fault_resolves_it(broken: World) -> None:
    for name, heal in HEAL.items():
        heal(broken.engine, name)
    lasting = [alert for alert in ALL if alert[1] not in HEAL]
    broken.stack.until_only(*lasting)


def test_nothing_is_said_while_the_engine_is_away(broken: World) -> None:
    daemon = broken.stack.daemon
    with broken.engine.frozen():
        until(lambda: not daemon.lines("service_containers_"), "the engine's silence to be noticed", 60)
    until(lambda: daemon.lines("service_containers_running"), "the engine to be watched again", 60)
