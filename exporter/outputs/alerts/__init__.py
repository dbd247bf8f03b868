"""Prometheus rules of a catalog, and promtool tests for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.outputs.alerts.examples import STEPS, rule_tests
from exporter.outputs.alerts.requests import service_rules
from exporter.outputs.alerts.rules import alert_rules
from exporter.outputs.alerts.slo import budget_rules, objective_rules, objectives, sli_rules
from exporter.outputs.alerts.subjects import subjects_of
from exporter.outputs.base import File, Shared
from exporter.outputs.durations import duration_text
from exporter.outputs.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.alerts.model import AlertRule, RecordingRule

SETTINGS = (
    "Thresholds, severities and times are set in the catalog under `defaults.alerts`, `services.NAME.alerts` and "
    "`stores.NAME.alerts`."
)

BUDGET_INTERVAL = "2m"
"""Budgets look back over weeks, so they are computed less often, but within the five minutes that a sample is used."""
RECORDED, OBJECTIVES, BUDGETS = "recording", "slo", "slo_budgets"
FILES = {"slos": OBJECTIVES}
"""The file of each group of alerts whose file has another name. Files are small: promtool evaluates all rules of each
file that a test loads."""
RECORDED_FOR = {"alerts"}
"""Files whose alerts use the records of `RECORDED`."""
TO_SHARED = "../../../../../alert_rules"
"""The folder of the shared rules, relative to the tests of one environment's rules."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule with its file and group."""

    file: str
    group: str
    document: dict[str, object]
    alert: AlertRule | None = None

    @property
    def key(self) -> str:
        return json.dumps([self.file, self.group, self.document])


def render(catalog: Catalog) -> Iterable[File]:
    """Return the rule files, and a file of tests for each one that has alerts.

    Raises:
        OutputError: a rule cannot contain a name of the catalog, or a backup's schedule matches no time.
    """
    return list(_files(list(_rules(catalog))))


def split(catalogs: Mapping[str, Catalog]) -> Shared:
    """Put rules that are the same in all environments into shared files, and the others into each environment's files.

    Prometheus loads both. An example of the latter are rules about replicas that only one environment has.
    """
    rules = {name: list(_rules(catalog)) for name, catalog in catalogs.items()}
    keys = [{rule.key for rule in every} for every in rules.values()]
    in_all = set.intersection(*keys)
    first = next(iter(rules.values()))
    common = list(_files([rule for rule in first if rule.key in in_all]))
    shared = {file.path for file in common}
    own = {
        name: list(_files([rule for rule in every if rule.key not in in_all], shared))
        for name, every in rules.items()
    }
    return Shared(common, own)


def _rules(catalog: Catalog) -> Iterator[_Rule]:
    promises = tuple(objectives(catalog))
    subjects = subjects_of(catalog, promises)
    project = catalog.project
    for file, group, records in (
        (RECORDED, "services", service_rules(catalog, [subject.name for subject in subjects["probed"]])),
        (OBJECTIVES, "slo_objectives", objective_rules(promises)),
        (OBJECTIVES, "slo_sli", sli_rules(promises)),
        (BUDGETS, "slo_budgets", budget_rules(promises)),
    ):
        for record in records:
            yield _Rule(file, f"{project}_{group}", _recording(record))
    for alert in alert_rules(catalog, subjects):
        group = alert.recipe.group
        name = {"alerts": "alerts", "slos": "slo_alerts"}.get(group, f"{group}_alerts")
        yield _Rule(FILES.get(group, group), f"{project}_{name}", _alerting(alert), alert)


def _files(rules: Sequence[_Rule], shared: Collection[str] = ()) -> Iterator[File]:
    """Yield the files of these rules. `shared`: the rule files of all environments, which the tests load, too."""
    names = dict.fromkeys(rule.file for rule in rules)
    for name in names:
        groups: dict[str, list[dict[str, object]]] = {}
        for rule in rules:
            if rule.file == name:
                groups.setdefault(rule.group, []).append(rule.document)
        yield File(f"{name}.yml", _rules_text(groups))
    for name in names:
        alerts = [rule.alert for rule in rules if rule.file == name and rule.alert]
        tests = rule_tests(alerts)
        if tests:
            wanted = [f"{file}.yml" for file in ([RECORDED] if name in RECORDED_FOR else []) + [name]]
            loaded = [f"{TO_SHARED}/{file}" for file in wanted if file in shared]
            loaded += [f"../{file}" for file in wanted if file.removesuffix(".yml") in names]
            step = STEPS.get(alerts[0].recipe.group, 1)
            yield File(f"tests/{name}.yml", _tests_text(name, tests, loaded, step))


def _rules_text(groups: Mapping[str, list[dict[str, object]]]) -> str:
    listed = [
        {
            "name": name,
            **({"interval": BUDGET_INTERVAL} if name.endswith("_slo_budgets") else {}),
            "rules": rules,
        }
        for name, rules in groups.items()
    ]
    return yaml_text({"groups": listed}, SETTINGS)


def _tests_text(name: str, tests: list[dict[str, object]], files: list[str], step: int) -> str:
    document = {
        "rule_files": files,
        "evaluation_interval": f"{step}m",
        "tests": tests,
    }
    return yaml_text(document, f"Run: promtool test rules {name}.yml")


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
