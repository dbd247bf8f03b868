"""Real faults of containers and of the engine fire the generated alerts for the right service, and resolve.

A Docker engine of the tests has one container per fault. All are healthy at first, are broken together and healed
together. Thresholds and windows are as generated; only the waits before an alert fires are removed, and
ServiceNotRunning is off, because many of these faults would fire it too (see test_wanted_alerts.py). The tests do not
wait for the end of ContainerRestarting, ContainerOomKilled and LogErrors, whose windows are 5 to 15 minutes; the
generated tests in alert_rules/tests check them with promtool. CpuThrottling also looks back five minutes, but
resolves sooner once a container gets enough CPU, because its unthrottled periods soon outnumber the others.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_engine import DockerEngine
from tests.system.stack import ENVIRONMENT, Fires, Stack, running_stack
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOG = """
project: shop
exporter:
  alertmanagers: "http://127.0.0.1:{alertmanager}"
  containers: {{docker: "{docker}", interval: 1s}}
prometheus: {{scrape_interval: 1s}}
defaults:
  alerts:
    HighMemoryUsage: {{for: 0s}}
    CpuThrottling: {{for: 0s}}
    ContainerRestarting: {{for: 0s}}
    ContainerOomKilled: {{for: 0s}}
    ContainerUnhealthy: {{for: 0s}}
    ContainerExited: {{for: 0s}}
    ServiceNotRunning: off
    LogErrors: {{for: 0s}}
    ExporterDockerUnreachable: {{for: 0s}}
