"""The overview dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.alerts import firing_alerts
from exporter.outputs.dashboards.limits import certificate_ends, certificate_steps, red_over
from exporter.outputs.dashboards.model import (
    GREEN,
    ORANGE,
    RED,
    UP_OR_DOWN,
    Board,
    Column,
    Panel,
    Query,
    Section,
    Step,
)
from exporter.outputs.dashboards.phrases import (
    NO_CONTAINERS,
    NO_PROBES,
    NO_REQUESTS,
    NO_SLO,
    NO_TLS,
    OF_ROW,
    OF_SERIES,
    service_link,
)
from exporter.outputs.dashboards.text import markdown, title_of
from exporter.outputs.dashboards.uids import OVERVIEW

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

STATE = "min by (service) (probe_success)"
LITTLE_BUDGET = 0.25
LISTED = 10
"""The number of services in a list of the worst."""

BUDGET_STEPS = (Step(RED), Step(ORANGE, 0.0), Step(GREEN, LITTLE_BUDGET))


def overview(catalog: Catalog) -> Board:
    return Board(
        OVERVIEW,
        f"{title_of(catalog)} Infrastructure Dashboard",
        catalog.description or f"Everything of {title_of(catalog)} at a glance.",
        (
            Section("State", _state(catalog)),
            Section("Objectives", _objectives(catalog)),
            Section("Requests", _requests(catalog)),
            Section("What to look at", _worst(catalog)),
            Section("About", (_about(catalog),), collapsed=True),
        ),
    )


def _state(catalog: Catalog) -> tuple[Panel, ...]:
    link = service_link(catalog, OF_SERIES)
    return (
        Panel(
            "State of each service",
            "stat",
            (Query(STATE, "{{service}}", instant=True),),
            "short",
            "Up when every probe of the service or store succeeds. Probes come from health, probes and port. Click one "
            "to open its page.",
            NO_PROBES,
            14,
            steps=(Step(RED), Step(GREEN, 1)),
            mapping=UP_OR_DOWN,
            links=(link,),
        ),
        firing_alerts(catalog, "Firing alerts", "", 10),
        Panel(
            "State over time",
            "states",
            (Query(STATE, "{{service}}"),),
            "short",
            "When each service and store was up. A gap means that it was not probed, which is not the same as down.",
            NO_PROBES,
            24,
            10,
            steps=(Step(RED), Step(GREEN, 1)),
            mapping=UP_OR_DOWN,
            links=(link,),
        ),
    )


def _objectives(catalog: Catalog) -> tuple[Panel, ...]:
    availability = '{slo="availability"}'
    measured = (
        f"1 - (1 - max by (service) (slo:period_error_budget_remaining:ratio{availability}))"
        f" * max by (service) (slo:error_budget:ratio{availability})"
    )
    return (
        Panel(
            "Availability against SLO",
            "table",
            (
                Query(f"max by (service) (slo:objective:ratio{availability})", instant=True),
                Query(measured, instant=True),
                Query(
                    f"max by (service) (slo:period_error_budget_remaining:ratio{availability})", instant=True
                ),
            ),
            "percentunit",
            "The objective of each service, what was measured over its period, and the share of the error budget that "
            "is left. Objective and period come from slo of each service and of defaults.",
            NO_SLO,
            12,
            10,
            columns=(
                Column("service", "Service"),
                Column("Value #A", "Objective"),
                Column("Value #B", "Measured"),
                Column("Value #C", "Budget left", BUDGET_STEPS),
            ),
            links=(service_link(catalog, OF_ROW),),
        ),
        Panel(
            "Error budget left",
            "bars",
            (
                Query(
                    f"sort(max by (service) (slo:period_error_budget_remaining:ratio{availability}))",
                    "{{service}}",
                    instant=True,
                ),
            ),
            "percentunit",
            "The share of the period's error budget for availability that is left; below 0 the objective is missed. "
            "Set with slo.availability and slo.period.",
            NO_SLO,
            12,
            10,
            steps=BUDGET_STEPS,
            minimum=0,
            maximum=1,
            links=(service_link(catalog, OF_SERIES),),
        ),
    )


def _requests(catalog: Catalog) -> tuple[Panel, ...]:
    link = service_link(catalog, OF_SERIES)
    return (
        Panel(
            "p95 response time",
            "lines",
            (Query("service:http_request_duration_seconds:p95_5m", "{{service}}"),),
            "s",
            "95th percentile over 5 minutes, from the services' own metrics. The line is the limit of HighLatency in "
            "defaults.alerts; a service's own limit is on its page.",
            NO_REQUESTS,
            12,
            steps=red_over(catalog, "HighLatency"),
            minimum=0,
            links=(link,),
        ),
        Panel(
            "5xx ratio",
            "lines",
            (Query("service:http_request_errors:ratio_rate5m", "{{service}}"),),
            "percentunit",
            "Share of requests answered with 5xx, over 5 minutes, from the services' own metrics. The line is the "
            "limit of HighErrorRate in defaults.alerts; a service's own limit is on its page.",
            NO_REQUESTS,
            12,
            steps=red_over(catalog, "HighErrorRate"),
            minimum=0,
            links=(link,),
        ),
    )


def _worst(catalog: Catalog) -> tuple[Panel, ...]:
    link = service_link(catalog, OF_SERIES)
    slowest = f"topk({LISTED}, max by (service) (avg_over_time(probe_duration_seconds[5m])))"
    expiry = f"min by (service) ({certificate_ends()}) - time()"
    return (
        Panel(
            "Slowest services",
            "bars",
            (Query(f"sort_desc({slowest})", "{{service}}", instant=True),),
            "s",
            "Mean probe duration over 5 minutes, of the slowest probe of each service. Red from the limit of "
            "ServiceSlow in defaults.alerts.",
            NO_PROBES,
            steps=red_over(catalog, "ServiceSlow"),
            minimum=0,
            links=(link,),
        ),
        Panel(
            "Soonest certificate expiry",
            "bars",
            (Query(f"sort(bottomk({LISTED}, {expiry}))", "{{service}}", instant=True),),
            "dtdurations",
            "Time until the first certificate of the verified chain expires, or of the presented chain if verification "
            "failed; below 0 it has expired. Colours change at the limits of CertificateExpiring and "
            "CertificateExpiringSoon in defaults.alerts.",
            NO_TLS,
            steps=certificate_steps(catalog),
            links=(link,),
        ),
        Panel(
            "Containers by state",
            "stacked",
            (Query("sum by (state) (container_state)", "{{state}}"),),
            "short",
            "Number of containers in each state, including stopped ones. Read from Docker; see exporter.containers.",
            NO_CONTAINERS,
            minimum=0,
        ),
    )


def _about(catalog: Catalog) -> Panel:
    """Return a text panel with the catalog's descriptions."""
    default = catalog.defaults.owner or ""
    needs = {name: ", ".join(service.depends_on) for name, service in catalog.services.items()}
    lines = [
        f"| {name} | {markdown(item.description)} | {item.owner or default} | {needs.get(name, '')} |"
        for name, item in (*catalog.services.items(), *catalog.stores.items())
    ]
    about = f"{markdown(catalog.description)}\n\n" if catalog.description else ""
    table = "\n".join(
        ("| Service or store | What it does | Owner | Depends on |", "|---|---|---|---|", *lines)
    )
    return Panel(
        "Services and stores",
        "text",
        (),
        "",
        "",
        width=24,
        height=12,
        content=f"{about}{table}",
    )
