"""The cost of watching 100 containers: from cgroup files, from the engine's statistics, and with netdata."""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from benchmarks import docker
from benchmarks.comparison import check_ours
from benchmarks.exporters import Daemon
from benchmarks.figures import Figure, Result
from benchmarks.netdata import Netdata
from benchmarks.process import Memory, memory
from benchmarks.programs import BenchmarkError, Programs
from benchmarks.prometheus import Prometheus, scrape_daemon
from benchmarks.servers import Nginx
from benchmarks.window import Window, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.comparison import Times
    from benchmarks.exporters import Counts
    from tests.docker_engine import DockerEngine

COUNT = 100
PROBES = 200
API_INTERVAL = 5
"""Seconds. The engine needs two or three for a round of 100; with an interval of one second it would never rest."""
SLOW_INTERVAL = 10
"""Seconds, the daemon's default."""
FIND_SECONDS = 60.0
SERIES = (
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "container_network_receive_bytes_total",
)
"""Each container has exactly one sample of each, whatever the source."""

Source = Literal["cgroup", "api", "off"]


def containers(times: Times) -> Result:
    """100 containers every second, compared with the engine's statistics and netdata; then with probes."""
    with Programs() as programs, docker.containers(programs.folder / "docker", COUNT) as engine:
        resting, beside_probes = _beside_probes(engine, times)
        side_by_side = _side_by_side(engine, resting, times)
    return Result("containers", f"{COUNT} containers", [*side_by_side, *beside_probes])


class Watcher:
    """A daemon and the Prometheus that scrapes it as often as it reads, in their own folder."""

    def __init__(
        self, stack: ExitStack, engine: DockerEngine, source: Source, interval: int, urls: Sequence[str] = ()
    ) -> None:
        self.source = source
        self.interval = interval
        self.programs = stack.enter_context(Programs())
        config = self.programs.write("catalog.yaml", _catalog(engine, source, interval, urls))
        self.daemon = Daemon(self.programs, config)
        self.server = Prometheus(self.programs, "prometheus", scrape_daemon(self.daemon, f"{interval}s"))

    def wait_for(self, count: int) -> None:
        """Wait until this many containers are read from the expected source.

        Raises:
            BenchmarkError: they are not.
        """
        sample = f'exporter_containers{{source="{self.source}"}}'
        end = time.monotonic() + FIND_SECONDS
        while (found := self.daemon.scrape().counts().own.get(sample, 0)) < count:
            self.programs.check()
            if time.monotonic() > end:
                raise BenchmarkError(
                    f"the daemon reads {found:.0f} of {count} containers by {self.source} after"
                    f" {FIND_SECONDS:.0f} s"
                )
            time.sleep(0.5)

    def readings(self, window: Window) -> float:
        """Return how many container readings reached Prometheus in the window.

        Raises:
            BenchmarkError: a scrape lacked a container.
        """
        self.programs.check()
        scrapes = self.server.value(f"sum(count_over_time(up[{window.range}]))", window.end)
        for series in SERIES:
            seen = self.server.value(f"sum(count_over_time({series}[{window.range}]))", window.end)
            if seen != COUNT * scrapes:
                raise BenchmarkError(
                    f"{seen:.0f} samples of {series} in {scrapes:.0f} scrapes of {COUNT} containers"
                )
        # Start one scrape before the window: a value that differs from that scrape's is a new reading.
        since = f"{(window.seconds + self.interval) * 1000:.0f}ms"
        return self.server.value(f"sum(changes(container_last_seen[{since}]))", window.end)

    def scrape_milliseconds(self, window: Window) -> float:
        query = f"avg(avg_over_time(scrape_duration_seconds[{window.range}])) * 1000"
        return self.server.value(query, window.end)


def _catalog(engine: DockerEngine, source: Source, interval: int, urls: Sequence[str]) -> str:
    """Return a catalog that names none of the containers, as is usual for a small catalog. JSON is valid YAML."""
    return json.dumps(
        {
            "project": "benchmark",
            "exporter": {"containers": {"source": source, "interval": f"{interval}s", "docker": engine.host}},
            "defaults": {"probe": {"interval": "1s", "timeout": "900ms"}},
            "services": {f"s{index:05}": {"health": url} for index, url in enumerate(urls)},
        }
    )