services:
{services}
environments: {{{environment}: {{}}}}
"""
SAMPLES = 3
"""Number of samples of each container before it is broken: the first value of a counter is no increase."""

BROKEN = "/fault/broken"
"""A file that each container sees while its fault lasts."""
EACH_TENTH = "usleep 100000"
CHECKED = ("--health-cmd", f"test ! -e {BROKEN}", "--health-interval", "1s", "--health-retries", "1")


@dataclass(frozen=True, slots=True)
class Fault:
    """A container and its fault. `resolves`: within this module.

    `alert`: None if it is not a fault, or if a separate test breaks it.
    """

    alert: str | None
    script: str
    options: tuple[str, ...] = ()
    resolves: bool = True


FAULTS = {
    "hungry": Fault(
        "ContainerOomKilled",
        f"until [ -e {BROKEN} ]; do {EACH_TENTH}; done; rm {BROKEN}; exec tail /dev/zero",
        ("--memory", "32m", "--restart", "always"),
        resolves=False,
    ),
    "large": Fault(
        "HighMemoryUsage",
        f"while {EACH_TENTH}; do"
        f"  if [ ! -e {BROKEN} ]; then rm -f /dev/shm/fill;"
        "  elif [ ! -e /dev/shm/fill ]; then dd if=/dev/zero of=/dev/shm/fill bs=1M count=55; fi;"
        " done",
        ("--memory", "64m"),
    ),
    "looping": Fault(
        "ContainerRestarting",
        f"until [ -e {BROKEN} ]; do {EACH_TENTH}; done; exit 1",
        ("--restart", "always"),
        resolves=False,
    ),
    "sick": Fault("ContainerUnhealthy", "exec sleep 1000", CHECKED),
    "gone": Fault("ContainerExited", f"until [ -e {BROKEN} ]; do {EACH_TENTH}; done; exit 3"),
    "slowed": Fault(
        None,
        "while usleep 50000; do i=0; while [ $i -lt 8000 ]; do i=$((i+1)); done; done",
        ("--cpus", "0.8"),
    ),
    "noisy": Fault(
        "LogErrors",
        f"while usleep 20000; do if [ -e {BROKEN} ]; then echo ERROR it broke; else {EACH_TENTH}; fi; done",
        resolves=False,
    ),
    "stopped": Fault(
        None, f"trap 'exit 0' TERM; while {EACH_TENTH}; do :; done", (*CHECKED, "--stop-signal", "TERM")
    ),
}
"""Faults by the name of the service."""

ALL: tuple[Fires, ...] = tuple((fault.alert, name) for name, fault in FAULTS.items() if fault.alert)
LASTING: tuple[Fires, ...] = tuple(fires for fires in ALL if not FAULTS[fires[1]].resolves)
RESOLVED: tuple[Fires, ...] = tuple(fires for fires in ALL if FAULTS[fires[1]].resolves)
THROTTLED: Fires = ("CpuThrottling", "slowed")
UNREACHABLE: Fires = ("ExporterDockerUnreachable", "exporter")


class World:
    """Everything that runs, and the handles to break it."""

    def __init__(self, folder: Path, engine: DockerEngine, stack: contextlib.ExitStack) -> None:
        self.engine = engine
        self._folder = folder
        for name, fault in FAULTS.items():
            (folder / name).mkdir()
            labels = {"project": "shop", "service": name, "container-number": "1"}
            engine.run(
                *("--name", f"shop-{name}-1", "--volume", f"{folder / name}:/fault"),
                *(f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()),
                *fault.options,
                command=("sh", "-c", fault.script),
            )
        port = free_port()
        services = "\n".join(f"  {name}: {{image: shop/{name}, logs: on}}" for name in FAULTS)
        catalog = CATALOG.format(
            alertmanager=port, docker=engine.host, services=services, environment=ENVIRONMENT
        )
        self.stack: Stack = stack.enter_context(running_stack(folder, catalog, catalog, port))

    def all_are_well(self) -> bool:
        """True if each container runs and was seen often enough for its counters to increase, and those with a check
        are healthy."""
        ask = self.stack.prometheus.values
        seen = ask("min by (service) (count_over_time(container_restarts_total[1m]))")
        read = ask("min by (service) (count_over_time(container_memory_working_set_bytes[1m]))")
        logs = ask("min by (service) (count_over_time(container_log_matches_total[1m]))")
        return (
            all(min(counts.get(name, 0) for name in FAULTS) >= SAMPLES for counts in (seen, read, logs))
            and ask('container_state{state="running"} == 1').keys() == FAULTS.keys()
            and ask('container_health_status{status="healthy"} == 1').keys() == {"sick", "stopped"}
        )

    def break_all(self) -> None:
        for name in FAULTS:
            (self._folder / name / "broken").touch()
        self.engine.docker("stop", "shop-stopped-1")

    def heal_all(self) -> None:
        for name in FAULTS:
            (self._folder / name / "broken").unlink(missing_ok=True)
        self.engine.docker("start", "shop-gone-1")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        # Must be short, because it holds sockets.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alerts-")))
        engine = stack.enter_context(DockerEngine(folder))
        running = World(folder, engine, stack)
        until(running.all_are_well, "all containers to be seen and well", 60)
        running.stack.until_only()
        yield running


@pytest.fixture(scope="module")
def broken(world: World) -> World:
    world.break_all()
    return world


@pytest.fixture(scope="module")
def healed(broken: World) -> World:
    broken.stack.until_firing(*ALL)
    broken.heal_all()
    return broken


def test_a_container_that_is_held_back_is_told_of_until_it_has_enough_cpu(world: World) -> None:
    world.engine.docker("update", "--cpus", "0.02", "shop-slowed-1")
    world.stack.until_only(THROTTLED)
    world.engine.docker("update", "--cpus", "0.8", "shop-slowed-1")
    world.stack.until_only()


@pytest.mark.parametrize("alert", ALL, ids="-".join)
def test_a_fault_fires_its_alert(broken: World, alert: Fires) -> None:
    broken.stack.until_firing(alert)


def test_nothing_else_fires(broken: World) -> None:
    """Check that neither neighbours nor healthy stopped containers, which the engine calls
    unhealthy, fire an alert."""
    stopped = '{service="stopped",status="unhealthy"}'
    until(
        lambda: broken.stack.prometheus.values(f"container_health_status{stopped} == 1"), "the engine's word"
    )
    broken.stack.until_only(*ALL)


@pytest.mark.parametrize("alert", RESOLVED, ids="-".join)
def test_its_end_resolves_the_alert(healed: World, alert: Fires) -> None:
    healed.stack.until_resolved(alert, seconds=90)


def test_what_looks_back_for_minutes_still_fires_and_nothing_else(healed: World) -> None:
    healed.stack.until_only(*LASTING)


def test_an_engine_that_is_gone_is_told_of_until_it_is_back(healed: World) -> None:
    healed.engine.remove_all()
    healed.engine.stop()
    healed.stack.until_only(UNREACHABLE, *LASTING)
    healed.engine.start()
    healed.stack.until_only(*LASTING)
