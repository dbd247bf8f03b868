"""Every query of every dashboard, run by a real Prometheus that holds all series it may need."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from exporter.metrics.container_families import CONTAINER_FAMILIES
from exporter.metrics.own_families import OWN_FAMILIES
from exporter.metrics.service_families import REPLICA_FAMILIES, SERVICE_FAMILIES
from exporter.metrics.storage_families import (
    BACKUP_FAMILIES,
    DEPLOY_FAMILIES,
    DOCKER_FAMILIES,
    LOG_FAMILIES,
    VOLUME_FAMILIES,
)
from exporter.probes.protocols import PROBE_FAMILIES
from tests.outputs.grafana import Json, boards, expressions, interpolated, variables
from tests.outputs.test_dashboards import EXAMPLE, NASTY, NASTY_METRIC, ONE_SERVICE, filled
from tests.prometheus_server import Prometheus, prometheus_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.metrics.family import ItemFamily
    from exporter.probes.families import Family

NOW = 1_700_000_000
STEP, SAMPLES = 30, 60
"""Half an hour of samples before `NOW`."""

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
OWN = {
    f"{family.name}{suffix}"
    for family in OWN_FAMILIES
    for suffix in (SUFFIXES | {"counter": ("_total",)}).get(family.kind, ("",))
}
PROBES = {
    f"{family.name}{suffix}" for family in PROBE_FAMILIES for suffix in SUFFIXES.get(family.kind, ("",))
}
OF_SERVICES: tuple[ItemFamily[Any], ...] = (
    *LOG_FAMILIES,
    *BACKUP_FAMILIES,
    *SERVICE_FAMILIES,
    *REPLICA_FAMILIES,
)
ITEMS: tuple[ItemFamily[Any], ...] = (
    *CONTAINER_FAMILIES,
    *DOCKER_FAMILIES,
    *VOLUME_FAMILIES,
    *DEPLOY_FAMILIES,
    *OF_SERVICES,
)
LOOKED_AT = {family.name for family in ITEMS}
PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
}
"""Metrics of prometheus-client, in addition to the exporter's own."""

