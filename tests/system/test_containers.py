"""Containers of every kind on a real engine, seen through the daemon's metrics. Each value is compared with the
engine and the kernel. The daemon must also cope with an engine that is away or hangs, and with a hundred
short-lived containers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import math
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.daemon.containers import ContainerWatch
from exporter.daemon.loading import load_plan_apart
from exporter.metrics.container_families import CONTAINER_FAMILIES
from tests.components import require
from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import Services, services
from tests.docker_engine import IMAGE, DockerEngine
from tests.outputs.grafana import expressions, interpolated
from tests.prometheus_server import prometheus
from tests.system.docker_facts import (
    CGROUPS,
    Facts,
    Key,
    Witnesses,
    differences,
    exported,
    families,
    strays,
)
from tests.system.docker_kinds import KINDS, OOM_KILLED, PROJECT, RUNNING, labels_of, make_all, remove_all
from tests.system.scraping import Scraping, favoured
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024
PROBE_SECONDS = 1.0
NOTICED_SECONDS = 25
"""Seconds until a hanging engine must have been noticed."""
REACHED_SECONDS = 40
"""Seconds until an engine must be watched again: the longest wait between two attempts, and the engine's time to
answer."""
RATE_SECONDS = 10
DASHBOARD = Path(__file__).parents[2] / "dashboards/containers.json"

ALL = {family.name for family in CONTAINER_FAMILIES}
PRESSURE = {
    f"container_pressure_{resource}_{word}_seconds_total"
    for resource in ("cpu", "memory", "io")
    for word in ("waiting", "stalled")
}
"""Values that cgroup v1 does not measure."""
OF_ENDED = {"container_exit_code", "container_finish_time_seconds"}
OF_QUOTA = {"container_spec_cpu_quota"}
OF_DISKS = {f"container_fs_{what}_total" for what in ("reads_bytes", "writes_bytes", "reads", "writes")}
OF_STOPPED = {
    *OF_ENDED,
    "container_state",
    "container_health_status",
    "container_oom_killed",
    "container_oom_events_total",
    "container_restarts_total",
    "container_image_info",
    "container_creation_time_seconds",
    "container_spec_cpu_period",
    "container_spec_cpu_shares",
    "container_spec_memory_limit_bytes",
    "container_spec_memory_swap_limit_bytes",
    "container_spec_memory_reservation_limit_bytes",
}
UNCOUNTED: Key = ("container_oom_events_total", frozenset())
"""A daemon does not count kills from before it started."""
LAST_SEEN: Key = ("container_last_seen", frozenset())
CPU: Key = ("container_cpu_usage_seconds_total", frozenset({("cpu", "total")}))
OF_WEB = ("--label", "exporter.service=web")
"""Options of a container whose log is followed."""
NOT_TOLD_BY_STATISTICS = {
    "container_memory_kernel_usage",
    "container_memory_swap",
    "container_processes",
}


def catalog(engine: DockerEngine, port: int, source: str) -> str:
    """Return a catalog with one HTTP probe, whose service has a container, too. Readings are made for each scrape."""
    others = "\n".join(f"  {name}: {{image: '{IMAGE}'}}" for name in KINDS if name != "web")
    return f"""
project: {PROJECT}
exporter: {{containers: {{docker: "{engine.host}", source: {source}, interval: 50ms}}}}
defaults: {{probe: {{interval: {PROBE_SECONDS:g}s, timeout: 900ms}}}}
services:
  web: {{probes: [{{name: page, http: "http://127.0.0.1:{port}/health"}}], logs: on}}
{others}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as folder,  # must be short: it holds sockets
        DockerEngine(Path(folder)) as engine,
    ):
        yield engine


@pytest.fixture(scope="module")
def service(engine: DockerEngine) -> Iterator[Services]:  # noqa: ARG001 - it needs root, and so does the priority
    with contextlib.ExitStack() as stack:
        with favoured():
            service = stack.enter_context(services())
        yield service


