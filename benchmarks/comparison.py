"""The daemon and blackbox_exporter on the same targets at the same time, each with its own Prometheus."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.exporters import Blackbox, Daemon, catalog
from benchmarks.figures import Figure, Result
from benchmarks.process import memory
from benchmarks.programs import BenchmarkError, Programs
from benchmarks.prometheus import Prometheus, scrape_blackbox, scrape_daemon
from benchmarks.servers import Nginx
from benchmarks.window import Window, measure

if TYPE_CHECKING:
    from benchmarks.exporters import Counts

MAX_FAILED = 0.01
"""Share of probes that may fail. Every target is healthy, and a program whose probes fail early would look cheap."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each warm-up and each measured window."""

    warm_up: float
    window: float


def http(times: Times) -> Result:
    """200 HTTP targets every second, compared with blackbox_exporter."""
    return _compare("http", "HTTP, 200 targets every second", "http", 0.15, times)


def https(times: Times) -> Result:
    """200 HTTPS targets every second, compared with blackbox_exporter."""
    return _compare("https", "HTTPS, 200 targets every second", "https", 0.5, times)


def _compare(name: str, title: str, scheme: str, goal: float, times: Times) -> Result:
    count, interval, timeout = 200, "1s", "900ms"
    with Programs() as programs:
        nginx = Nginx(programs)
        urls = nginx.urls(scheme, count)
        ca_file = nginx.ca_file if scheme == "https" else None
        config = programs.write("catalog.yaml", catalog(urls, interval, timeout, ca_file))
        daemon = Daemon(programs, config)
        blackbox = Blackbox(programs, timeout, nginx.ca_file)
        ours = Prometheus(programs, "prometheus-daemon", scrape_daemon(daemon, interval))
        peers = Prometheus(programs, "prometheus-blackbox", scrape_blackbox(blackbox, urls, interval))
        time.sleep(times.warm_up)
        pids = [daemon.pid, blackbox.pid, ours.pid, peers.pid]
        window = measure(programs, daemon, pids, times.window)
        check_ours(window.counts, count * window.seconds)
        probed = peers.value(f"sum(count_over_time(probe_success[{window.range}]))", window.end)
        succeeded = peers.value(f"sum(sum_over_time(probe_success[{window.range}]))", window.end)
        check_probes("blackbox_exporter", probed, succeeded, count * window.seconds)
        seen = ours.value("sum(probe_success)", window.end)
        if seen < count * (1 - MAX_FAILED):
            raise BenchmarkError(f"the daemon's Prometheus sees {seen:.0f} of {count} targets succeed")
        cpu, probes = window.cpu, window.counts.probes
        mine, theirs = memory(daemon.pid), memory(blackbox.pid)
        both = (cpu[daemon.pid] + cpu[ours.pid], cpu[blackbox.pid] + cpu[peers.pid])
        duration = f"avg(avg_over_time(probe_duration_seconds[{window.range}])) * 1000"
        scrape = f"avg(avg_over_time(scrape_duration_seconds[{window.range}])) * 1000"
        return Result(
            name,
            title,
            [
                Figure(
                    "CPU per probe",
                    "ms",
                    cpu[daemon.pid] / probes * 1e3,
                    cpu[blackbox.pid] / probed * 1e3,
                    goal,
                    "ratio",
                ),
                Figure(
                    "CPU per probe, with its Prometheus", "ms", both[0] / probes * 1e3, both[1] / probed * 1e3
                ),
                Figure("Memory (RSS)", "MB", mine.rss, theirs.rss),
                Figure("Memory (peak RSS)", "MB", mine.peak_rss, theirs.peak_rss),
                Figure("Memory (PSS)", "MB", mine.pss, theirs.pss),
                *lateness(window.counts),
                Figure(
                    "Interval between probes of a target, p99 over 1 s",
                    "ms",
                    None,
                    1e3 * (peers.interval_p99() - 1.0),
                    remark="the schedule of its Prometheus; blackbox_exporter itself reports no lateness",
                ),
                Figure(
                    "Probe duration as reported, mean",
                    "ms",
                    ours.value(duration, window.end),
                    peers.value(duration, window.end),
                    remark="for the same responses; the difference is time that probes wait within the program",
                ),
                Figure(
                    "Scrape, mean",
                    "ms",
                    ours.value(scrape, window.end),
                    peers.value(scrape, window.end),
                    remark="the daemon: of all targets; blackbox_exporter: of a single target, including its probe",
                ),
                Figure("Scrapes", "count", _scrapes(ours, window), _scrapes(peers, window)),
                Figure("Probes", "count", probes, probed),
            ],
        )


def _scrapes(server: Prometheus, window: Window) -> float:
    return server.value(f"sum(count_over_time(up[{window.range}]))", window.end)


def lateness(counts: Counts, goal: float | None = None) -> list[Figure]:
    return [
        Figure(
            "Probes started within 100 ms of their time",
            "%",
            100 * counts.share_within(0.1),
            goal=goal,
            at_least=True,
        ),
        Figure("Probes started within 10 ms of their time", "%", 100 * counts.share_within(0.01)),
        Figure("Mean lateness", "ms", 1e3 * counts.mean_lateness()),
    ]


def check_ours(counts: Counts, expected: float) -> None:
    check_probes("the daemon", counts.probes, counts.successes, expected)


def check_probes(name: str, probed: float, succeeded: float, expected: float) -> None:
    """Raise BenchmarkError if too many probes failed or too few were made."""
    if succeeded < probed * (1 - MAX_FAILED):
        raise BenchmarkError(f"{name}: only {succeeded:.0f} of {probed:.0f} probes succeeded; all should")
    if probed < expected * 0.95:
        raise BenchmarkError(f"{name}: {probed:.0f} probes where {expected:.0f} were expected")