RECORDED = {
    "service:http_request_errors:ratio_rate5m",
    "service:http_request_duration_seconds:p95_5m",
    *(f"slo:sli_error:ratio_rate{window}" for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d")),
    "slo:objective:ratio",
    "slo:error_budget:ratio",
    "slo:time_period:days",
    "slo:current_burn_rate:ratio",
    "slo:period_burn_rate:ratio",
    "slo:period_error_budget_remaining:ratio",
}
"""Metrics recorded by the generated rules."""

PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"}
AROUND = {
    "prometheus_rule_evaluation_failures_total",
    "alertmanager_notifications_total",
    "alertmanager_notifications_failed_total",
}
"""Metrics of Prometheus and Alertmanager themselves, in the jobs prometheus and alertmanager."""

SERVICES = {"http_requests_total", "http_request_duration_seconds_bucket"}
"""Metrics of the example's services."""

KNOWN = OWN | PROBES | LOOKED_AT | PROCESS | RECORDED | PROMETHEUS | AROUND | SERVICES

WORDS = {"and", "or", "unless", "on", "ignoring", "group_left", "group_right", "by", "without", "bool", "NaN"}

VALUES = {
    "service": "api-gateway",
    "probe": "health",
    "slo": "availability",
    "depends": "layout-backend|redis",
}
VALUES |= dict.fromkeys(("error_limit", "latency_limit", "slow_limit", "memory_limit"), "0.5")
EXTRA = {
    "state": "running",
    "status": "healthy",
    "cpu": "total",
    "interface": "eth0",
    "device": "/dev/vda",
    "failure_type": "pgfault",
    "scope": "container",
    "image_digest": "sha256:1",
    "pattern": "error",
    "source": "cgroup",
    "version": "7.4",
    "product": "redis",
    "role": "primary",
    "cause": "memory",
    "policy": "noeviction",
    "reason": "port",
    "reading": "cgroup",
    "endpoint": "containers",
    "part": "scrape",
    "replica": "1",
}
"""A value for each additional label of the families of stores, containers and storage."""
VALUES |= {"project": "", "environment": ""}
"""The values in Grafana for a Prometheus that is queried directly: without its external labels."""
GRAFANAS = {"__rate_interval": "5m", "__range": "25m", "datasource": "prometheus"}


def metrics_of(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", bare)
    names = re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\()", bare)
    return {name for name in names if name not in WORDS}


def labels_of(family: Family | ItemFamily[Any], thing: str) -> str:
    """Return the labels of a series of this family: those of the item and the family's own."""
    return ",".join((thing, *(f'{name}="{EXTRA[name]}"' for name in family.labels)))


def series() -> Iterator[tuple[str, str, float, float]]:
    """Return name, labels, first value and growth per step of everything in `KNOWN`, for one service and its store."""
    probe = 'service="{}",probe="health",target="t"'
    for service in ("api-gateway", "layout-backend", "redis", "postgres"):
        who = f'service="{service}"'
        yield "probe_success", probe.format(service), 1, 0
        yield "probe_duration_seconds", probe.format(service), 0.2, 0
        yield "probe_ssl_earliest_cert_expiry", probe.format(service), NOW + 86400, 0
        yield "probe_ssl_last_chain_expiry_timestamp_seconds", probe.format(service), NOW + 86400, 0
        yield "probe_failure_info", f'{probe.format(service)},reason="status"', 1, 0
        yield "probe_results_total", f'{probe.format(service)},result="success"', 0, 2
        for phase in ("resolve", "connect", "processing"):
            for protocol in ("http", "dns", "icmp"):
                yield (
                    f"probe_{protocol}_duration_seconds",
                    f'{probe.format(service)},phase="{phase}"',
                    0.1,
                    0,
                )
        for le in ("0.1", "+Inf"):
            yield "probe_latency_seconds_bucket", f'{probe.format(service)},le="{le}"', 0, 2
            yield "http_request_duration_seconds_bucket", f'job="services",{who},le="{le}"', 0, 2
        yield "http_requests_total", f'job="services",{who},status="200"', 0, 9
        for name in sorted(name for name in RECORDED if name.startswith("service:")):
            yield name, who, 0.1, 0
        for slo in ("availability", "latency"):
            for name in sorted(name for name in RECORDED if name.startswith("slo:")):
                yield name, f'{who},slo="{slo}"', 0.1, 0
        owner = 'alertstate="firing",alertname="ServiceDown",owner="platform",severity="critical"'
        yield "ALERTS", f"{who},{owner}", 1, 0
        for replica in ("1", "2"):
            container = f'{who},name="{service}-{replica}",id="{replica}"'
            for family in CONTAINER_FAMILIES:
                runs = float(family.name != "container_state" or replica == "1")
                yield family.name, labels_of(family, container), runs, float(family.kind == "counter")
        for item in OF_SERVICES:
            yield item.name, labels_of(item, who), 1, float(item.kind == "counter")
        for store in PROBE_FAMILIES:
            if store.name.startswith("store_"):
                yield store.name, labels_of(store, probe.format(service)), 1, 0
    for name in sorted(OWN | PROCESS):
        for le in ('le="0.1"', 'le="+Inf"') if name.endswith("_bucket") else ('version="1"',):
            yield name, f'job="exporter",{le}', 1, 1
    for docker in DOCKER_FAMILIES:
        yield docker.name, labels_of(docker, 'job="exporter"'), 1, 0
    for job in ("exporter", "prometheus"):
        for name in ("up", "scrape_duration_seconds", "scrape_samples_scraped"):
            yield name, f'job="{job}",instance="i"', 1, 0
    yield "ALERTS", 'alertstate="firing",alertname="ExporterDown",severity="critical"', 1, 0
    for name in sorted(AROUND):
        yield name, 'integration="webhook"', 1, 1
    for volume in VOLUME_FAMILIES:
        yield volume.name, 'volume="data"', 1, 0
    yield "exporter_deploy_timestamp_seconds", 'version="1.2"', NOW - 600, 0


def openmetrics() -> str:
    lines = []
    for name in sorted({name for name, *_ in series()}):
        for found, labels, value, growth in series():
            if found == name:
                lines += [
                    f"{name}{{{labels}}} {value + growth * i} {NOW - STEP * (SAMPLES - i)}"
                    for i in range(SAMPLES + 1)
                ]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus_on(tmp_path_factory.mktemp("prometheus"), openmetrics()) as running:
        yield running


def marks(board: Json) -> Iterator[tuple[str, str]]:
    """Return annotations and their queries."""
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], annotation["expr"]


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nasty") / "config.yaml"
    path.write_text(filled(NASTY), encoding="utf-8")
    return path


def test_every_query_returns_data_when_all_series_exist(server: Prometheus) -> None:
    """Check that no query is wrong, matches many-to-many, or joins on labels that do not match."""
    wrong = []
    for name, board in boards(EXAMPLE).items():
        for title, expression in (*expressions(board), *marks(board)):
            asked = interpolated(expression, VALUES | GRAFANAS)
            answer = server.ask(asked, NOW)
            rows = answer.get("data", {}).get("result", [])
            if not rows or any(math.isinf(float(row["value"][1])) for row in rows):
                wrong.append(f"{name}, {title}: {asked}: {answer.get('error', rows)}")
    assert not wrong, "\n".join(wrong)


def test_variables_find_their_values(server: Prometheus) -> None:
    for board in boards(EXAMPLE).values():
        for variable in variables(board).values():
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
            if asked:
                rows = server.ask(f"count by ({asked[2]}) ({interpolated(asked[1], VALUES)})", NOW)
                if variable["name"] in ("project", "environment"):
                    assert not any(asked[2] in row["metric"] for row in rows["data"]["result"])
                    continue
                assert VALUES[variable["name"]] in {
                    row["metric"].get(asked[2], "") for row in rows["data"]["result"]
                }


def test_every_metric_is_one_that_somebody_exports() -> None:
    for name, board in boards(EXAMPLE).items():
        for title, expression in (*expressions(board), *marks(board)):
            unknown = metrics_of(expression) - KNOWN
            assert not unknown, f"{name}, {title}: {expression}"


def test_metrics_are_found_in_expressions() -> None:
    found = metrics_of(
        'sum by (le) (rate(a_bucket{x="y_total"}[5m])) / on (b) (c:d > 0) and e or vector(NaN) - time()'
    )
    assert found == {"a_bucket", "c:d", "e"}


def test_a_central_prometheus_shows_one_environment_of_one_project(tmp_path: Path) -> None:
    samples = "".join(
        f'{name}{{project="{project}",environment="{environment}",service="{project}-{environment}"}} 1 {NOW}\n'
        for name in ("probe_success", "up")
        for project in ("pageforge", "other")
        for environment in ("production", "staging")
    )
    board = boards(EXAMPLE)["overview"]
    chosen = {"project": "pageforge", "environment": "staging"}
    [query] = [query for title, query in expressions(board) if title == "State of each service"]
    with prometheus_on(tmp_path, f"{samples}# EOF\n") as running:

        def values(name: str) -> set[str]:
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variables(board)[name]["query"])
            assert asked
            rows = running.ask(f"count by ({asked[2]}) ({interpolated(asked[1], chosen)})", NOW)
            return {row["metric"][name] for row in rows["data"]["result"]}

        assert values("project") == {"pageforge"}
        assert values("environment") == {"production", "staging"}
        rows = running.ask(interpolated(query, chosen), NOW)["data"]["result"]
        assert [row["metric"]["service"] for row in rows] == ["pageforge-staging"]