@pytest.fixture(scope="module")
def daemon(
    engine: DockerEngine, service: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDaemon]:
    """Run a daemon that reads files and starts before there is any container."""
    text = catalog(engine, service.port, "auto")
    with contextlib.ExitStack() as stack:
        with favoured():
            daemon = stack.enter_context(running_daemon(tmp_path_factory.mktemp("daemon"), text))
        until(lambda: daemon.lines("exporter_docker_up 1"), "the engine to be watched")
        yield daemon


@pytest.fixture(scope="module")
def witnesses(engine: DockerEngine, daemon: RunningDaemon) -> Iterator[Witnesses]:  # noqa: ARG001 - it must watch all
    """Return the sources, with a container of each kind."""
    with contextlib.ExitStack() as stack:
        witnesses = stack.enter_context(contextlib.closing(Witnesses(engine.socket)))
        stack.callback(remove_all, engine)
        make_all(engine, witnesses)
        yield witnesses


@pytest.fixture
def v1() -> None:
    if not (CGROUPS / "memory/memory.stat").exists():
        pytest.skip("the host has no cgroup v1, which these values are compared with")


def until_agreed(complaints: Callable[[], list[str]], seconds: float = 20.0) -> None:
    """Wait until values agree. Some rise and fall, so two readings around a third need not agree at the first
    attempt."""
    deadline = time.monotonic() + seconds
    while found := complaints():
        assert time.monotonic() < deadline, "\n".join(found)
        time.sleep(0.05)


def samples(daemon: RunningDaemon, name: str) -> Facts:
    return exported(daemon.metrics()).get(name, ({}, {}))[1]


def measured(daemon: RunningDaemon, name: str) -> float:
    """Return when the container's current reading was taken; 0 without one."""
    told = daemon.http.get("/api/v1/services").raise_for_status().json()
    every = (*told["strangers"], *(each for service in told["services"] for each in service["containers"]))
    return next((each["measured"] or 0.0 for each in every if each["name"] == name), 0.0)


def without(key: Key, facts: Facts) -> Facts:
    return {one: value for one, value in facts.items() if one != key}


def assert_probes_went_on(daemon: RunningDaemon) -> None:
    assert daemon.value("exporter_probes_missed_total") == 0
    counted = {
        line.rsplit(" ", 1)[1]
        for line in daemon.lines("exporter_probe_lateness_seconds")
        if "_count" in line or 'le="0.5"' in line
    }
    assert len(counted) == 1, f"of all probes and those not later than 0.5 s: {counted}"


def gaps(service: Services) -> list[float]:
    """Return the seconds between successive probes of it."""
    times = [at for at, path in service.requests if path == "/health"]
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.usefixtures("v1")
@pytest.mark.parametrize("name", KINDS)
def test_every_sample_is_as_the_engine_and_the_kernel_say(
    daemon: RunningDaemon, witnesses: Witnesses, name: str
) -> None:
    def complaints() -> list[str]:
        before = witnesses.hear(name)
        found = samples(daemon, name)
        after = witnesses.hear(name)
        return strays(after, found) + differences(before, found, after)

    until_agreed(complaints)


@pytest.mark.usefixtures("v1", "witnesses")
def test_exactly_these_families_are_there(daemon: RunningDaemon) -> None:
    running = ALL - PRESSURE - OF_ENDED - {"container_start_failure_info"}
    stopped = OF_STOPPED
    expected = {
        "limited": running,
        "throttled": running,
        "healthy": running - OF_QUOTA,
        "web": running - OF_QUOTA,
        "paused": running - OF_QUOTA,
        "stopped": stopped,
        "oom": stopped,
        "created": stopped - OF_ENDED,
    }
    found = exported(daemon.metrics())
    for name, names in expected.items():
        # Without a limit of transfers, some kernels count them and some do not.
        passed_over = OF_DISKS if name != "limited" else set()
        assert families(found[name][1]) - passed_over == names - passed_over, name
    until(lambda: families(samples(daemon, "restarting")) == stopped, "the time between two lives")


