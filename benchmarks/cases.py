"""The cases. Each starts its own programs, warms up, measures a window and returns figures."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from benchmarks.comparison import Times, check_ours, http, https, lateness
from benchmarks.containers import containers
from benchmarks.exporters import PYTHON, Daemon, catalog, example_config
from benchmarks.figures import Figure, Result
from benchmarks.process import MB, memory
from benchmarks.programs import ROOT, BenchmarkError, Programs
from benchmarks.prometheus import Prometheus, scrape_daemon
from benchmarks.servers import Nginx
from benchmarks.window import measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def many(times: Times) -> Result:
    """10,000 HTTP targets every 15 s, the daemon alone on one core."""
    count, interval = 10_000, 15
    core = max(os.sched_getaffinity(0))
    with Programs() as programs:
        nginx = Nginx(programs)
        config = programs.write("catalog.yaml", catalog(nginx.urls("http", count), f"{interval}s", "5s"))
        began = time.monotonic()
        daemon = Daemon(programs, config, cpus=[core])
        start_seconds = time.monotonic() - began
        server = Prometheus(programs, "prometheus", scrape_daemon(daemon, f"{interval}s"))
        # The first round takes 5 s, not an interval. Only the rounds after it are measured.
        time.sleep(max(times.warm_up, interval + 5))
        seconds = max(times.window, 2 * interval)
        window = measure(programs, daemon, [daemon.pid], seconds)
        counts, probes = window.counts, window.counts.probes
        check_ours(counts, count * window.seconds / interval)
        used = memory(daemon.pid)
        cpu = window.cpu[daemon.pid]
        scrape = f"avg(avg_over_time(scrape_duration_seconds[{window.range}])) * 1000"
        return Result(
            "many",
            "HTTP, 10,000 targets every 15 s, daemon on one core",
            [
                *lateness(counts, 99.0),
                Figure("Memory (peak RSS)", "MB", used.peak_rss, goal=160),
                Figure("Memory (RSS)", "MB", used.rss),
                Figure("Memory (PSS)", "MB", used.pss),
                Figure("CPU, of one core", "%", cpu / window.seconds * 100, remark="scrapes included"),
                Figure("CPU per probe", "ms", cpu / probes * 1e3, remark="scrapes included"),
                Figure("Scrape, mean", "ms", server.value(scrape, window.end), remark="of all targets"),
                Figure("Probes missed", "count", counts.own["exporter_probes_missed_total"]),
                Figure("Probes", "count", probes),
                Figure("Start to first answer", "s", start_seconds),
                *_loading(config),
            ],
        )


def _loading(config: Path) -> list[Figure]:
    """Measure the child process that reads the catalog, on its own."""
    began = time.monotonic()
    child = subprocess.Popen(
        [PYTHON, "-m", "exporter.daemon.loading", "with-secrets", config], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise BenchmarkError(f"the process that reads the catalog exited with status {child.returncode}")
    return [
        Figure("Reading the catalog", "s", seconds, remark="in a child process, at start and reload"),
        Figure("Reading the catalog, peak RSS of the child", "MB", usage.ru_maxrss * 1024 / MB),
    ]


def scrape(times: Times) -> Result:
    """Scrape of 1,000 targets: the cost, from a window without scrapes and one with two a second."""
    count, interval, pause = 1_000, 15, 0.5
    with Programs() as programs:
        nginx = Nginx(programs)
        config = programs.write("catalog.yaml", catalog(nginx.urls("http", count), f"{interval}s", "5s"))
        daemon = Daemon(programs, config)
        # Each window holds two whole rounds, so that both run the same number of probes.
        seconds = max(times.window, 2 * interval)
        time.sleep(max(times.warm_up, interval + 5))
        quiet = measure(programs, daemon, [daemon.pid], seconds)
        server = Prometheus(programs, "prometheus", scrape_daemon(daemon, f"{pause * 1000:.0f}ms"))
        time.sleep(5)
        busy = measure(programs, daemon, [daemon.pid], seconds)
        for window in (quiet, busy):
            check_ours(window.counts, count * window.seconds / interval)
        scrapes = busy.counts.own["exporter_scrape_duration_seconds_count"]
        if scrapes < 0.9 * seconds / pause:
            raise BenchmarkError(f"only {scrapes:.0f} scrapes in {seconds:.0f} s")
        idle_cpu = quiet.cpu[daemon.pid] / quiet.counts.probes * busy.counts.probes
        took = f"avg(avg_over_time(scrape_duration_seconds[{busy.range}])) * 1000"
        handled = busy.counts.own["exporter_scrape_duration_seconds_sum"] / scrapes
        body = daemon.scrape()
        return Result(
            "scrape",
            "A scrape of 1,000 targets, gzip, twice a second",
            [
                Figure("CPU per scrape", "ms", (busy.cpu[daemon.pid] - idle_cpu) / scrapes * 1e3, goal=10),
                Figure(
                    "Probes started within 100 ms, while scraped",
                    "%",
                    100 * busy.counts.share_within(0.1),
                    goal=99.9,
                    at_least=True,
                ),
                Figure(
                    "Probes started within 10 ms, while scraped", "%", 100 * busy.counts.share_within(0.01)
                ),
                Figure(
                    "Probes started within 10 ms, not scraped", "%", 100 * quiet.counts.share_within(0.01)
                ),
                Figure("Mean lateness, while scraped", "ms", 1e3 * busy.counts.mean_lateness()),
                Figure("Mean lateness, not scraped", "ms", 1e3 * quiet.counts.mean_lateness()),
                Figure("Scrape, mean, as Prometheus sees it", "ms", server.value(took, busy.end)),
                Figure("Scrape, mean, in the daemon", "ms", handled * 1e3),
                Figure("Size, compressed", "kB", len(body.packed) / 1e3),
                Figure("Size, plain", "kB", len(body.text()) / 1e3),
                Figure("Scrapes", "count", scrapes),
            ],
        )


def example(times: Times) -> Result:
    """The example catalog, with nothing running behind it."""
    with Programs() as programs:
        daemon = Daemon(programs, example_config(), "development")
        Prometheus(programs, "prometheus", scrape_daemon(daemon, "5s"))
        time.sleep(times.warm_up)
        window = measure(programs, daemon, [daemon.pid], times.window)
        used = memory(daemon.pid)
        return Result(
            "example",
            "The example catalog, nothing behind it",
            [
                Figure("Memory (peak RSS)", "MB", used.peak_rss, goal=64),
                Figure("Memory (RSS)", "MB", used.rss),
                Figure("Memory (PSS)", "MB", used.pss),
                Figure("CPU, of one core", "%", window.cpu[daemon.pid] / window.seconds * 100),
            ],
        )


CASES: dict[str, Callable[[Times], Result]] = {
    case.__name__: case for case in (http, https, many, scrape, example, containers)
}
