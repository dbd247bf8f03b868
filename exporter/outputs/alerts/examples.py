"""Tests of the rules in promtool's format: each alert is silent, fires, and resolves.

They query `ALERTS`, the series that Prometheus exports of alerts, so they compare labels exactly and ignore the texts
of annotations.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import cycle, islice
from math import ceil
from typing import TYPE_CHECKING

from exporter.outputs.alerts.model import Example
from exporter.outputs.alerts.promql import matcher, number, quote
from exporter.outputs.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.outputs.alerts.model import AlertRule, Series

LOOKBACK = 5
"""Minutes for which Prometheus uses a sample."""
STEPS = {"slos": 5}
"""Minutes between two evaluations of a group's tests, default 1: windows of objectives are hours long."""
MOST_SHOWN = 8
"""The maximum of tests per alert. A large catalog can have hundreds of rules of it, which differ only in numbers, and
promtool evaluates every rule in every test.
"""


LONGEST_FOR = 2 * 24 * 3600
"""Seconds. An alert that waits longer, such as for a monthly backup, has no test: promtool evaluates each minute of the
wait, and a month takes two minutes of CPU.
"""


def rule_tests(rules: Iterable[AlertRule]) -> list[dict[str, object]]:
    """Return tests of the first rules of each alert."""
    seen: Counter[str] = Counter()
    tests = []
    for rule in rules:
        if seen[rule.recipe.alert] < MOST_SHOWN and rule.settings.for_ <= LONGEST_FOR:
            shown = list(_rule_test(rule))
            seen[rule.recipe.alert] += len(shown)
            tests += shown
    return tests


def _rule_test(rule: AlertRule) -> Iterator[dict[str, object]]:
    """Yield the test of one rule, for its first subject; nothing if the settings do not allow a short test."""
    recipe, settings, subject = rule.recipe, rule.settings, rule.subjects[0]
    good = recipe.window + LOOKBACK + 2 * STEPS.get(recipe.group, 1)
    bad = ceil(settings.for_ / 60) + good
    example = Example(
        who=matcher(recipe.label, [subject.name]),
        name=subject.name,
        limit=settings.limit or Decimal(0),
        seconds=(good + bad) * 60,
        for_=settings.for_,
        values=subject.values,
    )
    series = recipe.example(example)
    if not series and recipe.alert != "Watchdog":
        return
    who = settings.service or subject.name
    firing = _labels(rule)
    checks = (
        [(good - 1, ""), (good + bad - 1, firing), (good + bad + good - 1, "")] if series else [(bad, firing)]
    )
    story = "is quiet, fires, resolves" if series else "always fires"
    yield {
        "name": f"{recipe.alert} of {who} {story}",
        "interval": "1m",
        "input_series": [_input(item, bad, good) for item in series],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{recipe.alert}",alertstate="firing",service={quote(who)}}}',
                "eval_time": duration_text(minutes * 60),
                "exp_samples": [{"labels": labels, "value": 1}] if labels else [],
            }
            for minutes, labels in checks
        ],
    }


def _labels(rule: AlertRule) -> str:
    subject = rule.subjects[0]
    labels = {"alertname": rule.recipe.alert, "alertstate": "firing", **rule.labels}
    if rule.recipe.label == "service" and subject.name:
        labels["service"] = subject.name
    own = ",".join(f"{key}={quote(value)}" for key, value in labels.items())
    keeps = rule.recipe.keeps.replace("<name>", subject.name)
    return f"ALERTS{{{own}{',' if keeps else ''}{keeps}}}"


def _input(item: Series, bad: int, good: int) -> dict[str, str]:
    """Return one sample per minute: `good` minutes of good values, `bad` of bad ones, then good ones again."""
    return {"series": item.selector, "values": " ".join(_values(item, bad, good))}


def _values(item: Series, bad: int, good: int) -> Iterator[str]:
    start = Decimal(0)
    for value, minutes in ((item.good, good), (item.bad, bad), (item.good, good)):
        if value is None:
            yield f"_x{minutes}"
        elif isinstance(value, str):
            yield from islice(cycle(value.split()), minutes)
        elif item.counter:
            yield f"{number(start)}+{number(Decimal(value))}x{minutes - 1}"
            start += Decimal(value) * minutes
        else:
            yield f"{number(Decimal(value))}x{minutes - 1}"
