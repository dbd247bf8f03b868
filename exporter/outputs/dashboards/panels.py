"""A panel built with grafanalib. `current` upgrades what grafanalib writes in an older format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grafanalib import core

from exporter.outputs.dashboards.model import LIMIT, RED
from exporter.outputs.dashboards.scope import scoped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.outputs.dashboards.model import Column, Kind, Link, Mapping, Panel, Step

Json = dict[str, Any]

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
"""The data source that the variable names."""


class BarGauge(core.Panel):  # type: ignore[misc]  # grafanalib is untyped
    """A bar gauge; grafanalib's own writes `fieldOptions`, which Grafana 7 removed."""

    def to_json_data(self) -> Json:
        options = {
            "displayMode": "basic",
            "orientation": "horizontal",
            "valueMode": "color",
            "showUnfilled": True,
            "minVizHeight": 16,
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
        json: Json = self.panel_json({"type": "bargauge", "options": options})
        return json


def build(panel: Panel, position: core.GridPos) -> core.Panel:
    """Return the panel as a grafanalib object."""
    if panel.kind == "text":
        return core.Text(title=panel.title, content=panel.content, gridPos=position)
    return _BUILDERS[panel.kind](
        panel,
        {
            "title": panel.title,
            "description": panel.description,
            "dataSource": SOURCE,
            "gridPos": position,
            "targets": _targets(panel),
            "thresholds": steps_json(panel.steps),
            "maxDataPoints": None,  # grafanalib's default of 100 is less than the panel's width in pixels
        },
    )


def _targets(panel: Panel) -> list[core.Target]:
    form = {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series")
    return [
        core.Target(
            expr=scoped(query.expr),
            legendFormat=query.legend,
            instant=query.instant,
            format=form,
            interval=panel.interval,
            datasource=SOURCE,
            refId=chr(ord("A") + index % 26) * (index // 26 + 1),  # A to Z, AA to ZZ
        )
        for index, query in enumerate(panel.queries)
    ]


def steps_json(steps: Iterable[Step]) -> list[Json]:
    return [{"color": step.color, "value": step.value} for step in steps]


def _mappings(mapping: Mapping) -> list[Json]:
    options = {
        value: {"text": text, "color": color, "index": index}
        for index, (value, text, color) in enumerate(mapping)
    }
    return [{"type": "value", "options": options}] if options else []


def _links(links: Iterable[Link]) -> list[core.DashboardLink]:
    """Return links of values. Grafana needs only title and URL, but its schema all keys of a dashboard link."""
    return [core.DashboardLink(title=link.title, uri=link.url, type="link", keepTime=False) for link in links]


def _extra(panel: Panel, **more: Any) -> Json:
    """Return the field settings of every kind of panel, and settings that grafanalib lacks."""
    defaults = {
        "unit": panel.unit,
        "noValue": panel.empty,
        "min": panel.minimum,
        "max": panel.maximum,
        "mappings": _mappings(panel.mapping),
        "links": _links(panel.links),
        **more.pop("defaults", {}),
    }
    return {"fieldConfig": {"defaults": defaults, **more.pop("fields", {})}, **more}


def _of(name: str) -> Json:
    """Return the matcher of one series or column. Not `byName`: its plain text does not match Grafana's schema."""
    return {"id": "byNames", "options": {"mode": "include", "names": [name]}}


_LIMIT_STYLE = {
    "matcher": _of(LIMIT),
    "properties": [
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
        {"id": "color", "value": {"mode": "fixed", "fixedColor": RED}},
    ],
}


def _lines(panel: Panel, common: Json, **style: Any) -> core.Panel:
    has_limit = any(step.value is not None for step in panel.steps)
    own_limit = any(query.legend == LIMIT for query in panel.queries)
    return core.TimeSeries(
        **common,
        **style,
        unit=panel.unit,
        lineWidth=1,
        showPoints="never",
        tooltipMode="multi",
        tooltipSort="desc",
        legendDisplayMode="list",
        thresholdsStyleMode="dashed" if has_limit else "off",
        extraJson=_extra(panel, fields={"overrides": [_LIMIT_STYLE] if own_limit else []}),
    )


def _plain_lines(panel: Panel, common: Json) -> core.Panel:
    return _lines(panel, common, fillOpacity=5, stacking={"mode": "none", "group": "A"})


def _stacked(panel: Panel, common: Json) -> core.Panel:
    return _lines(panel, common, fillOpacity=40, stacking={"mode": "normal", "group": "A"})


def _stat(panel: Panel, common: Json) -> core.Panel:
    return core.Stat(
        **common,
        format=panel.unit,
        colorMode="background" if panel.mapping else "value",
        graphMode="none",
        textMode="value_and_name" if any("{{" in query.legend for query in panel.queries) else "value",
        reduceCalc="lastNotNull",
        extraJson=_extra(panel, defaults={"color": {"mode": "thresholds"}}),
    )


def _bars(panel: Panel, common: Json) -> core.Panel:
    defaults = {"color": {"mode": "thresholds"}}
    return BarGauge(**common, extraJson=_extra(panel, defaults=defaults, fields={"overrides": []}))


def _states(panel: Panel, common: Json) -> core.Panel:
    return core.StateTimeline(
        **common,
        showValue="never",
        tooltipMode="multi",
        extraJson=_extra(
            panel,
            defaults={"color": {"mode": "thresholds"}},
            options={"legend": {"showLegend": bool(panel.mapping)}},
        ),
    )


def _table(panel: Panel, common: Json) -> core.Panel:
    transformations: list[Json] = [{"id": "merge", "options": {}}] if len(panel.queries) > 1 else []
    transformations.append(
        {
            "id": "organize",
            "options": {
                "includeByName": {column.field: True for column in panel.columns},
                "indexByName": {column.field: index for index, column in enumerate(panel.columns)},
                "renameByName": {column.field: column.title for column in panel.columns},
            },
        }
    )
    return core.Table(
        **common,
        unit=panel.unit,
        transformations=transformations,
        extraJson=_extra(
            panel,
            defaults={"custom": {"cellOptions": {"type": "auto"}}},
            fields={"overrides": [_column(column) for column in panel.columns if column.steps]},
            options={"cellHeight": "sm"},
        ),
    )


def _column(column: Column) -> Json:
    properties = [
        {"id": "thresholds", "value": {"mode": "absolute", "steps": steps_json(column.steps)}},
        {"id": "custom.cellOptions", "value": {"type": "color-text"}},
    ]
    return {"matcher": _of(column.title), "properties": properties}


def _heatmap(panel: Panel, common: Json) -> core.Panel:
    options = {
        "calculate": False,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
        },
        "cellGap": 1,
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "unit": panel.unit, "reverse": False},
        "cellValues": {"unit": "short", "decimals": 0},
    }
    return core.Heatmap(**common, options=options, extraJson=_extra(panel, fields={"overrides": []}))


_BUILDERS: dict[Kind, Callable[[Panel, Json], core.Panel]] = {
    "lines": _plain_lines,
    "stacked": _stacked,
    "stat": _stat,
    "bars": _bars,
    "table": _table,
    "states": _states,
    "heatmap": _heatmap,
}
