"""The daemon's web pages and API, as Prometheus, a load balancer and a person request them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.daemon.running import RunningDaemon, running_daemon
from tests.daemon.services import services
from tests.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    with services() as server:
        text = f"""
project: test
exporter: {{containers: off}}
defaults: {{probe: {{interval: 1s, timeout: 900ms}}}}
services:
  web: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/health"}}}}], depends_on: [cache]}}
  down: {{probes: [{{name: port, tcp: "127.0.0.1:{free_port()}"}}]}}
  unwatched: {{image: x}}
stores:
  cache: {{engine: redis, version: "7.4"}}
"""
        with running_daemon(tmp_path_factory.mktemp("web"), text) as running:
            running.wait_until_ready()
            yield running


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS),
        ("text/plain;version=0.0.4,application/openmetrics-text;q=0.1", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;version=9.9.9", TEXT),
        ("text/html;q=nonsense", TEXT),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(daemon: RunningDaemon, accept: str, expected: str) -> None:
    answer = daemon.http.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"] == expected
    assert answer.text.endswith("# EOF\n") is (expected == OPENMETRICS)


@pytest.mark.parametrize(
    ("accept_encoding", "zipped"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("", False),
    ],
)
def test_gzip_where_it_is_accepted(daemon: RunningDaemon, accept_encoding: str, zipped: bool) -> None:
    with daemon.http.stream("GET", "/metrics", headers={"accept-encoding": accept_encoding}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == ("gzip" if zipped else None)
    text = gzip.decompress(raw) if zipped else raw
    assert b'probe_success{service="web"' in text


def test_families_stand_together_with_help_and_type(daemon: RunningDaemon) -> None:
    seen: list[str] = []
    for line in daemon.metrics().splitlines():
        if line.startswith("# TYPE "):
            seen.append(line.split()[2])
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert name.startswith(seen[-1]), f"{name} comes after {seen[-1]}"
    assert len(seen) == len(set(seen))


def test_health_readiness_and_unknown_paths(daemon: RunningDaemon) -> None:
    assert daemon.http.get("/-/healthy").text == "healthy\n"
    assert daemon.http.get("/-/ready").text == "ready\n"
    assert daemon.http.get("/-/reload").status_code == 405
    assert daemon.http.get("/no/such/page").status_code == 404
    assert daemon.http.post("/metrics").status_code == 405


def test_services_as_json(daemon: RunningDaemon) -> None:
    answer = daemon.http.get("/api/v1/services").json()
    assert answer["summary"] == {"up": 1, "down": 2, "unknown": 0, "unwatched": 1}
    names = {service["name"]: service for service in answer["services"]}
    assert list(names) == ["web", "down", "unwatched", "cache"]
    assert names["web"]["depends_on"] == ["cache"]
    assert (names["down"]["state"], names["down"]["reason"]) == ("down", "connect")
    assert "Connection refused" in names["down"]["detail"]
    assert names["unwatched"]["probes"] == []
    assert names["cache"]["kind"] == "store"


def test_the_page_shows_them_and_runs_nothing_from_elsewhere(daemon: RunningDaemon) -> None:
    page = daemon.http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Connection refused" in page.text
