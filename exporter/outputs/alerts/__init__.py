"""Prometheus rules of a catalog, and promtool tests of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.alerts.examples import rule_tests
from exporter.outputs.alerts.requests import service_rules
from exporter.outputs.alerts.rules import alert_rules
from exporter.outputs.alerts.slo import budget_rules, objective_rules, objectives, sli_rules
from exporter.outputs.alerts.subjects import subjects_of
from exporter.outputs.base import File
from exporter.outputs.durations import duration_text
from exporter.outputs.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.alerts.model import AlertRule, RecordingRule

SETTINGS = (
    "Thresholds, severities and times stand in the catalog under `defaults.alerts`, `services.NAME.alerts` and "
    "`stores.NAME.alerts`."
)

BUDGET_INTERVAL = "2m"
"""Budgets look back over weeks: cheaper seldom, and still well within the five minutes that a sample stays current."""
RECORDED, ALERTING, OBJECTIVES = "recording.yml", "alerts.yml", "slo.yml"


def render(catalog: Catalog) -> Iterable[File]:
    """Recording rules, alert rules, SLO rules, and for each group of alerts a file of tests.

    Raises:
        OutputError: a name of the catalog cannot stand in a rule, or a backup's schedule never comes.
    """
    promises = tuple(objectives(catalog))
    subjects = subjects_of(catalog, promises)
    groups: dict[str, list[AlertRule]] = {}
    for rule in alert_rules(catalog, subjects):
        groups.setdefault(rule.recipe.group, []).append(rule)
    burning = groups.pop("slos", [])
    project = catalog.project
    recorded = service_rules(catalog, [subject.name for subject in subjects["probed"]])
    yield _rules(RECORDED, {f"{project}_services": map(_recording, recorded)})
    yield _rules(
        ALERTING,
        {
            f"{project}_alerts" if name == "alerts" else f"{project}_{name}_alerts": map(_alerting, rules)
            for name, rules in groups.items()
        },
    )
    yield _rules(
        OBJECTIVES,
        {
            f"{project}_slo_objectives": map(_recording, objective_rules(promises)),
            f"{project}_slo_sli": map(_recording, sli_rules(promises)),
            f"{project}_slo_budgets": map(_recording, budget_rules(promises)),
            f"{project}_slo_alerts": map(_alerting, burning),
        },
    )
    for name, rules in groups.items():
        yield _tests(name, rules, (RECORDED, ALERTING))
    if burning:
        yield _tests("slos", burning, (OBJECTIVES,))


def _rules(path: str, groups: dict[str, Iterable[dict[str, object]]]) -> File:
    """A rule file; a group without rules is left out."""
    listed: list[dict[str, object]] = []
    for name, rules in groups.items():
        if members := list(rules):
            interval = {"interval": BUDGET_INTERVAL} if name.endswith("_slo_budgets") else {}
            listed.append({"name": name, **interval, "rules": members})
    return File(path, yaml_text({"groups": listed}, SETTINGS))


def _tests(name: str, rules: Iterable[AlertRule], files: tuple[str, ...]) -> File:
    document: dict[str, object] = {
        "rule_files": [f"../{file}" for file in files],
        # Windows of objectives are hours long, and promtool takes its time for each evaluation.
        "evaluation_interval": "5m" if name == "slos" else "1m",
        "tests": rule_tests(rules),
    }
    return File(f"tests/{name}.yml", yaml_text(document, f"Run: promtool test rules {name}.yml"))


def _recording(rule: RecordingRule) -> dict[str, object]:
    document: dict[str, object] = {"record": rule.record, "expr": rule.expr}
    return {**document, "labels": dict(rule.labels)} if rule.labels else document


def _alerting(rule: AlertRule) -> dict[str, object]:
    return {
        "alert": rule.recipe.alert,
        "expr": rule.expr,
        "for": duration_text(rule.settings.for_) if rule.settings.for_ else "0s",
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
    }