@pytest.mark.parametrize("catalog", ["one service", "nasty"])
def test_queries_parse_whatever_a_catalog_says(
    server: Prometheus, catalog: str, nasty: Path, tmp_path: Path
) -> None:
    path = nasty
    if catalog == "one service":
        path = tmp_path / "config.yaml"
        path.write_text(ONE_SERVICE)
    for board in boards(path).values():
        for _, expression in (*expressions(board), *marks(board)):
            answer = server.ask(interpolated(expression, VALUES | GRAFANAS), NOW)
            assert answer["status"] == "success", answer


def test_a_strange_metric_name_is_asked_for_as_written(server: Prometheus, nasty: Path) -> None:
    queries = [
        query for title, query in expressions(boards(nasty)["service"]) if title == "Request rate by status"
    ]
    assert len(queries) == 2
    assert interpolated(queries[0], {"service": "first"}).count("first") == 1  # the name's $service is kept
    name = re.search(r'__name__=("(?:[^"\\]|\\.)*")', queries[0])
    assert name
    # An absent series has the requested labels.
    answer = server.ask(f"absent({{name={interpolated(name[1], VALUES)}}})")
    assert answer["data"]["result"][0]["metric"]["name"] == NASTY_METRIC


def followed(server: Prometheus, board: Json, variable: str, service: str) -> str:
    """Return the value that Grafana gives a hidden variable when `service` is selected."""
    found = variables(board)[variable]
    query = interpolated(found["query"].removeprefix("query_result(").removesuffix(")"), {"service": service})
    [row] = server.ask(query, NOW)["data"]["result"]
    text = "{" + ",".join(f'{key}="{value}"' for key, value in row["metric"].items()) + "}"
    match = re.search(found["regex"].strip("/"), text)
    assert match, text
    return match[1]


