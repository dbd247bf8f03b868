"""The table of firing alerts, which several dashboards show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import GREY, ORANGE, RED, Column, Link, Panel, Query, Step
from exporter.outputs.dashboards.phrases import NO_ALERTS, OF_ROW, service_link
from exporter.outputs.dashboards.text import address

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog


SEVERITIES = (("critical", "critical", RED), ("warning", "warning", ORANGE), ("info", "info", GREY))


def firing_alerts(catalog: Catalog, title: str, matchers: str, width: int) -> Panel:
    """Return the table. `matchers`: labels that the alerts must have."""
    selected = ",".join(filter(None, ('alertstate="firing"', 'alertname!="Watchdog"', matchers)))
    firing = f"max by (alertname, service, owner, severity) (ALERTS{{{selected}}})"
    return Panel(
        title,
        "table",
        (Query(_named(_named(firing, "service"), "owner"), instant=True),),
        "short",
        "Alerts that are firing, without the watchdog. Rules and limits come from alerts of each service and of "
        "defaults, the owner from owner. A click leads to the service, and to the runbook if defaults.runbooks "
        "is set.",
        NO_ALERTS,
        width,
        mapping=SEVERITIES,
        columns=(
            Column("severity", "Severity", (Step(GREY),)),
            Column("alertname", "Alert"),
            Column("service", "Service"),
            Column("owner", "Owner"),
        ),
        links=(service_link(catalog, OF_ROW), *_runbook(catalog)),
    )


def _named(vector: str, label: str) -> str:
    """Return the vector with a dash for a missing label: an empty cell would show the text for an empty table."""
    return f'label_replace({vector}, "{label}", "-", "{label}", "")'


def _runbook(catalog: Catalog) -> tuple[Link, ...]:
    pattern = catalog.defaults.runbooks
    if pattern is None:
        return ()
    url = address(pattern)  # braces are escaped, so the two placeholders are %7B...%7D here
    url = url.replace("%7Balert%7D", "${__data.fields.alertname}")
    return (Link("Runbook", url.replace("%7Bservice%7D", "${__data.fields.service}")),)
