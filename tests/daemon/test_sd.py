"""Prometheus finds the services' own metrics at /sd and follows changes of the catalog."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.components import require
from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import services
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOG = """
project: shop
defaults: {metrics_interval: 20s}
services:
  web: {image: web, port: 8000, metrics: /metrics}
  api: {image: api, port: 8001, metrics: {path: "/m?module=all", port: 9100, scheme: https, interval: 1m30s}}
  worker: {image: worker}
  many: {image: many, port: 8002, metrics: /metrics, replicas: 3, address: "localhost:{port}"}
  lost: {image: many, port: 8003, metrics: /metrics, replicas: 3, address: "no-such-host.invalid:{port}"}
stores: {db: {engine: postgresql, auth: off}}
environments: {production: {}, development: {address: "localhost:{port}"}}
"""


def target(address: str, **labels: str) -> dict[str, Any]:
    built_in = {
        "environment": "production",
        "__scheme__": "http",
        "__metrics_path__": "/metrics",
        "__scrape_interval__": "20s",
        "__scrape_timeout__": "10s",
    }
    return {"targets": [address], "labels": built_in | labels}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    with running_daemon(tmp_path, CATALOG) as running:
        yield running


def test_every_service_with_metrics_is_offered_at_its_address(daemon: RunningDaemon) -> None:
    answer = daemon.http.get("/sd")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == [
        target("web:8000", service="web"),
        target(
            "api:9100",
            service="api",
            __scheme__="https",
            __metrics_path__="/m",
            __param_module="all",
            __scrape_interval__="90s",
        ),
        target("127.0.0.1:8002", service="many"),
        target("no-such-host.invalid:8003", service="lost"),
    ]


def test_targets_follow_a_reload_and_survive_a_bad_one(daemon: RunningDaemon) -> None:
    daemon.catalog.write_text(
        "project: shop\nservices: {new: {image: new, port: 1, metrics: {interval: 4s}}}\n"
    )
    assert daemon.http.post("/-/reload").status_code == 200
    expected = [
        target(
            "new:1",
            service="new",
            environment="default",
            __scrape_interval__="4s",
            __scrape_timeout__="4s",
        )
    ]
    assert daemon.http.get("/sd").json() == expected
    daemon.catalog.write_text("nonsense")
    assert daemon.http.post("/-/reload").status_code == 400
    assert daemon.http.get("/sd").json() == expected


def test_nothing_to_scrape_is_an_empty_list(daemon: RunningDaemon) -> None:
    daemon.catalog.write_text("project: shop\nservices: {web: {image: web, port: 1}}\n")
    daemon.http.post("/-/reload")
    assert daemon.http.get("/sd").json() == []


def test_prometheus_scrapes_what_is_offered_and_follows_a_reload(tmp_path: Path) -> None:
    """Use the generated job with a shorter interval of service discovery."""

    def catalog(*names: str) -> str:
        lines = [
            f"  {name}: {{image: x, port: {port}, metrics: {{path: /{name}, interval: 1s}}}}"
            for name in names
        ]
        return "\n".join(
            (
                "project: shop",
                "services:",
                *lines,
                'environments: {here: {address: "127.0.0.1:{port}"}}',
                "",
            )
        )

    with services() as server:
        port = server.port
        server.statuses.update({"/web": 200, "/api": 200})
        with running_daemon(tmp_path, catalog("web")) as running:
            prometheus = PrometheusServer(tmp_path, running.url)
            try:
                until(lambda: prometheus.scraped() == {"web"}, "the target that /sd offers", 30)
                until(lambda: any(path == "/web" for _, path in server.requests), "a scrape")
                running.catalog.write_text(catalog("api"))
                running.http.post("/-/reload").raise_for_status()
                until(lambda: prometheus.scraped() == {"api"}, "the target of the new catalog", 30)
            finally:
                prometheus.stop()


class PrometheusServer:
    """A real Prometheus whose only job uses /sd."""

    def __init__(self, folder: Path, daemon_url: str) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        config = folder / "prometheus.yml"
        config.write_text(
            "scrape_configs:\n  - job_name: services\n    http_sd_configs:\n"
            f"      - {{url: '{daemon_url}/sd', refresh_interval: 1s}}\n"
        )
        self._process = subprocess.Popen(
            [
                require("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ]
        )

    def scraped(self) -> set[str]:
        """Return the services that are active targets of Prometheus."""
        try:
            answer = httpx.get(f"{self._url}/api/v1/targets", timeout=5)
        except httpx.TransportError:
            return set()
        if answer.status_code != 200:
            return set()
        active = answer.json()["data"]["activeTargets"]
        assert all(target["scrapeInterval"] == "1s" for target in active)
        return {target["labels"]["service"] for target in active}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