@pytest.mark.parametrize(
    ("service", "depends", "error_limit", "slow_limit"),
    [
        ("api-gateway", "sys-version-processor|form-version-processor|layout-backend", "0.02", "1"),
        ("layout-backend", "postgres|redis", "0.05", "1"),
        ("identity-provider", "-", "0.05", "NaN"),
        ("postgres", "-", "0.05", "1"),
        ("unheard-of", "-", "0.05", "1"),
    ],
)
def test_a_service_page_follows_the_catalog(
    server: Prometheus, service: str, depends: str, error_limit: str, slow_limit: str
) -> None:
    """Check that dependencies and limits are those of the selected service; a disabled limit is absent."""
    board = boards(EXAMPLE)["service"]
    assert followed(server, board, "depends", service) == depends
    assert followed(server, board, "error_limit", service) == error_limit
    assert followed(server, board, "slow_limit", service) == slow_limit


def test_what_a_service_needs_is_shown_and_nothing_else(server: Prometheus) -> None:
    board = boards(EXAMPLE)["service"]
    [query] = [query for title, query in expressions(board) if title == "State of dependencies"]
    for depends, expected in (("layout-backend|redis", {"layout-backend", "redis"}), ("-", set())):
        rows = server.ask(interpolated(query, VALUES | {"depends": depends}), NOW)["data"]["result"]
        assert {row["metric"]["service"] for row in rows} == expected


def test_unlimited_containers_have_no_share_of_a_limit(tmp_path: Path) -> None:
    samples = "".join(
        f'{metric}{{service="api-gateway",name="{name}"}} {value} {NOW}\n'
        for metric, by_name in (
            ("container_memory_working_set_bytes", {"limited": 50, "unlimited": 50}),
            ("container_spec_memory_limit_bytes", {"limited": 100, "unlimited": 0}),
        )
        for name, value in by_name.items()
    )
    shares = [
        query
        for board in ("service", "containers")
        for title, query in expressions(boards(EXAMPLE)[board])
        if title == "Memory against limit" and "vector" not in query
    ]
    with prometheus_on(tmp_path, f"{samples}# EOF\n") as running:
        for query in shares:
            rows = running.ask(interpolated(query, VALUES | GRAFANAS), NOW)["data"]["result"]
            assert {row["metric"]["name"]: row["value"][1] for row in rows} == {"limited": "0.5"}
    assert len(shares) == 2