def test_labels(daemon: RunningDaemon, witnesses: Witnesses) -> None:
    found = {name: labels for name, (labels, _) in exported(daemon.metrics()).items()}
    inspected = {name: witnesses.inspect(name) for name in KINDS}
    groups = Path(f"/proc/{inspected['web']['State']['Pid']}/cgroup").read_text().split()
    assert found["web"]["id"] in {group.split(":")[-1] for group in groups}
    for name, labels in found.items():
        compose = {
            f"container_label_{label.replace('.', '_').replace('-', '_')}": value
            for label, value in labels_of(name).items()
        }
        # A `web` of another project, or one not created by Compose, is not part of the service.
        service = {"service": name} if KINDS[name].project == PROJECT else {}
        group = found["web"]["id"].replace(inspected["web"]["Id"], inspected[name]["Id"])
        assert labels == {"id": group, "image": IMAGE, "name": name, **compose, **service}


@pytest.mark.usefixtures("witnesses")
def test_what_was_done_shows(daemon: RunningDaemon) -> None:
    """Check that the samples show what the containers did, in addition to agreeing with the sources."""
    daemon.metrics()  # counters are 0 in the first scrape of a container
    found = {name: facts for name, (_, facts) in exported(daemon.metrics()).items()}

    def value(name: str, family: str, **labels: str) -> float:
        return found[name][f"container_{family}", frozenset(labels.items())]

    assert found.keys() == KINDS.keys()
    assert value("stopped", "exit_code") == 3
    assert value("oom", "exit_code") == OOM_KILLED
    assert value("oom", "oom_killed") == 1
    assert value("oom", "oom_events_total") == 1
    assert value("limited", "oom_events_total") == 1
    assert value("limited", "memory_failcnt") > 0
    assert value("limited", "memory_usage_bytes") <= value("limited", "spec_memory_limit_bytes") == 64 * MIB
    assert value("limited", "network_transmit_bytes_total", interface="eth1") > 3000
    assert value("restarting", "restarts_total") > 0
    assert value("throttled", "cpu_cfs_throttled_periods_total") > 0
    for health in ("healthy", "unhealthy", "starting"):
        assert value(health, "health_status", status=health) == 1


@pytest.mark.usefixtures("witnesses")
def test_containers_appear_and_disappear_at_once(daemon: RunningDaemon, engine: DockerEngine) -> None:
    engine.create("--name", "passing")
    until(lambda: "passing" in exported(daemon.metrics()), "the container", 2)
    engine.docker("start", "passing")
    until(lambda: "container_start_time_seconds" in families(samples(daemon, "passing")), "its start", 2)
    engine.docker("rename", "passing", "renamed")
    until(lambda: {"passing", "renamed"} & exported(daemon.metrics()).keys() == {"renamed"}, "its name", 2)
    engine.remove("renamed")
    until(lambda: not daemon.lines('name="renamed"'), "the end of its series", 2)


@pytest.mark.usefixtures("witnesses")
def test_the_exposition_is_valid(daemon: RunningDaemon) -> None:
    lint = subprocess.run(
        [require("promtool"), "check", "metrics"], input=daemon.metrics(), text=True, capture_output=True
    )
    # The name is cAdvisor's, which existing dashboards use.
    assert lint.stderr == 'container_memory_failcnt counter metrics should have "_total" suffix\n'
    assert lint.stdout == ""
    answer = daemon.http.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    found = {sample.name for family in parse_openmetrics(answer.text) for sample in family.samples}
    plain = exported(daemon.metrics())
    assert {family for _, facts in plain.values() for family in families(facts)} <= found


@pytest.mark.usefixtures("v1")
def test_the_statistics_say_the_same_as_the_files(
    daemon: RunningDaemon, engine: DockerEngine, service: Services, witnesses: Witnesses, tmp_path: Path
) -> None:
    """Compare `source: api` with `source: auto`. It is read in the background, so the second answer from now is
    surely newer."""
    with running_daemon(tmp_path, catalog(engine, service.port, "api")) as by_api:
        until(lambda: exported(by_api.metrics()).keys() == witnesses.names(), "all containers")
        # The restarting container can be read only for moments.
        for watcher, source in ((by_api, "api"), (daemon, "cgroup")):
            line = f'exporter_containers{{source="{source}"}} {len(RUNNING)}'
            until(lambda watcher=watcher, line=line: watcher.lines(line), "a reading of each")  # type: ignore[misc] # default arguments

        def next_answer(name: str) -> Facts:
            """Return the answer to a request that was sent after this call."""
            for _ in range(2):
                earlier = measured(by_api, name)
                until(lambda earlier=earlier: measured(by_api, name) > earlier, "an answer")  # type: ignore[misc] # a default argument
            return without(LAST_SEEN, samples(by_api, name))

        def complaints(name: str) -> list[str]:
            before = {"files": samples(daemon, name)}
            found = next_answer(name) if name in RUNNING else samples(by_api, name)
            after = {"files": samples(daemon, name)}
            untold = NOT_TOLD_BY_STATISTICS | {LAST_SEEN[0]} if name in RUNNING else set()
            absent = families(before["files"]) - families(found)
            return [f"{family} is told by one alone" for family in absent ^ untold] + differences(
                before, without(UNCOUNTED, found), after
            )

        for name in KINDS:
            until_agreed(functools.partial(complaints, name))


