"""A real Prometheus for each program, with temporary storage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from benchmarks.programs import BenchmarkError, Program, Programs, find, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.exporters import Blackbox, Daemon


def scrape_daemon(daemon: Daemon, interval: str) -> str:
    """Return the configuration that scrapes all of a daemon's targets at once."""
    return json.dumps(
        {
            "scrape_configs": [
                {
                    "job_name": "probes",
                    "scrape_interval": interval,
                    "scrape_timeout": interval,
                    "honor_labels": True,
                    "static_configs": [{"targets": [daemon.address]}],
                }
            ]
        }
    )


def scrape_blackbox(blackbox: Blackbox, urls: Sequence[str], interval: str) -> str:
    """Return the usual configuration of blackbox_exporter: each target is a scrape with its address as a parameter."""
    return json.dumps(
        {
            "scrape_configs": [
                {
                    "job_name": "probes",
                    "scrape_interval": interval,
                    "scrape_timeout": interval,
                    "metrics_path": "/probe",
                    "params": {"module": ["http_2xx"]},
                    "static_configs": [{"targets": list(urls)}],
                    "relabel_configs": [
                        {"source_labels": ["__address__"], "target_label": "__param_target"},
                        {"source_labels": ["__param_target"], "target_label": "instance"},
                        {"target_label": "__address__", "replacement": blackbox.address},
                    ],
                }
            ]
        }
    )


class Prometheus:
    """A Prometheus server. `config` is JSON, which is valid YAML."""

    def __init__(self, programs: Programs, name: str, config: str) -> None:
        self._url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.program: Program = programs.start(
            name,
            find("prometheus", "prometheus"),
            f"--config.file={programs.write(f'{name}.yml', config)}",
            f"--storage.tsdb.path={programs.folder / name}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
            "--log.level=warn",
        )
        self.program.wait_for(f"{self._url}/-/ready")

    @property
    def pid(self) -> int:
        return self.program.pid

    def value(self, query: str, at: float) -> float:
        """Return the single value of an instant query."""
        parameters = {"query": query, "time": f"{at:.3f}"}
        answer = httpx.get(f"{self._url}/api/v1/query", params=parameters, timeout=60).raise_for_status()
        result = answer.json()["data"]["result"]
        if len(result) != 1:
            raise BenchmarkError(f"expected one series but got {len(result)}: {query}")
        return float(result[0]["value"][1])

    def interval_p99(self) -> float:
        """Return the 99th percentile of the seconds between two scrapes of a target, as this server itself counts
        them."""
        prefix = "prometheus_target_interval_length_seconds{"
        for line in httpx.get(f"{self._url}/metrics", timeout=60).raise_for_status().text.splitlines():
            if line.startswith(prefix) and 'quantile="0.99"' in line:
                return float(line.rpartition(" ")[2])
        raise BenchmarkError("Prometheus does not report the intervals between its scrapes")
