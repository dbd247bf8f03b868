"""Service level objectives: their series, with sloth's names, and the expressions of their alerts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from exporter.catalog.keys.container.slo import DEFAULT_PERIOD
from exporter.outputs.alerts.model import RecordingRule
from exporter.outputs.alerts.promql import any_of, matcher, number
from exporter.outputs.alerts.requests import (
    error_ratio,
    fast_ratio,
    probe_error_ratio,
    probe_fast_ratio,
    probed_names,
)
from exporter.outputs.burn_rates import BURN_RATES, DAY, FACTORS_DAYS, WINDOWS
from exporter.outputs.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.catalog.catalog import Catalog

PER_BUDGET = "/ slo:error_budget:ratio"


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective of one service. `ratio`: 0.999. `period`: seconds."""

    service: str
    slo: str
    ratio: Decimal
    period: Decimal
    sli: str
    """The expression of the error ratio over `<window>`, of the services `<who>`."""


def objectives(catalog: Catalog) -> Iterator[Objective]:
    """Yield all objectives that can be measured: from a service's own metrics, or else from its probes."""
    probed = set(probed_names(catalog))
    defaults = catalog.defaults.slo
    for name, container in (*catalog.services.items(), *catalog.stores.items()):
        own = container.slo
        metrics = getattr(container, "metrics", None)
        if metrics is None and name not in probed:
            continue
        period = Decimal(str(own.period or defaults.period or DEFAULT_PERIOD))
        availability = own.availability if own.availability is not None else defaults.availability
        if availability is not None:
            sli = error_ratio(metrics) if metrics else probe_error_ratio()
            yield Objective(name, "availability", availability / 100, period, sli)
        latency = own.latency or defaults.latency
        if latency is not None:
            under = Decimal(str(latency.under))
            fast = fast_ratio(metrics, under) if metrics else probe_fast_ratio(under)
            yield Objective(name, "latency", latency.for_ / 100, period, f"1 - {fast}")


def sli_rules(objectives: Iterable[Objective]) -> Iterator[RecordingRule]:
    """Yield the error ratio of each window, one rule per window: its operands are of different services."""
    by_slo: dict[str, list[str]] = {}
    for (slo, sli), names in _grouped((o.slo, o.sli, o.service) for o in objectives).items():
        by_slo.setdefault(slo, []).append(sli.replace("<who>", matcher("service", names)))
    for slo, ratios in by_slo.items():
        for window in WINDOWS:
            expr = any_of(ratios).replace("<window>", window)
            yield RecordingRule(f"slo:sli_error:ratio_rate{window}", expr, {"slo": slo})
    if by_slo:
        yield RecordingRule("slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate5m {PER_BUDGET}")


def objective_rules(objectives: Iterable[Objective]) -> Iterator[RecordingRule]:
    """Yield the objectives as exact numbers, one rule for each, because a constant has no labels."""
    for objective in objectives:
        labels = {"service": objective.service, "slo": objective.slo}
        for record, value in (
            ("slo:objective:ratio", objective.ratio),
            ("slo:error_budget:ratio", 1 - objective.ratio),
            ("slo:time_period:days", Fraction(objective.period) / DAY),
        ):
            yield RecordingRule(record, f"vector({number(value)})", labels)


def budget_rules(objectives: Iterable[Objective]) -> Iterator[RecordingRule]:
    """Yield how fast the budget burned over its period, and how much of it is left.

    The period's ratio is the mean of its five-minute ratios, as in sloth: raw counters over 30 days cost too much.
    """
    means = []
    for (period, _), names in _grouped((str(o.period), "", o.service) for o in objectives).items():
        selector = f"{{{matcher('service', list(dict.fromkeys(names)))}}}"
        window = duration_text(float(period))
        means.append(f"avg_over_time(slo:sli_error:ratio_rate5m{selector}[{window}:5m]) {PER_BUDGET}")
    if not means:
        return
    yield RecordingRule("slo:period_burn_rate:ratio", any_of(means))
    yield RecordingRule("slo:period_error_budget_remaining:ratio", "1 - slo:period_burn_rate:ratio")


def burn_rate_expr(alert: str, period: Decimal) -> str:
    """Return the alert's pairs of windows. Both sides of each `or` have the same labels, so nothing is lost."""
    pairs = []
    for rate in BURN_RATES:
        if rate.alert != alert:
            continue
        factor = number(Fraction(rate.factor) * Fraction(period) / (FACTORS_DAYS * DAY))
        over = f"{{<who>}} > {factor} * slo:error_budget:ratio"
        pairs.append(
            f"(\n    slo:sli_error:ratio_rate{rate.short}{over}\n"
            f"  and\n    slo:sli_error:ratio_rate{rate.long}{over}\n)"
        )
    return "\nor\n".join(pairs)


def _grouped(items: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for first, second, name in items:
        groups.setdefault((first, second), []).append(name)
    return groups