@pytest.mark.usefixtures("v1")
def test_the_dashboard_has_data(daemon: RunningDaemon, witnesses: Witnesses, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs: [{job_name: exporter, "
        f"static_configs: [{{targets: ['{daemon.url.removeprefix('http://')}']}}]}}]\n"
    )
    queries = {
        f"{title}: {query}": interpolated(
            query,
            {"service": "|".join(KINDS), "__rate_interval": f"{RATE_SECONDS}s", "__range": "1m"}
            | dict.fromkeys(("project", "environment"), ""),
        )
        for title, query in expressions(json.loads(DASHBOARD.read_text()))
        if "container_start_failure_info" not in query  # all of these could be started
    }
    assert len(queries) > 10
    with prometheus(config, tmp_path / "tsdb") as server:

        def empty() -> list[str]:
            return [
                title
                for title, query in queries.items()
                if not (rows := server.vector(query))
                or not all(math.isfinite(float(row["value"][1])) for row in rows)
            ]

        until_agreed(empty, 30)
        of = {title.split(":")[0]: query for title, query in queries.items() if ": -" not in title}

        def cores() -> float:
            """Return the CPU cores that the throttled container gets, according to the kernel."""
            began, used = time.monotonic(), witnesses.hear("throttled")["kernel"][CPU]
            until(lambda: time.monotonic() - began > RATE_SECONDS, "the time of a rate")
            more = witnesses.hear("throttled")["kernel"][CPU]
            return (more - used) / (time.monotonic() - began)

        used = cores()
        assert server.values(of["CPU"], "name")["throttled"] == pytest.approx(used, rel=0.3)
        assert server.values(of["CPU throttling"], "name")["throttled"] > 0.5
        assert server.values(of["Docker reachable"]) == {"": 1}
        exit_codes = server.values(of["Exit codes of stopped containers"], "name")
        assert {name: exit_codes[name] for name in ("stopped", "oom")} == {"stopped": 3, "oom": OOM_KILLED}
        ours = len([name for name in RUNNING if KINDS[name].project == PROJECT])
        by_state = {"running": ours, "exited": 2}
        until(lambda: server.values(of["Containers by state"], "state").items() >= by_state.items(), "states")
        assert server.values(of["Memory against limit"], "name").keys() == {"limited"}


def test_a_hundred_containers_leave_nothing_behind(
    daemon: RunningDaemon, engine: DockerEngine, witnesses: Witnesses
) -> None:
    """Run eight at a time, while the daemon is scraped. The baseline is taken after a few have come and gone."""
    process = psutil.Process(daemon.process.pid)

    def come_and_go(number: int) -> None:
        options = "--name", f"passing-{number}", "--network", "front", *OF_WEB
        if number % 2:
            engine.docker("run", "--rm", *options, IMAGE, "echo", "ERROR")
        else:
            engine.run(*options)
            engine.remove(f"passing-{number}")

    def held() -> tuple[int, int, int]:
        return process.num_fds(), process.num_threads(), len(process.net_connections("unix"))

    with Scraping(daemon) as scraping, ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(24)))
        until(lambda: scraping.last.containers == witnesses.names(), "the end of the first series")
        before, memory = held(), process.memory_info().rss
        list(pool.map(come_and_go, range(100)))
        until(lambda: scraping.last.containers == witnesses.names(), "the end of their series", 5)
        seen = {name for scrape in scraping.scrapes for name in scrape.containers}
        assert len([name for name in seen if name.startswith("passing-")]) > 50, "they were seen meanwhile"
        assert max(scrape.took for scrape in scraping.scrapes) < 1
        # A connection that was needed at the peak is closed after it has been idle for a while.
        until(lambda: all(now <= was for now, was in zip(held(), before, strict=True)), f"{before} again", 30)
        assert process.memory_info().rss - memory < 5 * MIB
    assert witnesses.names() == KINDS.keys()
    assert_probes_went_on(daemon)


