"""Every known trap of alert rules as a test: from the docs of PageForge's hand-written rules, and common ones.

Each gives promtool a situation and says what our rule does, and what the naive one would do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.outputs.promtool import alerts, catalog_of, firing, hold, written

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = """
    defaults: {slo: {availability: 99%, latency: {under: 1s, for: 90%}}}
    services:
      web: {image: x, port: 80, metrics: true, volumes: "data:/data"}
      page: {image: x, port: 81}
      own: {image: x, port: 82, metrics: {requests: r_total}}
    stores: {db: {engine: redis, backup: true}}
    volumes: {data: {}}
    """
WARNING = {"severity": "warning"}
CRITICAL = {"severity": "critical"}
CONTAINER = 'service="web",name="web-1",id="1"'
REPLICA = 'service="web",replica="1"'
REPLICA_LABELS = {"service": "web", "replica": "1"}
LABELS = {"service": "web", "name": "web-1", "id": "1"}
REQUESTS = 'http_requests_total{job="services",service="web",status="%s"}'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return written(tmp_path, catalog_of(tmp_path, CATALOG))


def test_memory_without_a_limit_does_not_fire(rules: Path) -> None:
    use, limit = "container_memory_working_set_bytes", "container_spec_memory_limit_bytes"
    series = {f"{use}{{{CONTAINER}}}": "900x30", f"{limit}{{{CONTAINER}}}": "0x30"}
    naive = f"{use} / {limit} > 0.8"
    hold(rules, series, [("20m", alerts("HighMemoryUsage"), []), ("20m", naive, [f"{{{CONTAINER}}}"])])


def test_page_cache_is_not_memory_in_use(rules: Path) -> None:
    usage, limit = "container_memory_usage_bytes", "container_spec_memory_limit_bytes"
    series = {
        f"{usage}{{{CONTAINER}}}": "950x30",
        f"container_memory_working_set_bytes{{{CONTAINER}}}": "300x30",
        f"{limit}{{{CONTAINER}}}": "1000x30",
    }
    naive = f"{usage} / {limit} > 0.8"
    hold(rules, series, [("20m", alerts("HighMemoryUsage"), []), ("20m", naive, [f"{{{CONTAINER}}}"])])


def test_errors_are_a_share_of_requests_and_not_a_number(rules: Path) -> None:
    """Check that 1 error a second among 1,000 requests does not fire; the hand-written rule fired at 0.1 a second."""
    series = {REQUESTS % 200: "0+60000x30", REQUESTS % 500: "0+60x30"}
    naive = 'rate(http_requests_total{status=~"5.."}[5m]) > 0.1'
    instance = '{job="services",service="web",status="500"}'
    hold(rules, series, [("20m", alerts("HighErrorRate"), []), ("20m", naive, [instance])])


def test_one_failed_request_at_night_does_not_wake_anyone(rules: Path) -> None:
    series = {REQUESTS % 200: "0+1x30", REQUESTS % 500: "0+1x30"}
    naive = "service:http_request_errors:ratio_rate5m > 0.05"
    hold(rules, series, [("20m", alerts("HighErrorRate"), []), ("20m", naive, ['{service="web"}'])])


def test_errors_of_one_replica_are_those_of_the_service(rules: Path) -> None:
    """Let half of the requests fail, spread so that each replica stays below any absolute minimum."""
    series = {
        f'http_requests_total{{job="services",service="web",instance="{i}",status="{status}"}}': "0+2x30"
        for i in range(6)
        for status in (200, 500)
    }
    hold(
        rules, series, [("20m", alerts("HighErrorRate"), [firing("HighErrorRate", service="web", **WARNING)])]
    )


def test_a_scrape_that_fails_is_not_a_service_that_is_down(rules: Path) -> None:
    series = {
        'up{job="services",service="web",instance="i"}': "0x30",
        'probe_success{service="web",probe="p",target="t"}': "1x30",
    }
    down = firing("ScrapeTargetDown", job="services", service="web", instance="i", **WARNING)
    mine = 'ALERTS{alertname="ScrapeTargetDown",alertstate="firing",service="web"}'
    hold(rules, series, [("20m", alerts("ServiceDown"), []), ("20m", mine, [down])])


def test_a_service_that_is_down_shows_though_its_scrape_works(rules: Path) -> None:
    series = {
        'up{job="services",service="web",instance="i"}': "1x30",
        'probe_success{service="web",probe="p",target="t"}': "0x30",
    }
    checks = [
        ("20m", alerts("ServiceDown"), [firing("ServiceDown", service="web", **CRITICAL)]),
        ("20m", "up == 0", []),
    ]
    hold(rules, series, checks)


def test_a_service_that_vanishes_raises_an_alert(rules: Path) -> None:
    series = {
        'up{job="exporter"}': "1x40",
        **{
            f'probe_success{{service="{name}",probe="p",target="t"}}': "1x40"
            for name in ("page", "own", "db")
        },
        'probe_success{service="web",probe="p",target="t"}': "1x10 _x30",
    }
    checks = [
        ("10m", alerts("ServiceAbsent"), []),
        ("30m", alerts("ServiceAbsent"), [firing("ServiceAbsent", service="web", **WARNING)]),
        ("30m", 'probe_success{service="web"} == 0', []),
    ]
    hold(rules, series, checks)


@pytest.mark.parametrize("up", ["0x30", "_x30"], ids=["down", "without a target"])
def test_an_exporter_that_is_down_raises_one_alert_and_not_one_for_each_service(rules: Path, up: str) -> None:
    series = {'up{job="exporter"}': up}
    down = firing("ExporterDown", job="exporter", service="exporter", **CRITICAL)
    checks = [
        ("20m", alerts("ServiceAbsent"), []),
        ("20m", alerts("BackupMissing"), []),
        ("20m", alerts("ExporterDown"), [down]),
        ("20m", 'absent(probe_success{service="web"})', ['{service="web"}']),
    ]
    hold(rules, series, checks)


def test_a_metrics_target_that_vanishes_raises_an_alert(rules: Path) -> None:
    series = {'up{job="services",service="own",instance="i"}': "1x30"}
    down = firing("ScrapeTargetDown", job="services", service="web", **WARNING)
    hold(rules, series, [("20m", alerts("ScrapeTargetDown"), [down]), ("20m", "up == 0", [])])


def test_no_traffic_gives_no_value_and_never_nan(rules: Path) -> None:
    bucket = 'http_request_duration_seconds_bucket{job="services",service="web",le="%s"}'
    series = {
        REQUESTS % 200: "5x90",
        REQUESTS % 500: "1x90",
        bucket % "1": "5x90",
        bucket % "+Inf": "6x90",
        'http_request_duration_seconds_count{job="services",service="web"}': "6x90",
        'probe_results_total{service="page",result="failure"}': "1x90",
        'probe_results_total{service="page",result="success"}': "1x90",
    }
    nothing = [
        "service:http_request_errors:ratio_rate5m",
        "service:http_request_duration_seconds:p95_5m",
        '{__name__=~"slo:sli_error:ratio_rate.*"}',
        "slo:current_burn_rate:ratio",
    ]
    naive = 'histogram_quantile(0.95, sum by (service, le) (rate({__name__=~".+_bucket"}[5m])))'
    checks: list[tuple[str, str, list[str]]] = [("80m", expr, []) for expr in nothing]
    hold(rules, series, [*checks, ("80m", naive, ['{service="web"}'])])


def test_a_service_without_an_error_has_an_error_ratio_of_0(rules: Path) -> None:
    """Start without the counter of errors, which does not exist before the first error; an empty numerator would lose
    the ratio."""
    series = {REQUESTS % 200: "0+60x30"}
    rate = "sum by (service) (rate(http_requests_total%s[5m]))"
    failed, every = rate % '{status=~"5.."}', rate % ""
    naive = f"{failed} / {every}"
    checks = [
        ("20m", "service:http_request_errors:ratio_rate5m == 0", ['{service="web"}']),
        (
            "20m",
            'slo:current_burn_rate:ratio{slo="availability"} == 0',
            ['{service="web",slo="availability"}'],
        ),
        ("20m", naive, []),
    ]
    hold(rules, series, checks)


def test_or_drops_no_service(rules: Path) -> None:
    """Check that services counted under other names and by probes share a rule and keep their series."""
    series = {
        REQUESTS % 200: "0+60x30",
        'r_total{job="services",service="own",status="500"}': "0+60x30",
        'probe_results_total{service="page",result="failure"}': "0+4x30",
        'probe_results_total{service="db",result="success"}': "0+4x30",
    }
    every = [f'{{service="{name}",slo="availability"}}' for name in ("web", "own", "page", "db")]
    requests = [f'{{service="{name}"}}' for name in ("web", "own")]
    checks = [
        ("20m", "slo:sli_error:ratio_rate5m", every[:2] + every[2:3]),
        ("20m", "service:http_requests:rate5m", requests),
    ]
    series['probe_results_total{service="db",result="failure"}'] = "0x30"
    checks[0] = ("20m", "slo:sli_error:ratio_rate5m", every)
    hold(rules, series, checks)


def test_a_restart_long_ago_does_not_alert_for_ever(rules: Path) -> None:
    series = {
        f"service_container_restarts_total{{{REPLICA}}}": "0x5 2 4 6 6x50",
        f"service_container_oom_kills_total{{{REPLICA}}}": "0x5 1x55",
    }
    checks = [
        ("10m", alerts("ContainerRestarting"), [firing("ContainerRestarting", **REPLICA_LABELS, **WARNING)]),
        ("10m", alerts("ContainerOomKilled"), [firing("ContainerOomKilled", **REPLICA_LABELS, **CRITICAL)]),
        ("50m", alerts("ContainerRestarting"), []),
        ("50m", alerts("ContainerOomKilled"), []),
        ("50m", "service_container_restarts_total > 3", [f"{{{REPLICA}}}"]),
    ]
    hold(rules, series, checks)


def test_as_many_restarts_as_are_allowed_do_not_fire(rules: Path) -> None:
    """Use three restarts, which increase() extrapolates to slightly more than three."""
    series = {f"service_container_restarts_total{{{REPLICA}}}": "0x9 1 2 3 3x40"}
    naive = "increase(service_container_restarts_total[15m]) > 3"
    hold(
        rules,
        series,
        [("20m30s", alerts("ContainerRestarting"), []), ("20m30s", naive, [f"{{{REPLICA}}}"])],
    )


def test_rules_need_no_label_that_plain_docker_lacks(rules: Path) -> None:
    for file in rules.glob("*.yml"):
        selectors = re.findall(r"\w+\{[^{}]*\}", file.read_text(encoding="utf-8"))
        assert not [text for text in selectors if re.search(r"\b(pod|namespace|container|image)[=!]", text)]


def test_a_backup_whose_series_vanished_is_missing_when_the_next_one_was_due(rules: Path) -> None:
    series = {
        'up{job="exporter"}': "1x2000",
        'backup_last_success_timestamp_seconds{service="db"}': "-400000x20 _x1980",
    }
    checks = [
        ("19m", alerts("BackupMissing"), []),
        ("24h", alerts("BackupMissing"), []),
        ("26h", alerts("BackupMissing"), [firing("BackupMissing", service="db", **CRITICAL)]),
        ("26h", "time() - backup_last_success_timestamp_seconds > 172800", []),
    ]
    hold(rules, series, checks)


@pytest.mark.parametrize(
    "alert",
    ["ServiceDown", "ServiceSlow", "HighErrorRate", "HighMemoryUsage", "ContainerExited", "DiskFilling"],
)
def test_a_moment_of_trouble_does_not_alert(rules: Path, alert: str) -> None:
    series = {
        'probe_success{service="web",probe="p",target="t"}': "1x9 0 1x30",
        'probe_duration_seconds{service="web",probe="p",target="t"}': "0.1x9 30 0.1x30",
        REQUESTS % 200: "0+600x40",
        REQUESTS % 500: "0x9 60x30",
        f"container_memory_working_set_bytes{{{CONTAINER}}}": "10x9 99 10x30",
        f"container_spec_memory_limit_bytes{{{CONTAINER}}}": "100x40",
        f"container_exit_code{{{CONTAINER}}}": "0x9 1 0x30",
        f'container_state{{{CONTAINER},state="exited"}}': "0x9 1 0x30",
        'volume_filesystem_avail_bytes{volume="data"}': "90x9 1 90x30",
        'volume_filesystem_size_bytes{volume="data"}': "100x40",
    }
    hold(rules, series, [(f"{minute}m", alerts(alert), []) for minute in range(8, 30)])


def test_alerts_keep_the_labels_that_their_words_print(rules: Path) -> None:
    """Check that each label printed by an annotation is a label of the alert, because aggregation drops labels."""
    series = {
        f'container_health_status{{{CONTAINER},status="unhealthy"}}': "1x20",
        'probe_success{service="web",probe="p",target="t"}': "1x20",
        'probe_duration_seconds{service="web",probe="p",target="t"}': "9x20",
    }
    unhealthy = firing("ContainerUnhealthy", **LABELS, status="unhealthy", **WARNING)
    slow = firing("ServiceSlow", service="web", probe="p", target="t", **WARNING)
    hold(
        rules,
        series,
        [("15m", alerts("ContainerUnhealthy"), [unhealthy]), ("15m", alerts("ServiceSlow"), [slow])],
    )


def test_a_changing_reason_does_not_begin_the_alert_anew(rules: Path) -> None:
    info = 'probe_failure_info{service="web",probe="p",target="t",reason="%s"}'
    series = {
        'probe_success{service="web",probe="p",target="t"}': "0x20",
        info % "timeout": " ".join(["1 _"] * 10),
        info % "connect": " ".join(["_ 1"] * 10),
    }
    down = [firing("ServiceDown", service="web", **CRITICAL)]
    hold(rules, series, [(f"{minute}m", alerts("ServiceDown"), down) for minute in range(2, 18)])


WANTED = 'service_containers_wanted{service="%s"}'
RUNNING = 'service_containers_running{service="%s"}'


@pytest.fixture
def replicas(tmp_path: Path) -> Path:
    text = """
        services:
          web: {image: x}
          api: {image: x, replicas: 3}
          job: {image: x, restart: "no"}
          off: {image: x, replicas: 0}
        """
    return written(tmp_path, catalog_of(tmp_path, text))


@pytest.mark.parametrize(
    ("running", "fires"),
    [
        # A deploy: the old container is removed, and the new one starts a minute later.
        ("1x9 0 1x30", []),
        ("1x9 0 0 1x30", []),
        ("1x9 0x30", ["ServiceNotRunning"]),
        # The exporter or the engine is unreachable: nothing is known, and other alerts report it.
        ("1x9 _x30", []),
        # There are more containers during a deploy.
        ("1x9 2x30", []),
    ],
)
def test_a_container_that_is_missing_for_longer_than_a_deploy(
    replicas: Path, running: str, fires: list[str]
) -> None:
    series = {WANTED % "web": "1x9 _x30" if "_" in running else "1x40", RUNNING % "web": running}
    expected = [firing(alert, service="web", **CRITICAL) for alert in fires]
    checks = [(f"{minute}m", alerts("ServiceNotRunning"), expected) for minute in (20, 30)]
    hold(replicas, series, [("11m", alerts("ServiceNotRunning"), []), *checks])


@pytest.mark.parametrize(
    ("running", "alert", "labels"),
    [(2, "ReplicasMissing", WARNING), (0, "ServiceNotRunning", CRITICAL), (3, None, {}), (5, None, {})],
)
def test_fewer_containers_than_replicas(
    replicas: Path, running: int, alert: str | None, labels: dict[str, str]
) -> None:
    """Use two exporters of the same engine, and one of another host that has none of the containers."""
    series = {}
    for instance, runs in (("a", running), ("b", running), ("other", 0)):
        series[(WANTED % "api").replace("{", f'{{instance="{instance}",')] = "3x30"
        series[(RUNNING % "api").replace("{", f'{{instance="{instance}",')] = f"{runs}x30"
    found = [firing(alert, service="api", **labels)] if alert else []
    ours = 'ALERTS{alertname=~"ServiceNotRunning|ReplicasMissing",alertstate="firing"}'
    hold(replicas, series, [("20m", ours, found)])


def test_nobody_misses_jobs_and_what_has_no_replicas(replicas: Path) -> None:
    series = {RUNNING % "job": "0x30", RUNNING % "off": "0x30", WANTED % "off": "0x30"}
    hold(replicas, series, [("20m", 'ALERTS{alertname=~"Service.*|Replicas.*"}', [])])


def test_a_service_that_restarts_by_new_containers_restarts(rules: Path) -> None:
    """Let each container live for a minute without counting a restart of its own."""
    series = {'service_container_restarts_total{service="web",replica="1"}': "0+1x30"}
    for minute in range(30):
        own = f'container_restarts_total{{service="web",name="web-1",id="{minute}"}}'
        series[own] = " ".join([*(["_"] * minute), "0", *(["_"] * (30 - minute))])
    restarting = firing("ContainerRestarting", service="web", replica="1", **WARNING)
    naive = "sum by (service) (increase(container_restarts_total[15m])) > 3"
    hold(rules, series, [("25m", alerts("ContainerRestarting"), [restarting]), ("25m", naive, [])])


def test_a_restart_of_the_exporter_is_no_kill(rules: Path) -> None:
    """Check that counts start at 0 again, so a fall is no increase. A count restored from what the engine remembers
    would increase."""
    series = {
        'service_container_oom_kills_total{service="web",replica="1"}': "2x29 0x20",
        'rebuilt_total{service="web"}': "2x29 1x20",
    }
    naive = "increase(rebuilt_total[10m]) > 0"
    hold(rules, series, [("35m", alerts("ContainerOomKilled"), []), ("35m", naive, ['{service="web"}'])])


def test_a_store_is_down_once_and_not_as_a_service_too(rules: Path) -> None:
    series = {'probe_success{service="db",probe="port",target="db:6379"}': "0x20"}
    down = firing("StoreDown", service="db", **CRITICAL)
    hold(rules, series, [("10m", alerts("StoreDown"), [down]), ("10m", alerts("ServiceDown"), [])])


def test_a_failed_probe_is_down_and_not_slow(rules: Path) -> None:
    series = {
        'probe_success{service="web",probe="p",target="t"}': "0x20",
        'probe_duration_seconds{service="web",probe="p",target="t"}': "5x20",
    }
    naive = "probe_duration_seconds > 1"
    hold(
        rules,
        series,
        [("15m", alerts("ServiceSlow"), []), ("15m", f"count by (service) ({naive})", ['{service="web"}'])],
    )


def test_a_container_that_was_asked_to_stop_did_not_fail(rules: Path) -> None:
    series = {
        f"container_exit_code{{{CONTAINER}}}": "143x20",
        f'container_state{{{CONTAINER},state="exited"}}': "1x20",
        'container_exit_code{service="page",name="page-1",id="2"}': "1x20",
        'container_state{service="page",name="page-1",id="2",state="running"}': "1x20",
        'container_state{service="page",name="page-1",id="2",state="exited"}': "0x20",
    }
    hold(rules, series, [("15m", alerts("ContainerExited"), [])])


def test_a_container_that_was_stopped_in_good_health_is_not_unhealthy(rules: Path) -> None:
    """Check a stopped container: the engine calls one with a health check unhealthy as soon as it stops."""
    health = f'container_health_status{{{CONTAINER},status="unhealthy"}}'
    series = {health: "1x30", f'container_state{{{CONTAINER},state="exited"}}': "1x30"}
    naive = 'container_health_status{status="unhealthy"} == 1'
    hold(
        rules,
        series,
        [
            ("20m", alerts("ContainerUnhealthy"), []),
            ("20m", naive, [f'{{{CONTAINER},status="unhealthy"}}']),
        ],
    )


def test_a_disk_that_will_be_full_within_a_day_fires_before_it_is(rules: Path) -> None:
    series = {
        'volume_filesystem_avail_bytes{volume="data"}': "900-1x480",
        'volume_filesystem_size_bytes{volume="data"}': "1000x480",
    }
    full = firing("DiskFilling", service="web", volume="data", **WARNING)
    # Too little history, then a trend.
    hold(rules, series, [("3h", alerts("DiskFilling"), []), ("7h", alerts("DiskFilling"), [full])])


def test_a_bucket_of_one_second_is_found_however_it_is_written(rules: Path) -> None:
    def series(service: str, bound: str) -> dict[str, str]:
        labels = f'service="{service}",probe="p",target="t"'
        return {
            f'probe_latency_seconds_bucket{{{labels},le="{bound}"}}': "0+3x30",
            f'probe_latency_seconds_bucket{{{labels},le="+Inf"}}': "0+4x30",
            f"probe_latency_seconds_count{{{labels}}}": "0+4x30",
        }

    quarter = 'slo:sli_error:ratio_rate5m{slo="latency"} == 0.25'
    expected = [f'{{service="{name}",slo="latency"}}' for name in ("page", "db")]
    hold(rules, {**series("page", "1.0"), **series("db", "1")}, [("20m", quarter, expected)])


def test_a_burst_that_is_over_burns_no_more(rules: Path) -> None:
    """Check that the short window ends the alert, although the long one still remembers the burst."""
    series = {REQUESTS % 200: "0+0x20 0+600x60", REQUESTS % 500: "0+600x20 12000x60"}
    burns = firing("SloBurnRateFast", service="web", slo="availability", **CRITICAL)
    checks = [
        ("20m", alerts("SloBurnRateFast"), [burns]),
        ("70m", alerts("SloBurnRateFast"), []),
        (
            "70m",
            'slo:sli_error:ratio_rate1h{slo="availability"} > 0.144',
            ['{service="web",slo="availability"}'],
        ),
    ]
    hold(rules, series, checks)
