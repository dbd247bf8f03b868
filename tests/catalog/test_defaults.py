"""Defaults are defined only in the models; the daemon's settings agree with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.keys.defaults import Defaults
from exporter.catalog.keys.exporter import Containers
from exporter.catalog.loading import load_plan
from exporter.catalog.planning.plan import ContainersPlan
from exporter.catalog.planning.specs import (
    DnsSpec,
    GrpcSpec,
    HttpSpec,
    IcmpSpec,
    ProbeSpec,
    SqliteSpec,
    TcpSpec,
    WebSocketSpec,
)
from exporter.catalog.reading.schema import model_schema
from tests.catalog.doors import spec

if TYPE_CHECKING:
    from tests.catalog.doors import Write

SPECS = {
    "http: {}": HttpSpec("http://web:80/"),
    "tcp: {}": TcpSpec("web", 80),
    "dns: {name: example.com}": DnsSpec("example.com"),
    "icmp: {}": IcmpSpec("web"),
    "grpc: {}": GrpcSpec("web", 80),
    "websocket: {}": WebSocketSpec("ws://web:80/"),
}


@pytest.mark.parametrize(("written", "made"), SPECS.items(), ids=SPECS)
def test_a_spec_defaults_to_what_its_model_does(write: Write, written: str, made: ProbeSpec) -> None:
    text = f"services:\n  web:\n    image: web\n    port: 80\n    probes: [{{name: p, {written}}}]\n"
    assert spec(write(text), "p") == made


def test_a_file_of_sqlite_is_checked_as_often_as_its_model_says(write: Write) -> None:
    text = """
        services:
          web: {image: web, volumes: /data:/data}
        stores:
          db: {engine: sqlite, service: web, path: /data/db}
        """
    assert spec(write(text), "sqlite") == SqliteSpec("/data/db")


def test_containers_are_watched_as_their_model_says() -> None:
    model, plan = Containers(), ContainersPlan()
    assert (plan.source, plan.interval, plan.strangers) == (model.source, model.interval, model.strangers)


def test_the_times_of_probes_have_one_default(write: Write) -> None:
    [target] = load_plan(write("services: {web: {image: web, port: 80}}")).targets
    default = Defaults().probe
    assert (target.interval, target.timeout) == (default.interval, default.timeout)


def test_the_schema_shows_defaults_as_a_person_writes_them() -> None:
    definitions = model_schema()["$defs"]
    shown = {
        "DefaultTimes.interval": "15s",
        "Alertmanager.repeat_interval": "4h",
        "Prometheus.retention": "15d",
        "HttpProbe.max_body": "10Mi",
        "HttpProbe.max_json": "256Ki",
        "Latency.for": "99%",
    }
    for place, text in shown.items():
        model, _, key = place.partition(".")
        assert definitions[model]["properties"][key]["default"] == text, place