@pytest.mark.usefixtures("witnesses")
def test_no_task_of_a_watch_outlives_its_container(
    engine: DockerEngine, service: Services, tmp_path: Path
) -> None:
    """Use the daemon's watch in this process, where its tasks can be counted."""
    config = tmp_path / "config.yaml"
    config.write_text(catalog(engine, service.port, "api"))

    async def settle(watch: ContainerWatch, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not what():
            assert time.monotonic() < deadline
            await watch.refresh()
            await asyncio.sleep(0.05)

    async def check() -> None:
        plan = await load_plan_apart(config, None, secrets=False)
        assert plan.containers.endpoint is not None
        watch = ContainerWatch(plan, plan.containers.endpoint)

        def tasks() -> set[str]:
            return {task.get_name() for task in asyncio.all_tasks()}

        await settle(watch, lambda: len(watch.views()) == len(KINDS) and all_read(watch))
        before = len(tasks())
        passing = [await asyncio.to_thread(engine.run, *OF_WEB) for _ in range(8)]
        await settle(watch, lambda: len(watch.views()) == len(KINDS) + len(passing) and all_read(watch))
        assert len(tasks()) > before, "each log is followed"
        await asyncio.to_thread(engine.remove, *passing)
        await settle(watch, lambda: len(watch.views()) == len(KINDS))
        await settle(watch, lambda: len(tasks()) <= before)
        await watch.stop()
        assert len(tasks()) == 1

    def all_read(watch: ContainerWatch) -> bool:
        views = watch.views()
        return all(view.reading for view in views if view.container.status.state in ("running", "paused"))

    asyncio.run(check())


def test_an_engine_that_hangs_is_noticed_and_holds_nothing_up(
    daemon: RunningDaemon, engine: DockerEngine, service: Services, witnesses: Witnesses
) -> None:
    names = witnesses.names()
    probed = len(gaps(service))
    with Scraping(daemon) as scraping:
        with engine.frozen():
            until(lambda: scraping.last.up is False, "the daemon to notice", NOTICED_SECONDS)
            assert not scraping.last.containers
        until(lambda: scraping.last.up and scraping.last.containers == names, "all again", REACHED_SECONDS)
    assert max(scrape.took for scrape in scraping.scrapes) < 1
    assert not any(scrape.containers for scrape in scraping.scrapes if not scrape.up)
    assert max(gaps(service)[probed:]) < 1.6 * PROBE_SECONDS
    assert_probes_went_on(daemon)


def test_the_engine_goes_and_comes_back(
    daemon: RunningDaemon, engine: DockerEngine, service: Services, witnesses: Witnesses
) -> None:
    """Check that the containers end with the engine, and that its current ones are found again without a daemon
    restart."""
    names = witnesses.names()
    probed = len(gaps(service))
    with Scraping(daemon) as scraping:
        engine.stop()
        try:
            until(lambda: scraping.last.up is False, "the daemon to notice", 5)
            assert not scraping.last.containers
        finally:
            engine.start()
        until(lambda: scraping.last.up and scraping.last.containers == names, "all again", REACHED_SECONDS)
    assert not any(scrape.containers for scrape in scraping.scrapes if not scrape.up)
    assert max(scrape.took for scrape in scraping.scrapes) < 1
    assert max(gaps(service)[probed:]) < 1.6 * PROBE_SECONDS
    assert_probes_went_on(daemon)
    engine.docker("start", "web")
    until(lambda: "container_cpu_usage_seconds_total" in families(samples(daemon, "web")), "its readings")
    assert daemon.process.poll() is None
