"""A dashboard built with grafanalib: layout, variables, annotations and links to the other dashboards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from grafanalib import core

from exporter.outputs.dashboards.model import COLUMNS
from exporter.outputs.dashboards.panels import SOURCE, build
from exporter.outputs.dashboards.phrases import KEPT
from exporter.outputs.dashboards.scope import scope_variables, scoped, scoped_variable
from exporter.outputs.dashboards.uids import BOARDS, SERVICE, STORES, board_path, board_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.dashboards.model import Board, Panel, Section, Variable

PRODUCT_TAG = "pageforge-exporter"
SCHEMA_VERSION = 42
REFRESH = "30s"
REFRESH_CHOICES = ["10s", "30s", "1m", "5m", "15m", "1h"]
SHARED_CROSSHAIR = 1
ON_LOAD, ON_TIME_CHANGE = 1, 2
ALPHABETICAL = 1
ALL = "$__all"
"""Grafana's value for "All"."""

LINK_TITLES = ("Overview", "Service", "Containers", "SLOs", "Stores", "Exporter")


def dashboard(board: Board, catalog: Catalog) -> core.Dashboard:
    """Return the dashboard as a grafanalib object."""
    return core.Dashboard(
        title=board.title,
        description=board.description,
        uid=board_uid(catalog.project, board.name),
        tags=[catalog.project, PRODUCT_TAG],
        editable=False,
        graphTooltip=SHARED_CROSSHAIR,
        schemaVersion=SCHEMA_VERSION,
        timezone="browser",
        refresh=REFRESH,
        time=core.Time("now-6h", "now"),
        timePicker=core.TimePicker(refreshIntervals=REFRESH_CHOICES, timeOptions=None),
        links=list(_links(board, catalog)),
        annotations=core.Annotations(list=list(_annotations(board))),
        templating=core.Templating(
            list=[
                _datasource(catalog),
                *(_variable(variable) for variable in scope_variables(catalog)),
                *(
                    _variable(replace(variable, query=scoped_variable(variable.query)))
                    for variable in board.variables
                ),
            ]
        ),
        panels=list(_panels(board.sections)),
    )


def _panels(sections: tuple[Section, ...]) -> Iterator[core.Panel]:
    """Yield rows from top to bottom, with panels from left to right, wrapped when 24 columns are full."""
    y = 0
    for section in sections:
        position = core.GridPos(h=1, w=COLUMNS, x=0, y=y)
        placed, bottom = _placed(section.panels, y + 1)
        if section.collapsed:
            yield core.RowPanel(title=section.title, gridPos=position, collapsed=True, panels=placed)
            y += 1
        else:
            yield core.RowPanel(title=section.title, gridPos=position)
            yield from placed
            y = bottom


def _placed(panels: tuple[Panel, ...], top: int) -> tuple[list[core.Panel], int]:
    """Return the panels with their positions, and the first free line below them."""
    placed, x, y, height = [], 0, top, 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, height = 0, y + height, 0
        placed.append(build(panel, core.GridPos(h=panel.height, w=panel.width, x=x, y=y)))
        x, height = x + panel.width, max(height, panel.height)
    return placed, y + height


def _links(board: Board, catalog: Catalog) -> Iterator[core.DashboardLink]:
    """Yield links to the other dashboards, with the time range and the variables.

    The selected services are passed on only if they are valid there: the service page needs exactly one, and the stores
    page has only stores.
    """
    chooses = any(variable.name == "service" for variable in board.variables)
    for name, title in zip(BOARDS, LINK_TITLES, strict=True):
        if name == board.name:
            continue
        path = board_path(catalog.project, name)
        fits = not (chooses and name in (SERVICE, STORES))
        yield core.DashboardLink(
            title=title,
            uri=path if fits else f"{path}?{KEPT}",
            type="link",
            icon="dashboard",
            keepTime=True,
            includeVars=fits,
        )


def _datasource(catalog: Catalog) -> core.Template:
    return core.Template(
        name="datasource",
        label="Data source",
        type="datasource",
        query="prometheus",
        default=catalog.grafana.datasource,
    )


def _variable(variable: Variable) -> core.Template:
    common: dict[str, Any] = {
        "name": variable.name,
        "label": variable.label,
        "multi": variable.many,
        "includeAll": variable.many,
        "hide": core.HIDE_VARIABLE if variable.hidden else core.SHOW,
    }
    if variable.values is None:
        return core.Template(
            **common,
            type="query",
            query=variable.query,
            regex=variable.regex,
            dataSource=SOURCE,
            refresh=ON_LOAD if variable.hidden else ON_TIME_CHANGE,
            sort=ALPHABETICAL,
            default=ALL if variable.many else None,
            allValue=".*" if variable.many else None,  # short, and includes names that are not in the catalog
        )
    choices = (ALL, *variable.values) if variable.many else variable.values
    options = [
        {"text": "All" if value == ALL else value, "value": value, "selected": value == choices[0]}
        for value in choices
    ]
    return core.Template(**common, type="custom", query=",".join(variable.values), options=options)


def _annotations(board: Board) -> Iterator[dict[str, Any]]:
    yield {
        "name": "Annotations",
        "type": "dashboard",
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "blue",
    }
    yield {
        "name": "Deployments",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "purple",
        "expr": scoped("exporter_deploy_timestamp_seconds * 1000"),
        "useValueForTime": True,  # the value is the moment of the deploy, in milliseconds
        "titleFormat": "Deployed {{version}}",
    }
    yield {
        "name": "Firing alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": scoped(
            f'ALERTS{{alertstate="firing",alertname!="Watchdog"{"," if board.alerts else ""}{board.alerts}}}'
        ),
        "titleFormat": "{{alertname}}",
        "textFormat": "{{service}} ({{severity}})",
        "tagKeys": "service,severity",
    }
