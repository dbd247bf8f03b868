"""Alert rules, made from recipes and the catalog's settings of each alert."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from textwrap import indent
from typing import TYPE_CHECKING

from exporter.catalog.keys.container.alerts import ALERTS
from exporter.outputs.alerts.containers import CONTAINER_RECIPES
from exporter.outputs.alerts.model import AlertRule, Recipe, Settings, Subject
from exporter.outputs.alerts.own import EXPORTER_RECIPES, SLO_RECIPES
from exporter.outputs.alerts.promql import any_of, literal, matcher, number
from exporter.outputs.alerts.services import SERVICE_RECIPES
from exporter.outputs.alerts.slo import burn_rate_expr
from exporter.outputs.alerts.stores import STORE_RECIPES
from exporter.outputs.dashboards.uids import EXPORTER, OVERVIEW, board_path
from exporter.outputs.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.alerts import Alert, Threshold

RECIPES = (*SERVICE_RECIPES, *CONTAINER_RECIPES, *SLO_RECIPES, *STORE_RECIPES, *EXPORTER_RECIPES)


def alert_rules(catalog: Catalog, subjects: Mapping[str, Sequence[Subject]]) -> Iterator[AlertRule]:
    """Yield all rules; subjects with equal settings share one."""
    for recipe in RECIPES:
        groups: dict[tuple[Settings, str], list[Subject]] = {}
        for subject in subjects[recipe.subjects]:
            settings = settings_of(catalog, recipe.alert, subject)
            if settings and recipe.waits and not _lasts(catalog, recipe.alert, subject):
                settings = replace(settings, for_=settings.for_ + subject.first_due)
            if settings and "<limit>" not in recipe.expr:
                settings = replace(settings, limit=None)
            if settings:
                groups.setdefault((settings, subject.values.get("period", "")), []).append(subject)
        for settings, period, members in _distinct(groups):
            yield _rule(catalog, recipe, settings, period, members)


def _distinct(
    groups: Mapping[tuple[Settings, str], Sequence[Subject]],
) -> Iterator[tuple[Settings, str, tuple[Subject, ...]]]:
    """Yield groups whose rules have different labels, which promtool requires.

    Of groups with the same labels, the largest stays; each subject of the others gets its own rule, with its name as
    a label.
    """
    largest: dict[tuple[str, str | None, str | None], tuple[Settings, str]] = {}
    for key, members in groups.items():
        labels = key[0].severity, key[0].owner, key[0].service
        if labels not in largest or len(members) > len(groups[largest[labels]]):
            largest[labels] = key
    for (settings, period), members in groups.items():
        if (settings, period) in largest.values():
            yield settings, period, tuple(members)
            continue
        for subject in members:
            yield replace(settings, service=settings.service or subject.name), period, (subject,)


def settings_of(catalog: Catalog, alert: str, subject: Subject) -> Settings | None:
    """Return the settings of this alert for this subject, None if it is off.

    The subject's settings come first, then the defaults', then the table's. If a subject has settings of an alert, the
    alert is on there, even if it is off in the defaults.
    """
    table = ALERTS[alert]
    own = subject.alerts.get(alert)
    general = catalog.defaults.alerts.get(alert)
    written = [entry for entry in (own, general) if entry]
    if written and not written[0].enabled:
        return None
    limits = (
        _limit(own.threshold if own else None),
        subject.limit,
        _limit(general.threshold if general else None),
        _limit(table.threshold),
    )
    return Settings(
        severity=next((entry.severity for entry in written if entry.severity), table.severity),
        for_=next((entry.for_ for entry in written if entry.for_ is not None), table.for_),
        limit=next((limit for limit in limits if limit is not None), None),
        owner=subject.owner,
        runbook=_runbook(catalog, alert, own, subject, general),
        service=subject.service,
    )


def _lasts(catalog: Catalog, alert: str, subject: Subject) -> bool:
    """True if the catalog sets how long the condition of this alert must last for this subject."""
    written = (subject.alerts.get(alert), catalog.defaults.alerts.get(alert))
    return any(entry and entry.for_ is not None for entry in written)


def _limit(threshold: Threshold | None) -> Decimal | None:
    if threshold is None:
        return None
    return threshold.value / 100 if threshold.kind == "percentage" else threshold.value


def _shown(alert: str, limit: Decimal) -> str:
    """Return a threshold as people write it. The age of a backup, a duration, has no threshold in the table."""
    threshold = ALERTS[alert].threshold
    if threshold and threshold.kind == "percentage":
        return f"{number(limit * 100)}%"
    if threshold and threshold.kind == "number":
        return number(limit)
    return duration_text(float(limit))


def _runbook(
    catalog: Catalog, alert: str, own: Alert | None, subject: Subject, general: Alert | None
) -> str | None:
    """Return the most specific runbook, as a template."""
    for written in (own and own.runbook, subject.runbook, general and general.runbook):
        if written:
            return literal(written)
    pattern = catalog.defaults.runbooks
    if not pattern:
        return None
    return literal(pattern).replace("{alert}", alert).replace("{service}", "{{ $labels.service }}")


def _rule(
    catalog: Catalog, recipe: Recipe, settings: Settings, period: str, members: tuple[Subject, ...]
) -> AlertRule:
    expr = burn_rate_expr(recipe.alert, Decimal(period)) if period else recipe.expr
    each = (
        any_of([recipe.each.replace("<who>", matcher(recipe.label, [s.name])) for s in members])
        if recipe.each
        else ""
    )
    shown = "" if settings.limit is None else _shown(recipe.alert, settings.limit)
    limit = "" if settings.limit is None else number(settings.limit)
    names = [subject.name for subject in members]
    labels = {"severity": settings.severity}
    if settings.owner:
        labels["owner"] = settings.owner
    if settings.service:
        labels["service"] = settings.service
    annotations = {
        "summary": recipe.summary,
        "description": recipe.description.replace("<shown>", shown),
    }
    if settings.runbook:
        annotations["runbook_url"] = settings.runbook
    if catalog.grafana.url:
        annotations["dashboard_url"] = _dashboard(catalog, recipe.dashboard)
    return AlertRule(
        recipe=recipe,
        expr=expr.replace("<each>", indent(each, "  ").lstrip())
        .replace("<who>", matcher(recipe.label, names))
        .replace("<limit>", limit),
        settings=settings,
        subjects=members,
        labels=dict(sorted(labels.items())),
        annotations=annotations,
    )


def _dashboard(catalog: Catalog, name: str) -> str:
    page = literal(str(catalog.grafana.url)).rstrip("/") + board_path(catalog.project, name)
    return page if name in (OVERVIEW, EXPORTER) else f"{page}?var-service={{{{ $labels.service }}}}"
