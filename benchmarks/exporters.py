"""The two programs that are compared: this daemon and blackbox_exporter."""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from benchmarks.programs import ROOT, BenchmarkError, Program, Programs, find, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PYTHON = sys.executable
ACCEPT = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip"}
GZIP = 31


def catalog(urls: Sequence[str], interval: str, timeout: str, ca_file: Path | None = None) -> str:
    """Return a catalog with one service per URL, as a person would write it."""
    lines = [
        "project: benchmark",
        f"defaults: {{probe: {{interval: {interval}, timeout: {timeout}}}}}",
        "services:",
    ]
    for index, url in enumerate(urls):
        health = f"{{url: '{url}', tls: {{ca: {ca_file}}}}}" if ca_file else f"'{url}'"
        lines.append(f"  s{index:05}: {{health: {health}}}")
    return "\n".join(lines) + "\n"


class Daemon:
    """The daemon: `python -m exporter run`."""

    def __init__(
        self,
        programs: Programs,
        config: Path,
        environment: str | None = None,
        cpus: Sequence[int] = (),
    ) -> None:
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        chosen = ["--environment", environment] if environment else []
        command = [PYTHON, "-m", "exporter", "run", "--config", str(config), "--listen", self.address]
        self.program: Program = programs.start("daemon", *command, *chosen, cpus=cpus)
        self.program.wait_for(f"http://{self.address}/-/healthy")

    @property
    def pid(self) -> int:
        return self.program.pid

    def scrape(self) -> Scrape:
        """Return its current metrics as sent: compressed and not parsed yet."""
        with httpx.stream("GET", f"http://{self.address}/metrics", headers=ACCEPT, timeout=30) as answer:
            answer.raise_for_status()
            return Scrape(b"".join(answer.iter_raw()))


@dataclass(frozen=True, slots=True)
class Scrape:
    """A response of the daemon's /metrics. Parsing takes time, so it is done when nothing is being measured."""

    packed: bytes

    def text(self) -> str:
        return zlib.decompress(self.packed, GZIP).decode()

    def counts(self) -> Counts:
        """Return the counters that a window is judged by."""
        results = {"success": 0, "failure": 0}
        own: dict[str, float] = {}
        for line in self.text().splitlines():
            if line.startswith("probe_results_total{"):
                results["success" if 'result="success"' in line else "failure"] += int(
                    line.rpartition(" ")[2]
                )
            elif line.startswith("exporter_"):
                name, _, value = line.rpartition(" ")
                own[name] = float(value)
        return Counts(results["success"], results["failure"], own)


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of the daemon. `own`: the samples of exporter_*, keyed by name and labels as written."""

    successes: int
    failures: int
    own: dict[str, float]

    def since(self, before: Counts) -> Counts:
        own = {name: value - before.own.get(name, 0.0) for name, value in self.own.items()}
        return Counts(self.successes - before.successes, self.failures - before.failures, own)

    @property
    def probes(self) -> int:
        return self.successes + self.failures

    def share_within(self, seconds: float) -> float:
        """Return the share of started probes that were at most `seconds` late; `seconds` is a bucket bound of the
        histogram."""
        started = self.own["exporter_probe_lateness_seconds_count"]
        if not started:
            raise BenchmarkError("no probe started while the daemon was measured")
        return self.own[f'exporter_probe_lateness_seconds_bucket{{le="{seconds}"}}'] / started

    def mean_lateness(self) -> float:
        """Return the mean lateness in seconds."""
        started = self.own["exporter_probe_lateness_seconds_count"]
        return self.own["exporter_probe_lateness_seconds_sum"] / started


BLACKBOX = """
modules:
  http_2xx:
    prober: http
    timeout: {timeout}
    http:
      preferred_ip_protocol: ip4
      tls_config:
        ca_file: {ca_file}
"""


class Blackbox:
    """A blackbox_exporter with one module, http_2xx."""

    def __init__(self, programs: Programs, timeout: str, ca_file: Path) -> None:
        binary = find("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        config = programs.write("blackbox.yml", BLACKBOX.format(timeout=timeout, ca_file=ca_file))
        self.program: Program = programs.start(
            "blackbox",
            binary,
            f"--config.file={config}",
            f"--web.listen-address={self.address}",
            # By default it reserves half of a one-second scrape, which would leave its probes less time than the
            # daemon's.
            "--timeout-offset=0.1",
        )
        self.program.wait_for(f"http://{self.address}/-/healthy")

    @property
    def pid(self) -> int:
        return self.program.pid


def example_config() -> Path:
    return ROOT / "config.example.yaml"
