"""Rules of the example and of unusual catalogs: promtool accepts them, and their own tests pass."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.keys.container.alerts import ALERTS
from exporter.catalog.loading import load_catalog
from exporter.catalog.planning.planner import build_plan
from exporter.catalog.reading.problems import CatalogError
from exporter.catalog.values.cron import longest_step
from exporter.outputs.alerts import render, split
from exporter.outputs.alerts.requests import probed_names
from exporter.outputs.alerts.rules import RECIPES
from exporter.outputs.base import OutputError
from tests.outputs.promtool import catalog_of, check_rules, promtool, run_generated_tests, written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.outputs.base import File

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
ENVIRONMENTS = ("development", "testing", "staging", "production")
NEED_MORE = {"StoreReplicationLag", "StoreReplicasMissing", "StoreWithoutPrimary", "BackupDrillFailed"}
"""Alerts about things that the example does not have: replicas and restore drills."""

NASTY = 'a "b" \\ \' {{ c }} $value $labels é 漢 😀 %s # : | > \u2028\u00a0\x7f'


def rules_of(catalog: Any) -> list[dict[str, Any]]:
    return ruled(render(catalog))


def ruled(files: Iterable[File]) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(file.text) for file in files if "/" not in file.path]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


def alerts_of(catalog: Any, name: str) -> list[dict[str, Any]]:
    return [rule for rule in rules_of(catalog) if rule.get("alert") == name]


@pytest.mark.timeout(600)
def test_promtool_takes_the_example_and_its_tests(tmp_path: Path) -> None:
    """Check all environments together, with the files as in the repository, so that promtool runs each test once."""
    shared = split({name: load_catalog(EXAMPLE, name) for name in ENVIRONMENTS})
    folders = {"alert_rules": shared.common}
    folders |= {f"deploy/{name}/prometheus/rules": files for name, files in shared.own.items() if files}
    for folder, files in folders.items():
        for file in files:
            place = tmp_path / folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text, encoding="utf-8")
    for folder in folders:
        check_rules(tmp_path / folder)
    promtool("test", "rules", *sorted(tmp_path.rglob("tests/*.yml")))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_shared_rules_and_own_rules_are_all_rules_of_an_environment(environment: str) -> None:
    shared = split({name: load_catalog(EXAMPLE, name) for name in ENVIRONMENTS})
    parts = [file for file in (*shared.common, *shared.own[environment]) if "/" not in file.path]
    assert sorted(map(str, ruled(parts))) == sorted(map(str, rules_of(load_catalog(EXAMPLE, environment))))


def test_a_rule_that_differs_is_not_shared(tmp_path: Path) -> None:
    text = """
        services: {web: {image: x, port: 80, metrics: true}, api: {image: x, port: 81, metrics: true}}
        environments: {quiet: {services: {api: {alerts: {HighErrorRate: {threshold: 9%}}}}}, loud: {}}
        """
    catalog_of(tmp_path, text)
    shared = split({name: load_catalog(tmp_path / "config.yaml", name) for name in ("quiet", "loud")})
    own = {name: [file.path for file in files] for name, files in shared.own.items()}
    assert own == {name: ["alerts.yml", "tests/alerts.yml"] for name in ("quiet", "loud")}
    assert "HighErrorRate" not in {rule.get("alert") for rule in ruled(shared.common) if rule}
    assert [rule["expr"].split()[-1] for rule in ruled(shared.own["loud"])] == ["0.1)"]
    assert len(ruled(shared.own["quiet"])) == 2


def test_every_alert_of_the_example_has_a_rule_and_a_test_that_fires_and_is_quiet() -> None:
    files = {file.path: yaml.safe_load(file.text) for file in render(load_catalog(EXAMPLE, "production"))}
    named = {rule["alert"] for rule in rules_of(load_catalog(EXAMPLE, "production")) if "alert" in rule}
    assert named == set(ALERTS) - NEED_MORE
    shown: dict[str, set[bool]] = {}
    for path, document in files.items():
        for test in document["tests"] if path.startswith("tests/") else ():
            for check in test["promql_expr_test"]:
                shown.setdefault(test["name"].split(" ")[0], set()).add(bool(check["exp_samples"]))
    assert {name for name, kinds in shown.items() if kinds == {True, False}} == named - {"Watchdog"}
    assert shown["Watchdog"] == {True}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_rules_and_the_daemon_agree_on_what_is_probed(environment: str, tmp_path: Path) -> None:
    for catalog in (load_catalog(EXAMPLE, environment), catalog_of(tmp_path, FULL)):
        plan, _, _ = build_plan(catalog)
        assert set(probed_names(catalog)) == {target.service for target in plan.targets}


def test_every_alert_of_the_table_has_one_recipe() -> None:
    assert sorted(recipe.alert for recipe in RECIPES) == sorted(ALERTS)


def test_the_group_of_pageforges_own_alerts_keeps_its_name() -> None:
    files = {file.path: yaml.safe_load(file.text) for file in render(load_catalog(EXAMPLE))}
    group = next(group for group in files["alerts.yml"]["groups"] if group["name"] == "pageforge_alerts")
    names = {rule["alert"] for rule in group["rules"]}
    assert {"ServiceDown", "HighErrorRate", "HighMemoryUsage"} <= names


def test_rules_are_the_same_every_time() -> None:
    first, second = (list(render(load_catalog(EXAMPLE))) for _ in range(2))
    assert first == second


FULL = """
    owners: {one: {email: a@b.example}, two: {email: c@d.example}}
    defaults: {owner: one, slo: {availability: 99.95%, latency: {under: 1s, for: 95%}, period: 28d}}
    backup: {drill: {schedule: "0 5 * * 0"}}
    services:
      web:
        {image: x, port: 80, health: /, metrics: true, logs: {patterns: {a.b-c_d: "x"}}, volumes: "loose:/data"}
      api:
        {image: x, port: 81, owner: two, metrics: {requests: r_total, durations: d_seconds, status_label: code}}
      idle: {image: x}
    stores:
      main:
        engine: postgresql
        volume: main-data
        backup: {schedule: "*/5 * * * *", max_age: 36h}
        max_connections: 70%
        replicas: [{host: other, max_lag: 10s}]
      drafts: {engine: sqlite, service: web, path: /data/d.db, backup: true}
    volumes: {loose: {backup: "0 0 1 * *"}}
    """

CATALOGS = {
    "everything": FULL,
    "one service": "services: {web: {port: 80}}",
    "one service without a probe": "services: {web: {image: x}}",
    "nothing": "",
    "metrics and no objective": "services: {web: {port: 80, metrics: true}}",
    "a store alone": "stores: {db: {engine: redis}}",
    "objectives of probes alone": "defaults: {slo: {availability: 99%}}\nservices: {web: {port: 80}}",
    "an objective of speed alone": "services: {web: {port: 80, metrics: true, slo: {latency: 2s}}}",
    "a period that is a window too": "services: {web: {port: 80, slo: {availability: 99%, period: 3d}}}",
    "an objective that no burn rate can reach": "services: {web: {port: 80, slo: {availability: 50%}}}",
    "containers are not watched": "exporter: {containers: off}\nservices: {web: {image: x, port: 80, logs: on}}",
    "limits of 100%": (
        "services: {web: {port: 80, image: x, metrics: true, alerts: {HighErrorRate: {threshold: 100%}, "
        "HighMemoryUsage: {threshold: 100%}, CertificateExpiring: {threshold: 1m}}}}"
    ),
    "one differs from the others": (
        "services: {a: {port: 80}, b: {port: 81}, c: {port: 82, alerts: {ServiceSlow: {threshold: 2s}}}}"
    ),
}  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize("text", CATALOGS.values(), ids=CATALOGS)
def test_promtool_takes_catalogs_of_all_kinds(text: str, tmp_path: Path) -> None:
    rules = written(tmp_path, catalog_of(tmp_path, text))
    check_rules(rules)
    run_generated_tests(rules)


def nasty(tmp_path: Path) -> Any:
    """Return a catalog with this text in every place that rules may show."""
    catalog = catalog_of(tmp_path, FULL)
    text = {"runbook": NASTY, "description": NASTY + "\n" + NASTY}
    pattern = NASTY + "\n{alert}/{service}"
    services = dict(catalog.services)
    services["web"] = services["web"].model_copy(update=text)
    metrics = services["api"].metrics
    assert metrics is not None
    odd = metrics.model_copy(update={"requests": NASTY, "durations": NASTY})
    services["api"] = services["api"].model_copy(update={"metrics": odd, "description": NASTY})
    return catalog.model_copy(
        update={
            "description": NASTY,
            "services": services,
            "defaults": catalog.defaults.model_copy(update={"runbooks": pattern}),
            "grafana": catalog.grafana.model_copy(update={"url": 'http://grafana/{{x}}/$y"z\\'}),
        }
    )


@pytest.mark.timeout(600)
def test_text_of_a_catalog_is_shown_as_written(tmp_path: Path) -> None:
    rules = written(tmp_path, nasty(tmp_path))
    check_rules(rules)
    run_generated_tests(rules)
    shown = said(tmp_path, rules, "ServiceDown", ["web", "api"])
    assert shown["web"]["runbook_url"] == NASTY
    assert shown["api"]["runbook_url"] == f"{NASTY}\nServiceDown/api"
    assert shown["api"]["dashboard_url"] == 'http://grafana/{{x}}/$y"z\\/d/shop-service?var-service=api'


def said(tmp_path: Path, rules: Path, alert: str, services: list[str]) -> dict[str, dict[str, str]]:
    """Return the message of an alert of services that are down, rendered as a Go template by promtool."""
    series = [
        {"series": f'probe_success{{service="{name}",probe="p",target="t"}}', "values": "0x10"}
        for name in services
    ]
    reasons = [
        {
            "series": f'probe_failure_info{{service="{name}",probe="p",target="t",reason="timeout"}}',
            "values": "1x10",
        }
        for name in services
    ]
    document = {
        "rule_files": [str(file) for file in sorted(rules.glob("*.yml"))],
        "tests": [
            {
                "interval": "1m",
                "input_series": series + reasons,
                "alert_rule_test": [{"eval_time": "5m", "alertname": alert, "exp_alerts": []}],
            }
        ],
    }
    file = tmp_path / "annotations.yml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(AssertionError) as failed:
        promtool("test", "rules", file)
    found = {}
    for labels, text in re.findall(r"Labels:\{(.*?)\}\n\s*Annotations:\{(.*)\},?\n", str(failed.value)):
        name = re.search(r'service="(.*?)"', labels)
        assert name
        pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', text)
        # Go's quoting equals that of double-quoted YAML.
        found[name[1]] = {key: yaml.safe_load(value) for key, value in pairs}
    return found


def test_an_alert_says_why(tmp_path: Path) -> None:
    rules = written(tmp_path, catalog_of(tmp_path, "services: {web: {port: 80}}"))
    shown = said(tmp_path, rules, "ServiceDown", ["web"])
    assert shown["web"] == {
        "summary": "web is down",
        "description": "A probe of web fails. Probe p of t: timeout. For the full error, run: exporter check web",
    }


OVERRIDES = """
    owners: {one: {email: a@b.example}, two: {email: c@d.example}}
    defaults:
      owner: one
      runbooks: https://books/{alert}
      alerts: {HighErrorRate: {threshold: 3%}, ServiceSlow: off, ServiceFlapping: {for: 90s}}
    services:
      a: {port: 1, metrics: true}
      b: {port: 2, metrics: true, owner: two, alerts: {HighErrorRate: {threshold: 0.25%, severity: critical, for: 90m}}}
      c: {port: 3, metrics: true, runbook: https://c, alerts: {HighErrorRate: off, ServiceSlow: on}}
      d: {port: 4, metrics: true, alerts: {HighErrorRate: {runbook: https://d}}}
    """


def test_what_one_service_says_of_an_alert_counts_most(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, OVERRIDES)
    found = {
        (re.findall(r'service=~?"(.*?)"', rule["expr"])[0]): (
            re.findall(r"> ([0-9.]+)\)", rule["expr"])[0],
            rule["for"],
            rule["labels"]["severity"],
            rule["labels"]["owner"],
            rule["annotations"]["runbook_url"],
        )
        for rule in alerts_of(catalog, "HighErrorRate")
    }
    assert found == {
        "a": ("0.03", "5m", "warning", "one", "https://books/HighErrorRate"),
        "b": ("0.0025", "1h30m", "critical", "two", "https://books/HighErrorRate"),
        "d": ("0.03", "5m", "warning", "one", "https://d"),
    }
    slow = alerts_of(catalog, "ServiceSlow")
    assert [rule["annotations"]["runbook_url"] for rule in slow] == ["https://c"]
    assert 'service="c"' in slow[0]["expr"]
    assert {rule["for"] for rule in alerts_of(catalog, "ServiceFlapping")} == {"1m30s"}


def test_limits_that_stand_elsewhere_in_the_catalog(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, FULL)

    def expr(name: str) -> list[str]:
        return [rule["expr"] for rule in alerts_of(catalog, name)]

    assert [text.split()[-1] for text in expr("StoreConnectionsHigh")] == ["0.7"]
    assert [text.split()[-1] for text in expr("StoreReplicationLag")] == ["10"]
    assert [text.split()[-1] for text in expr("StoreReplicasMissing")] == ["1"]
    ages = {re.findall('service="(.*?)"', text)[0]: text.split()[-1] for text in expr("BackupStale")}
    assert ages == {"main": str(36 * 3600), "drafts": str(2 * 86400), "loose": str(2 * 31 * 86400)}


def test_number_of_replicas(tmp_path: Path) -> None:
    """Check that it is the number of named replicas, or the threshold if the catalog cannot name them."""
    catalog = catalog_of(
        tmp_path,
        """
        stores:
          named: {engine: redis, replicas: [{host: one}, {host: two}]}
          told: {engine: redis, alerts: {StoreReplicasMissing: {threshold: 3}}}
          alone: {engine: redis}
        """,
    )
    found = [rule["expr"] for rule in alerts_of(catalog, "StoreReplicasMissing")]
    assert found == [
        'max by (service) (store_replicas{service="named"}) < 2',
        'max by (service) (store_replicas{service="told"}) < 3',
    ]


def test_numbers_of_objectives_are_exact(tmp_path: Path) -> None:
    rules = rules_of(catalog_of(tmp_path, FULL))

    def value(record: str) -> dict[str, str]:
        return {
            rule["labels"]["slo"]: rule["expr"]
            for rule in rules
            if rule.get("record") == record and rule["labels"]["service"] == "web"
        }

    assert value("slo:objective:ratio") == {"availability": "vector(0.9995)", "latency": "vector(0.95)"}
    assert value("slo:error_budget:ratio") == {"availability": "vector(0.0005)", "latency": "vector(0.05)"}
    assert value("slo:time_period:days")["availability"] == "vector(28)"
    # 14.4 and 6, scaled from 30 days to 28.
    fast = next(rule["expr"] for rule in rules if rule.get("alert") == "SloBurnRateFast")
    assert re.findall(r"> ([0-9.]+) \*", fast) == ["13.44", "13.44", "5.6", "5.6"]


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 3 * * *", "1"), ("0 */6 * * *", "0.25"), ("30 4 * * mon", "7"), ("0 0 1 * *", "31"),
        ("0 3 * * 1-5", "3"), ("0 0 1 1 *", "366"), ("0 0 29 2 *", "1461"), ("0 0 1 * sun", "7"), ("0 3 * * 7", "7"),
    ],
)  # fmt: skip
def test_the_longest_time_between_two_backups(cron: str, days: str) -> None:
    assert longest_step(cron) == Decimal(days) * 86400


def test_a_backup_that_never_comes_is_an_error(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, 'stores: {db: {engine: redis, backup: "0 0 30 2 *"}}')
    with pytest.raises(OutputError, match=r"stores\.db\.backup\.schedule 0 0 30 2 \* matches no date"):
        list(render(catalog))


def test_a_label_that_cannot_be_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"services\.web\.metrics\.status_label"):
        catalog_of(tmp_path, "services: {web: {port: 80, metrics: {status_label: 'http status'}}}")


def test_a_thousand_services_are_few_rules(tmp_path: Path) -> None:
    services = "".join(
        f"  s{i}: {{image: x, port: 80, host_port: {i + 1000}, metrics: true}}\n" for i in range(1000)
    )
    catalog = catalog_of(tmp_path, f"defaults: {{slo: 99.9%}}\nservices:\n{services}")
    alerts = [rule for rule in rules_of(catalog) if "alert" in rule]
    assert len(alerts) < 40
    check_rules(written(tmp_path, catalog))


def test_no_alert_misses_what_is_started_on_demand(tmp_path: Path) -> None:
    catalog = catalog_of(
        tmp_path,
        """
services:
  web: {image: "w:1", port: 80, metrics: /metrics}
  seed: {image: "s:1", port: 80, metrics: /metrics, profiles: seed}
stores:
  db: {engine: redis, auth: off}
  cache: {engine: redis, auth: off, profiles: seed}
""",
    )
    missing = ("ServiceAbsent", "ScrapeTargetDown", "ServiceNotRunning", "ReplicasMissing")
    rules = [rule["expr"] for name in missing for rule in alerts_of(catalog, name)]
    assert rules
    assert not [expr for expr in rules if "seed" in expr or "cache" in expr]
    assert "seed" in str(alerts_of(catalog, "ServiceDown"))
    assert "cache" in str(alerts_of(catalog, "StoreDown"))
    plan = build_plan(catalog)[0]
    assert {target.service: target.on_demand for target in plan.targets} == {
        "web": False,
        "seed": True,
        "db": False,
        "cache": True,
    }
