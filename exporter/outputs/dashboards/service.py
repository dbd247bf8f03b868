"""The dashboard of any one service or store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.base import any_name
from exporter.outputs.dashboards.alerts import firing_alerts
from exporter.outputs.dashboards.limits import certificate_ends, certificate_steps, service_limits
from exporter.outputs.dashboards.lookups import lookup
from exporter.outputs.dashboards.model import (
    GREEN,
    LIMIT,
    ORANGE,
    RED,
    UP_OR_DOWN,
    Board,
    Panel,
    Query,
    Section,
    Step,
    Variable,
)
from exporter.outputs.dashboards.phrases import (
    NO_PROBES,
    NO_SLO,
    NO_TLS,
    OF_SERIES,
    service_link,
)
from exporter.outputs.dashboards.service_containers import containers_of_service
from exporter.outputs.dashboards.service_requests import requests
from exporter.outputs.dashboards.text import title_of
from exporter.outputs.dashboards.uids import SERVICE

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

OWN = 'service="$service"'
PROBE = f'{OWN},probe="$probe"'
NEEDED = 'service=~"${depends:raw}"'
NOTHING = "-"
"""The value for no dependency: no service can have this name."""

NO_DEPENDENCY = "No dependencies: set depends_on"
UP_STEPS = (Step(RED), Step(GREEN, 1))

LIMIT_VARIABLES = {
    "error_limit": "HighErrorRate",
    "latency_limit": "HighLatency",
    "slow_limit": "ServiceSlow",
    "memory_limit": "HighMemoryUsage",
}


def service(catalog: Catalog) -> Board:
    return Board(
        SERVICE,
        f"{title_of(catalog)} Service",
        "One service or store: its probes, requests, dependencies and containers.",
        (
            Section("Now", _now(catalog)),
            Section("Probes", _probes()),
            Section("Requests, from the service's metrics", requests(catalog)),
            Section("Dependencies", _dependencies(catalog)),
            Section("Containers", containers_of_service()),
        ),
        _variables(catalog),
        OWN,
    )


def _variables(catalog: Catalog) -> tuple[Variable, ...]:
    everything = {**catalog.services, **catalog.stores}
    depends = {name: any_name(item.depends_on) for name, item in everything.items() if item.depends_on}
    return (
        Variable("service", "Service", 'label_values({__name__=~"probe_success|container_state"}, service)'),
        Variable("probe", "Probe", f"label_values(probe_success{{{OWN}}}, probe)"),
        lookup("depends", depends, NOTHING),
        *(
            lookup(name, *service_limits(catalog, alert, everything))
            for name, alert in LIMIT_VARIABLES.items()
        ),
    )


def _now(catalog: Catalog) -> tuple[Panel, ...]:
    return (
        Panel(
            "State",
            "stat",
            (Query(f"min(probe_success{{{OWN}}})", "state", instant=True),),
            "short",
            "Up when every probe succeeds. Probes come from health, probes and port.",
            NO_PROBES,
            3,
            4,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
        ),
        Panel(
            "Why it fails",
            "stat",
            (Query(f"probe_failure_info{{{OWN}}}", "{{probe}}: {{reason}}", instant=True),),
            "short",
            "The probes that fail now, and the reason of each.",
            "No probe fails",
            5,
            4,
            steps=(Step(RED),),
            mapping=(("1", "failing", RED),),
        ),
        Panel(
            "Error budget left",
            "stat",
            (
                Query(
                    f"max by (slo) (slo:period_error_budget_remaining:ratio{{{OWN}}})",
                    "{{slo}}",
                    instant=True,
                ),
            ),
            "percentunit",
            "The share of the period's error budget that is left; below 0 the objective is missed. Set with slo.",
            NO_SLO,
            4,
            4,
            steps=(Step(RED), Step(ORANGE, 0.0), Step(GREEN, 0.25)),
        ),
        Panel(
            "Certificate expires in",
            "stat",
            (Query(f"min({certificate_ends(OWN)}) - time()", "certificate", instant=True),),
            "dtdurations",
            "Time until the first certificate of the verified chain expires, or of the presented chain if verification "
            "failed. Colours change at the limits of CertificateExpiring and CertificateExpiringSoon in "
            "defaults.alerts.",
            NO_TLS,
            4,
            4,
            steps=certificate_steps(catalog),
        ),
        firing_alerts(catalog, "Firing alerts", OWN, 8),
    )


def _probes() -> tuple[Panel, ...]:
    phases = tuple(
        Query(f"sum by (phase) (probe_{protocol}_duration_seconds{{{PROBE}}})", "{{phase}}")
        for protocol in ("http", "dns", "icmp")
    )
    return (
        Panel(
            "Probe state over time",
            "states",
            (Query(f"min by (probe) (probe_success{{{OWN}}})", "{{probe}}"),),
            "short",
            "When each probe of the service succeeded. A gap means that it was not probed.",
            NO_PROBES,
            12,
            6,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
        ),
        Panel(
            "Reasons over time",
            "states",
            (Query(f"max by (probe, reason) (probe_failure_info{{{OWN}}})", "{{probe}}: {{reason}}"),),
            "short",
            "Why probes failed, and when. docs/metrics.md explains each reason.",
            "No probe failed in this time",
            12,
            6,
            steps=(Step(RED),),
            mapping=(("1", "failing", RED),),
        ),
        Panel(
            "Duration and limit",
            "lines",
            (
                Query(f"probe_duration_seconds{{{PROBE}}}", "{{probe}}"),
                Query("vector(${slow_limit:raw})", LIMIT),
            ),
            "s",
            "How long the selected probe took. The dashed line is the limit of ServiceSlow for this service.",
            NO_PROBES,
            minimum=0,
        ),
        Panel(
            "Phases",
            "stacked",
            phases,
            "s",
            "How long each phase of the selected probe took. Phases that were not reached are absent.",
            "No phases: only HTTP, DNS and ICMP probes have them",
            minimum=0,
        ),
        Panel(
            "Latency",
            "heatmap",
            (
                Query(
                    f"sum by (le) (increase(probe_latency_seconds_bucket{{{PROBE}}}[$__rate_interval]))",
                    "{{le}}",
                ),
            ),
            "s",
            "Distribution of the durations of successful probes. Failed ones are left out, so a quick failure does not "
            "count as a fast answer.",
            NO_PROBES,
        ),
    )


def _dependencies(catalog: Catalog) -> tuple[Panel, ...]:
    link = service_link(catalog, OF_SERIES)
    return (
        Panel(
            "State of dependencies",
            "stat",
            (Query(f"min by (service) (probe_success{{{NEEDED}}})", "{{service}}", instant=True),),
            "short",
            "The services and stores in depends_on of this service. Click one to open its page.",
            NO_DEPENDENCY,
            6,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
            links=(link,),
        ),
        Panel(
            "State of dependencies over time",
            "states",
            (Query(f"min by (service) (probe_success{{{NEEDED}}})", "{{service}}"),),
            "short",
            "When each service and store in depends_on was up. Compare it with the state of this service above.",
            NO_DEPENDENCY,
            9,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
            links=(link,),
        ),
        Panel(
            "Probe durations of dependencies",
            "lines",
            (Query(f"max by (service) (probe_duration_seconds{{{NEEDED}}})", "{{service}}"),),
            "s",
            "The slowest probe of each service and store in depends_on.",
            NO_DEPENDENCY,
            9,
            minimum=0,
            links=(link,),
        ),
    )
