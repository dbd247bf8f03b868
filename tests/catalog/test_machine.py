"""Settings from the daemon's own environment override the catalog: a container sees the host under other addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_plan
from tests.catalog.doors import mistakes

if TYPE_CHECKING:
    from tests.catalog.doors import Write

LAPTOP = """
services:
  web: {image: web, port: 80, host_port: 8080, health: /up, metrics: /metrics}
  elsewhere: {image: web, port: 80, host_port: 8081, address: "10.0.0.1:{port}"}
  theirs: {port: 83}
  sized: {image: web, port: 84, probes: [{name: other, http: {path: /, port: 9000}}]}
stores: {db: {engine: postgresql, host_port: 15432}}
environments: {dev: {address: "localhost:{port}"}}
"""


def test_deployed_services_are_found_where_the_environment_says(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(LAPTOP)
    assert [target.target for target in load_plan(path).targets] == [
        "http://localhost:8080/up",
        "10.0.0.1:8081",
        "localhost:83",
        "http://localhost:9000/",
        "localhost:15432",
    ]
    monkeypatch.setenv("EXPORTER_ADDRESS", "{service}:{port}")
    plan = load_plan(path)
    assert [target.target for target in plan.targets] == [
        "http://web:80/up",
        "10.0.0.1:8081",
        "localhost:83",
        "http://sized:9000/",
        "db:5432",
    ]
    assert plan.services[0].metrics_target == "web:80"


def test_an_address_that_is_none_is_a_mistake(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ADDRESS", "{host}:{port}")
    [line] = mistakes(write("services: {web: {image: web, port: 80}}\n"))
    assert "the environment variable EXPORTER_ADDRESS: " in line


@pytest.mark.parametrize(
    "written", ["", "exporter: {containers: {docker: unix:///d, cgroup: /c, proc: /p}}\n"]
)
def test_places_of_the_host(written: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(f"{written}services: {{web: {{image: web, port: 80}}}}\n")
    plan = load_plan(path).containers
    assert (plan.docker, plan.cgroup, plan.proc) == (
        ("unix:///d", "/c", "/p") if written else (None, None, None)
    )
    monkeypatch.setenv("EXPORTER_DOCKER", "tcp://docker-proxy:2375")
    monkeypatch.setenv("EXPORTER_CGROUP", "/host/cgroup")
    monkeypatch.setenv("EXPORTER_PROC", "/host/proc")
    plan = load_plan(path).containers
    assert (plan.docker, plan.cgroup, plan.proc) == ("tcp://docker-proxy:2375", "/host/cgroup", "/host/proc")
