"""A real Prometheus scrapes the daemon and knows the health of every service, and why a probe failed."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.components import require
from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import SLOW_SECONDS, services
from tests.probes.certificates import Authority
from tests.prometheus_server import Prometheus, prometheus
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def scrape_config(folder: Path, daemon: RunningDaemon) -> Path:
    address = daemon.url.removeprefix("http://")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: exporter, static_configs: [{{targets: ['{address}']}}]}}]\n"
    )
    return config


def catalog(port: int, tls_port: int, expired_port: int, ca_file: Path) -> str:
    tls = f"{{ca: {ca_file}}}"
    return f"""
project: test
defaults: {{probe: {{interval: 1s, timeout: 900ms}}}}
services:
  healthy: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{port}/health"}}}}]}}
  slow: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{port}/slow"}}}}]}}
  failing: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{port}/fail"}}}}]}}
  redirecting: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{port}/redirect"}}}}]}}
  secure: {{probes: [{{name: page, http: {{url: "https://localhost:{tls_port}/health", tls: {tls}}}}}]}}
  expired: {{probes: [{{name: page, http: {{url: "https://localhost:{expired_port}/health", tls: {tls}}}}}]}}
  refused: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{free_port()}/"}}}}]}}
  unresolvable: {{probes: [{{name: page, http: {{url: "http://no-such-host.invalid/"}}}}]}}
"""


@pytest.fixture(scope="module")
def scraped(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Prometheus, RunningDaemon, Authority]]:
    folder = tmp_path_factory.mktemp("prometheus")
    authority = Authority(folder)
    good, old = authority.issue("localhost"), authority.issue("localhost", expired=True)
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(services())
        secure = stack.enter_context(services(good.server_context()))
        expired = stack.enter_context(services(old.server_context()))
        text = catalog(plain.port, secure.port, expired.port, authority.ca_file)
        daemon = stack.enter_context(running_daemon(folder, text))
        daemon.wait_until_ready()
        server = stack.enter_context(prometheus(scrape_config(folder, daemon), folder / "tsdb"))
        until(lambda: len(server.values("probe_success")) == 8, "all series")
        yield server, daemon, authority


Scraped = tuple[Prometheus, RunningDaemon, Authority]

UP = {"healthy", "slow", "redirecting", "secure"}
REASONS = {"failing": "status", "expired": "certificate", "refused": "connect", "unresolvable": "resolve"}


def test_every_service_is_up_or_down_as_it_is(scraped: Scraped) -> None:
    found = scraped[0].values("probe_success")
    assert found == {**dict.fromkeys(UP, 1.0), **dict.fromkeys(REASONS, 0.0)}


def test_what_failed_says_why(scraped: Scraped) -> None:
    for service, reason in REASONS.items():
        assert scraped[0].values(f'probe_failure_info{{service="{service}"}}', "reason") == {reason: 1.0}
    assert not set(scraped[0].values("probe_failure_info")) & UP


def test_phases_tell_where_the_time_went(scraped: Scraped) -> None:
    server = scraped[0]
    slow = server.values('probe_http_duration_seconds{service="slow"}', "phase")
    assert set(slow) == {"connect", "processing", "transfer"}
    assert slow["processing"] >= SLOW_SECONDS * 0.9 > slow["connect"]
    assert set(server.values('probe_http_duration_seconds{service="secure"}', "phase")) == {
        "resolve",
        "connect",
        "tls",
        "processing",
        "transfer",
    }
    assert set(server.values('probe_http_duration_seconds{service="unresolvable"}', "phase")) == {"resolve"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('probe_http_status_code{service="failing"}', {"failing": 503}),
        ('probe_http_status_code{service="redirecting"}', {"redirecting": 200}),
        ('probe_http_redirects{service="redirecting"}', {"redirecting": 1}),
        ('probe_http_ssl{service="secure"}', {"secure": 1}),
        ('probe_http_content_length{service="healthy"}', {"healthy": 5}),
        ('probe_http_status_code{service="refused"}', {}),
        ('probe_ssl_earliest_cert_expiry{service="healthy"}', {}),
    ],
)
def test_what_was_measured_and_nothing_else(scraped: Scraped, query: str, expected: dict[str, float]) -> None:
    assert scraped[0].values(query) == expected


def test_certificates_tell_their_end_also_when_it_is_past(scraped: Scraped) -> None:
    left = scraped[0].values("probe_ssl_earliest_cert_expiry - time()")
    assert set(left) == {"secure", "expired"}
    assert left["secure"] > 0 > left["expired"]


def test_counters_and_histograms_count_every_probe(scraped: Scraped) -> None:
    server = scraped[0]
    until(
        lambda: server.values('increase(probe_results_total{service="healthy",result="success"}[10s])'),
        "rate",
    )
    counted = server.values('probe_latency_seconds_count - probe_results_total{result="success"}')
    assert not counted  # the labels differ, so nothing must match by accident
    same = server.values(
        'probe_latency_seconds_count == ignoring(result) probe_results_total{result="success"}'
    )
    assert set(same) == UP | set(REASONS)
    quick = server.values('probe_latency_seconds_bucket{le="0.25"}')
    assert quick["slow"] == 0
    assert quick["healthy"] > 0


def test_scrapes_are_valid_in_both_formats(scraped: Scraped) -> None:
    daemon = scraped[1]
    lint = subprocess.run(
        [require("promtool"), "check", "metrics"], input=daemon.metrics(), text=True, capture_output=True
    )
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")
    answer = daemon.http.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["probe_results"].type == "counter"
    assert {sample.labels["service"] for sample in families["probe_success"].samples} == UP | set(REASONS)


def test_api_says_the_same_with_a_sentence(scraped: Scraped) -> None:
    daemon = scraped[1]
    failing = daemon.service("failing")
    assert (failing["state"], failing["reason"]) == ("down", "status")
    assert failing["detail"] == "status 503, expected 200-299"
    assert failing["since"] <= time.time()
    healthy = daemon.service("healthy")["probes"][0]
    assert healthy["state"] == "up"
    assert healthy["target"].endswith("/health")
    assert sum(healthy["phases"].values()) == pytest.approx(healthy["duration_seconds"], rel=0.2)
