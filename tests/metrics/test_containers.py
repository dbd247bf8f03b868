"""Container metrics: cAdvisor's names and labels, no values that were not read, both formats."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.containers.model import (
    Container,
    Device,
    Identity,
    Interface,
    Limits,
    Pressure,
    Reading,
    Status,
)
from exporter.metrics.container_families import CONTAINER_FAMILIES, Seen, container_labels
from exporter.metrics.exposition import blocks
from exporter.metrics.items import Items

AWKWARD = 'a "quoted" \\ back\nslash é {{ $'
IDENTITY = Identity(
    "ab" * 32,
    "web-1",
    "web:1.2",
    "sha256:cd",
    "/docker/" + "ab" * 32,
    "web",
    (("container_label_x", AWKWARD),),
)
RUNNING = Container(
    IDENTITY,
    Status("running", "healthy", restarts=2, started_at=1700000000.5, pid=7),
    Limits(memory=1 << 26, cpu_period=100000, cpu_quota=50000),
    oom_events=1,
)
READING = Reading(
    taken_at=1700000100.0,
    source="cgroup",
    cpu_seconds=1.5,
    memory_working_set=4096,
    memory_failcnt=3,
    page_faults=9,
    interfaces=(Interface("eth0", 1, 2, 3, 4, 5, 6, 7, 8),),
    devices=(Device("/dev/sda", 10, 20, None, 2),),
    pressures=(("cpu", Pressure(0.5, 0.25)),),
)


def samples(*seen: Seen) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return values by name and the labels in addition to those of the container."""
    items = Items(CONTAINER_FAMILIES)
    for one in seen:
        identity = one.container.identity
        items.set(identity.id, container_labels(identity), one)
    text = b"".join(blocks([], "text", [items])).decode()
    openmetrics = b"".join(blocks([], "openmetrics", [items])).decode() + "# EOF\n"
    found = {}
    for family in parse_text(text):
        for sample in family.samples:
            assert sample.labels["id"] == IDENTITY.cgroup
            assert sample.labels["container_label_x"] == AWKWARD
            own = ("id", "image", "name", "service", "container_label_x")
            extra = frozenset((k, v) for k, v in sample.labels.items() if k not in own)
            found[sample.name, extra] = sample.value
    again = [sample for family in parse_openmetrics(openmetrics) for sample in family.samples]
    # The text parser adds the suffix to every counter; OpenMetrics has no counter without it.
    assert {sample.name for sample in again} - {"container_memory_failcnt"} == {
        name for name, _ in found if name != "container_memory_failcnt_total"
    }
    return found


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_a_running_container() -> None:
    found = samples(Seen(RUNNING, READING, 1700000103))
    assert value(found, "container_cpu_usage_seconds_total", cpu="total") == 1.5
    assert value(found, "container_memory_working_set_bytes") == 4096
    assert value(found, "container_memory_failcnt_total") == 3
    assert value(found, "container_memory_failures_total", failure_type="pgfault", scope="container") == 9
    assert value(found, "container_network_transmit_packets_dropped_total", interface="eth0") == 8
    assert value(found, "container_fs_writes_bytes_total", device="/dev/sda") == 20
    assert value(found, "container_fs_writes_total", device="/dev/sda") == 2
    assert value(found, "container_pressure_cpu_stalled_seconds_total") == 0.25
    assert value(found, "container_spec_memory_limit_bytes") == 1 << 26
    assert value(found, "container_spec_cpu_quota") == 50000
    assert value(found, "container_start_time_seconds") == 1700000000.5
    assert value(found, "container_last_seen") == 1700000103
    assert value(found, "container_restarts_total") == 2
    assert value(found, "container_oom_events_total") == 1
    assert value(found, "container_image_info", image_digest="sha256:cd") == 1
    states = {labels: n for (name, labels), n in found.items() if name == "container_state"}
    assert states.pop(frozenset({("state", "running")})) == 1
    assert set(states.values()) == {0}
    assert value(found, "container_health_status", status="healthy") == 1
    assert value(found, "container_health_status", status="starting") == 0


def test_what_was_not_read_is_absent() -> None:
    names = {name for name, _ in samples(Seen(RUNNING, READING))}
    assert "container_memory_rss" not in names
    assert "container_fs_reads_total" not in names
    assert "container_exit_code" not in names
    assert "container_pressure_io_waiting_seconds_total" not in names


def test_a_stopped_container_keeps_its_state_and_has_no_readings() -> None:
    ended = replace(
        RUNNING,
        status=Status("exited", exit_code=137, oom_killed=True, finished_at=1700000200.0, started_at=1.0),
    )
    found = samples(Seen(ended, None))
    assert value(found, "container_exit_code") == 137
    assert value(found, "container_oom_killed") == 1
    assert value(found, "container_state", state="exited") == 1
    assert value(found, "container_finish_time_seconds") == 1700000200
    names = {name for name, _ in found}
    assert not names & {
        "container_last_seen",
        "container_start_time_seconds",
        "container_cpu_usage_seconds_total",
        "container_processes",
    }


def test_a_stranger_has_no_service() -> None:
    labels = container_labels(replace(IDENTITY, service=None))
    assert "service=" not in labels
    assert 'name="web-1"' in labels


def test_a_container_that_is_gone_leaves_nothing() -> None:
    items = Items(CONTAINER_FAMILIES)
    items.set("x", container_labels(IDENTITY), Seen(RUNNING, READING))
    items.discard("x")
    assert list(blocks([], "text", [items])) == []


def test_the_table_names_each_family_once() -> None:
    names = [family.name for family in CONTAINER_FAMILIES]
    assert len(names) == len(set(names))
