"""Check that memory and descriptors stay flat: 1,000 targets, half of them faulty, with scrapes and reloads.

`python -m benchmarks.soak --minutes 10`. Exit status 0: flat, 1: not flat, or a program failed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from typing import TYPE_CHECKING

import httpx
from rich.console import Console

from benchmarks.exporters import PYTHON, Counts, Daemon
from benchmarks.process import descriptors, rss, threads
from benchmarks.programs import START_SECONDS, BenchmarkError, Program, Programs
from benchmarks.prometheus import Prometheus, scrape_daemon
from benchmarks.servers import make_certificates
from benchmarks.trend import growth, second_half, slope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TARGETS = 1_000
CHANGED = 100
"""Number of services that differ between the two catalogs."""
SAMPLE_SECONDS = 5.0
RELOAD_SECONDS = 20.0
BAD_EVERY = 5
"""Every BAD_EVERY-th reload uses a catalog that must be refused."""
FAULTS = {
    "hanging": "timeout",
    "dribbling": "timeout",
    "resetting": "disconnect",
    "garbage": "protocol",
    "endless": "size",
    "redirecting": "redirect",
    "untrusted": "certificate",
    "not_tls": "tls",
    "refusing": "connect",
}
"""The reason with which each must be reported."""
KINDS = ("healthy",) * 8 + ("slow",) + tuple(FAULTS)
MAX_SURPRISES = 0.01
"""Share of targets whose last result may be unexpected, because the machine may be busy."""
SETTLE_SECONDS = 8.0
"""Seconds until the services added by the last reload have had their first run, deadline included."""
MAX_RSS_GROWTH = 0.05
MAX_FD_GROWTH = 10
SHOWN_ROWS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    seconds: float
    rss: float
    descriptors: int
    threads: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    seconds = parser.parse_args().minutes * 60
    console = Console()
    try:
        samples, counts, reloads = soak(seconds, console)
    except BenchmarkError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    console.print(
        f"{counts.probes:,} probes, {counts.failures:,} of them failed as expected; {reloads} reloads; "
        f"{100 * counts.share_within(0.1):.2f} % of probes started within 100 ms of their time; "
        f"{counts.own['exporter_probes_missed_total']:.0f} missed"
    )
    return 0 if judge(samples, console) else 1


def soak(seconds: float, console: Console) -> tuple[list[Sample], Counts, int]:
    """Run everything. Return the samples, the daemon's total counts and the number of reloads."""
    with Programs() as programs:
        urls = start_faults(programs)
        catalogs = [catalog_text(urls, 0), catalog_text(urls, CHANGED)]
        config = programs.write("catalog.yaml", catalogs[0])
        daemon = Daemon(programs, config)
        Prometheus(programs, "prometheus", scrape_daemon(daemon, "5s"))
        samples: list[Sample] = []
        reloads = 0
        began = time.monotonic()
        every = max(1, round(seconds / SAMPLE_SECONDS / SHOWN_ROWS))
        console.print(
            f"{'time':>8} {'RSS MB':>8} {'open files':>11} {'threads':>8} {'reloads':>8}", style="bold"
        )
        while (passed := time.monotonic() - began) < seconds:
            if passed >= (reloads + 1) * RELOAD_SECONDS:
                reloads += 1
                reload(daemon, config, catalogs[reloads % 2], good=bool(reloads % BAD_EVERY))
            programs.check()
            sample = Sample(passed, rss(daemon.pid), descriptors(daemon.pid), threads(daemon.pid))
            if len(samples) % every == 0:
                console.print(
                    f"{passed:6.0f} s {sample.rss:8.1f} {sample.descriptors:11} {sample.threads:8} {reloads:8}"
                )
            samples.append(sample)
            time.sleep(max(0.0, began + len(samples) * SAMPLE_SECONDS - time.monotonic()))
        time.sleep(SETTLE_SECONDS)
        last = daemon.scrape()
        check_reasons(last.text())
        counts = last.counts()
        took = daemon.program.stop()
        if took > 2:
            raise BenchmarkError(f"the daemon took {took:.1f} s to stop; the limit is 2 s")
        return samples, counts, reloads


