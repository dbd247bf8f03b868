"""The dashboard of objectives: measured values, remaining error budget, and how fast it burns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.burn_rates import BURN_RATES, FACTORS_DAYS
from exporter.outputs.dashboards.model import (
    GREEN,
    LIMIT,
    RED,
    Board,
    Column,
    Panel,
    Query,
    Section,
    Step,
    Variable,
)
from exporter.outputs.dashboards.overview import BUDGET_STEPS
from exporter.outputs.dashboards.phrases import NO_SLO, OF_ROW, OF_SERIES, service_link
from exporter.outputs.dashboards.text import title_of
from exporter.outputs.dashboards.uids import SLOS

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.outputs.burn_rates import BurnRate

CHOSEN = 'service=~"$service",slo=~"$slo"'
BY = "max by (service, slo)"
LEGEND = "{{service}} {{slo}}"

RECORDED = (("now", "slo:current_burn_rate:ratio"), ("over the period", "slo:period_burn_rate:ratio"))


def slos(catalog: Catalog) -> Board:
    return Board(
        SLOS,
        f"{title_of(catalog)} SLOs",
        "Service level objectives: measured values, remaining error budget, and how fast it burns.",
        (
            Section("Objectives", _objectives(catalog)),
            Section("Error budget", _budget(catalog)),
            Section("Burn rates", tuple(map(_burn, BURN_RATES))),
            Section("Errors", _errors()),
        ),
        (
            Variable("service", "Service", "label_values(slo:objective:ratio, service)", many=True),
            Variable("slo", "Objective", values=("availability", "latency"), many=True),
        ),
        'service=~"$service"',
    )


def _ratio(record: str) -> str:
    return f"{BY} ({record}{{{CHOSEN}}})"


def _objectives(catalog: Catalog) -> tuple[Panel, ...]:
    remaining, budget = _ratio("slo:period_error_budget_remaining:ratio"), _ratio("slo:error_budget:ratio")
    return (
        Panel(
            "Objectives",
            "table",
            (
                Query(_ratio("slo:objective:ratio"), instant=True),
                Query(f"1 - (1 - {remaining}) * {budget}", instant=True),
                Query(remaining, instant=True),
            ),
            "percentunit",
            "The objective, what was measured over its period, and the share of the error budget that is left. "
            "Objective and period come from slo of each service and of defaults.",
            NO_SLO,
            24,
            10,
            columns=(
                Column("service", "Service"),
                Column("slo", "SLO"),
                Column("Value #A", "Objective"),
                Column("Value #B", "Measured"),
                Column("Value #C", "Budget left", BUDGET_STEPS),
            ),
            links=(service_link(catalog, OF_ROW),),
        ),
    )


def _budget(catalog: Catalog) -> tuple[Panel, ...]:
    link = service_link(catalog, OF_SERIES)
    return (
        Panel(
            "Error budget left, over time",
            "lines",
            (Query(_ratio("slo:period_error_budget_remaining:ratio"), LEGEND),),
            "percentunit",
            "The share of the period's error budget that is left; below 0 the objective is missed.",
            NO_SLO,
            12,
            steps=(Step(RED), Step(GREEN, 0.0)),
            maximum=1,
            links=(link,),
        ),
        *(
            Panel(
                f"Burn rate {when}",
                "bars",
                (Query(f"sort_desc({_ratio(record)})", LEGEND, instant=True),),
                "short",
                f"How fast the budget burns {when}: at 1 it lasts exactly for the period.",
                NO_SLO,
                6,
                steps=(Step(GREEN), Step(RED, 1)),
                minimum=0,
                links=(link,),
            )
            for when, record in RECORDED
        ),
    )


def _burn(rate: BurnRate) -> Panel:
    budget = f"{_ratio('slo:error_budget:ratio')}"
    return Panel(
        f"Burn rate of {rate.long} and {rate.short}",
        "lines",
        (
            *(
                Query(f"{_ratio(f'slo:sli_error:ratio_rate{window}')} / {budget}", f"{LEGEND} {window}")
                for window in (rate.long, rate.short)
            ),
            Query(f"max(slo:time_period:days{{{CHOSEN}}}) / {FACTORS_DAYS} * {rate.factor}", LIMIT),
        ),
        "short",
        "How fast the error budget burns. An alert fires while both windows are over the dashed line, which is "
        f"{rate.factor} for a period of {FACTORS_DAYS} days.",
        NO_SLO,
        12,
        minimum=0,
    )


def _errors() -> tuple[Panel, ...]:
    return (
        Panel(
            "Share of failures",
            "lines",
            (Query(_ratio("slo:sli_error:ratio_rate5m"), LEGEND),),
            "percentunit",
            "Share of events that missed the objective, over 5 minutes: failed ones for availability, slow ones for "
            "latency.",
            NO_SLO,
            24,
            minimum=0,
        ),
    )