def _side_by_side(engine: DockerEngine, resting: float, times: Times) -> list[Figure]:
    """Measure one window: files, the engine's statistics, netdata. `resting`: CPU seconds that the engine uses per
    second while nobody asks for statistics."""
    with ExitStack() as stack:
        files = Watcher(stack, engine, "cgroup", 1)
        api = Watcher(stack, engine, "api", API_INTERVAL)
        netdata = Netdata(api.programs, docker.PARENT)
        for watcher in (files, api):
            watcher.wait_for(COUNT)
        netdata.wait_for(COUNT)
        time.sleep(max(times.warm_up, 2 * API_INTERVAL))
        engines, netdatas = docker.engine_processes(engine), netdata.pids
        pids = [files.daemon.pid, api.daemon.pid, *engines, *netdatas]
        # `measure` scrapes this daemon once more than its Prometheus does. The `api` daemon reads nothing when
        # scraped.
        window = measure(api.programs, api.daemon, pids, _whole(times.window, API_INTERVAL))
        by_files, by_api = files.readings(window), api.readings(window)
        by_netdata = COUNT * netdata.samples(window.end - window.seconds, window.end)
        expected = COUNT * window.seconds
        for name, seen, wanted in (("files", by_files, expected), ("api", by_api, expected / API_INTERVAL)):
            if seen < 0.8 * wanted:
                raise BenchmarkError(f"{name}: {seen:.0f} readings where {wanted:.0f} were expected")
        cpu = window.cpu
        engine_cpu = sum(cpu[pid] for pid in engines)
        asked_cpu = max(0.0, engine_cpu - resting * window.seconds)
        ours = 1e3 * cpu[files.daemon.pid] / by_files
        asking = 1e3 * cpu[api.daemon.pid] / by_api
        answering = 1e3 * asked_cpu / by_api
        peer = 1e3 * sum(cpu[pid] for pid in netdatas) / by_netdata
        body = files.daemon.scrape().text()
        name = "CPU per container and reading"
        return [
            Figure(f"{name}, files", "ms", ours, goal=0.3, remark="scraped every second, text included"),
            Figure(
                f"{name}, engine's statistics",
                "ms",
                asking + answering,
                remark="daemon plus engine, minus what the engine uses at rest",
            ),
            Figure(f"{name}, of these the engine", "ms", answering),
            Figure(f"{name}, netdata", "ms", peer),
            Figure("Ratio of files to the engine's statistics", "", ours / (asking + answering)),
            Figure("Ratio of files to netdata", "", ours / peer),
            *_memory("files", memory(files.daemon.pid)),
            *_memory("engine's statistics", memory(api.daemon.pid)),
            *_memory("netdata", _together([memory(pid) for pid in netdatas])),
            Figure("CPU of the engine, asked for statistics", "%", _share(engine_cpu, window)),
            Figure("Scrape, mean, files", "ms", files.scrape_milliseconds(window)),
            Figure("Samples of a scrape, files", "count", _samples(body)),
            Figure("Time series, netdata", "count", netdata.dimensions()),
            Figure("Readings, files", "count", by_files),
            Figure("Readings, engine's statistics", "count", by_api),
            Figure("Readings, netdata", "count", by_netdata),
        ]


def _beside_probes(engine: DockerEngine, times: Times) -> tuple[float, list[Figure]]:
    """Measure one window: a daemon at the default interval, and two with probes, one of which reads containers.

    Return the figures, and the CPU seconds that the engine used per second while nobody asked it for statistics.
    """
    with ExitStack() as stack:
        urls = Nginx(stack.enter_context(Programs())).urls("http", PROBES)
        slow = Watcher(stack, engine, "cgroup", SLOW_INTERVAL)
        reading = Watcher(stack, engine, "cgroup", 1, urls)
        alone = Watcher(stack, engine, "off", 1, urls)
        for watcher in (slow, reading):
            watcher.wait_for(COUNT)
        time.sleep(max(times.warm_up, SLOW_INTERVAL))
        engines = docker.engine_processes(engine)
        before = alone.daemon.scrape()
        pids = [slow.daemon.pid, *engines]
        window = measure(reading.programs, reading.daemon, pids, _whole(times.window, SLOW_INTERVAL))
        alone_counts = alone.daemon.scrape().counts().since(before.counts())
        alone.programs.check()
        for counts in (window.counts, alone_counts):
            check_ours(counts, PROBES * window.seconds)
        slow.readings(window)
        reading.readings(window)
        resting = sum(window.cpu[pid] for pid in engines) / window.seconds
        return resting, [
            Figure(
                f"CPU of one core, read every {SLOW_INTERVAL} s",
                "%",
                _share(window.cpu[slow.daemon.pid], window),
                goal=1,
            ),
            Figure(
                "CPU of the engine, only files read",
                "%",
                100 * resting,
                remark="two daemons listen to its events; the shims of idle containers use nearly all of it",
            ),
            *_lateness("containers read", window.counts, 100.0),
            *_lateness("no containers", alone_counts),
        ]


def _whole(seconds: float, interval: int) -> float:
    """Return a window of at least three whole intervals, so that the cost covers exactly the readings in it."""
    return interval * max(3, math.ceil(seconds / interval))


def _share(cpu: float, window: Window) -> float:
    return 100 * cpu / window.seconds


def _memory(who: str, used: Memory) -> list[Figure]:
    return [
        Figure(f"Memory (RSS), {who}", "MB", used.rss),
        Figure(f"Memory (PSS), {who}", "MB", used.pss),
    ]


def _together(used: list[Memory]) -> Memory:
    return Memory(
        sum(each.rss for each in used), sum(each.peak_rss for each in used), sum(each.pss for each in used)
    )


def _samples(text: str) -> int:
    return sum(1 for line in text.splitlines() if line and not line.startswith("#"))


def _lateness(when: str, counts: Counts, goal: float | None = None) -> list[Figure]:
    within = f"{PROBES} probes a second, {when}: started within"
    return [
        Figure(f"{within} 100 ms", "%", 100 * counts.share_within(0.1), goal=goal, at_least=True),
        Figure(f"{within} 10 ms", "%", 100 * counts.share_within(0.01)),
        Figure(f"Mean lateness, {when}", "ms", 1e3 * counts.mean_lateness()),
    ]