def start_faults(programs: Programs) -> dict[str, str]:
    """Start the fault servers and return their URLs by name."""
    make_certificates(programs.folder)
    certificate = [programs.folder / "server.pem", programs.folder / "server.key"]
    program: Program = programs.start("faults", PYTHON, "-m", "benchmarks.fault_server", *certificate)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        program.check()
        line, newline, _ = program.log.read_text().partition("\n")
        if newline:
            urls: dict[str, str] = json.loads(line)
            return urls
        time.sleep(0.05)
    raise BenchmarkError("the fault servers did not start")


def catalog_text(urls: dict[str, str], first: int) -> str:
    """Return a catalog of TARGETS services, starting at number `first`."""
    lines = [
        "project: soak",
        "defaults: {probe: {interval: 5s, timeout: 2s}}",
        "services:",
    ]
    for index, kind in islice(enumerate(cycle(KINDS)), first, first + TARGETS):
        health = f"{{url: '{urls[kind]}/{index}', max_body: 64Ki}}"
        lines.append(f"  {kind.replace('_', '-')}-{index:04}: {{health: {health}}}")
    return "\n".join(lines) + "\n"


def reload(daemon: Daemon, config: Path, text: str, *, good: bool) -> None:
    """Change the catalog and reload it; a bad catalog must be refused.

    Raises:
        BenchmarkError: the daemon did otherwise.
    """
    config.write_text(text if good else text + "  broken: {health: 7}\n")
    answer = httpx.post(f"http://{daemon.address}/-/reload", timeout=60)
    wanted = 200 if good else 400
    if answer.status_code != wanted:
        raise BenchmarkError(
            f"a reload answered {answer.status_code} instead of {wanted}: {answer.text[:300]}"
        )


def check_reasons(text: str) -> None:
    """Raise BenchmarkError if targets that must fail succeed, or fail for other reasons."""
    found = re.findall(
        r'^probe_failure_info\{service="([a-z-]+)-\d+",.*reason="(\w+)"\} 1$', text, re.MULTILINE
    )
    right = sum(FAULTS.get(kind.replace("-", "_")) == reason for kind, reason in found)
    expected = sum(kind in FAULTS for kind in islice(cycle(KINDS), TARGETS))
    surprises = len(found) - right + abs(expected - right)
    if surprises > TARGETS * MAX_SURPRISES:
        others = Counter(pair for pair in found if FAULTS.get(pair[0].replace("-", "_")) != pair[1])
        raise BenchmarkError(
            f"{right} of {expected} targets fail as they must; others: {others.most_common(5)}"
        )


def judge(samples: Sequence[Sample], console: Console) -> bool:
    """Print the trends. Return True if both are flat over the second half."""
    if len(samples) < 8:
        console.print("too short to judge: run for at least a minute")
        return False
    memory = second_half([(sample.seconds, sample.rss) for sample in samples])
    files = second_half([(sample.seconds, float(sample.descriptors)) for sample in samples])
    share = growth(memory) / median(value for _, value in memory)
    more_files = growth(files)
    flat_memory, flat_files = share <= MAX_RSS_GROWTH, more_files <= MAX_FD_GROWTH
    console.print(
        f"memory: {'flat' if flat_memory else 'NOT flat'}, {slope(memory) * 600:+.2f} MB in 10 minutes "
        f"({share:+.1%} over the second half, at most {MAX_RSS_GROWTH:.0%})"
    )
    console.print(
        f"open files: {'flat' if flat_files else 'NOT flat'}, {slope(files) * 600:+.1f} in 10 minutes "
        f"({more_files:+.1f} over the second half, at most {MAX_FD_GROWTH})"
    )
    return flat_memory and flat_files


if __name__ == "__main__":
    sys.exit(main())
