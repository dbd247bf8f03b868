"""The pass that upgrades grafanalib's JSON to the current schema: only keys that Grafana knows, ids, no nulls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grafanalib.core import HIDE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from grafanalib.core import Dashboard

Json = dict[str, Any]

DASHBOARD_KEYS = (
    "uid", "title", "description", "tags", "editable", "graphTooltip", "schemaVersion", "timezone", "refresh",
    "time", "timepicker", "links", "annotations", "templating", "panels",
)  # fmt: skip
PANEL_KEYS = (
    "id", "type", "title", "description", "datasource", "gridPos", "targets", "fieldConfig", "options",
    "transformations", "transparent",
)  # fmt: skip
ROW_KEYS = ("id", "type", "title", "collapsed", "gridPos", "panels")
TARGET_KEYS = ("refId", "datasource", "expr", "format", "interval", "legendFormat", "instant")
TIMEPICKER_KEYS = ("refresh_intervals", "hidden")
RETIRED_CUSTOM_KEYS = {"displayMode"}
"""A setting of table cells, replaced by `cellOptions`."""

_ANY_VARIABLE = ("type", "name", "label", "hide", "query")
_CHOICE = ("current", "options", "multi", "includeAll", "allValue")
VARIABLE_KEYS = {
    "datasource": (*_ANY_VARIABLE, "current", "refresh"),
    "custom": (*_ANY_VARIABLE, *_CHOICE),
    "query": (*_ANY_VARIABLE, *_CHOICE, "definition", "datasource", "refresh", "regex", "sort"),
}


def current(dashboard: Dashboard) -> Json:
    """Return the dashboard in the format that Grafana 13 reads from a file."""
    raw: Json = json.loads(json.dumps(dashboard, default=_json_data))
    board = _kept(raw, DASHBOARD_KEYS)
    board["timepicker"] = _kept(board["timepicker"], TIMEPICKER_KEYS)
    board["templating"] = {"list": [_variable(variable) for variable in raw["templating"]["list"]]}
    board["panels"] = [_panel(panel) for panel in raw["panels"]]
    for number, panel in enumerate(_flat(board["panels"]), start=1):
        panel["id"] = number
    return board


def _json_data(value: Any) -> Any:
    """Return the JSON of a grafanalib object."""
    return value.to_json_data()


def as_text(board: Json) -> str:
    """Return the file's text, with keys in the order of the code, which is stable."""
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


def _kept(data: Json, keys: Iterable[str]) -> Json:
    return {key: without_nulls(data[key]) for key in keys if data.get(key) is not None}


def _panel(raw: Json) -> Json:
    if raw["type"] == "row":
        row = _kept(raw, ROW_KEYS)
        row["panels"] = [_panel(panel) for panel in raw["panels"]]
        return row
    panel = _kept(raw, PANEL_KEYS)
    if raw["type"] == "text":
        del panel["targets"], panel["fieldConfig"]
        return panel
    panel["targets"] = [
        {
            **{key: value for key, value in _kept(target, TARGET_KEYS).items() if value != ""},
            "editorMode": "code",
            "range": not target["instant"],
        }
        for target in raw["targets"]
    ]
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    for key in RETIRED_CUSTOM_KEYS & custom.keys():
        del custom[key]
    return panel


def _variable(raw: Json) -> Json:
    variable = _kept(raw, VARIABLE_KEYS[raw["type"]])
    choice = variable["current"]
    if choice.get("value") is None:
        del variable["current"]
    else:
        text = "All" if choice["value"] == "$__all" else choice["text"]
        variable["current"] = {"text": text, "value": choice["value"]}
    if raw["type"] == "query":
        variable["definition"] = variable["query"]
    if raw["hide"] == HIDE_VARIABLE:
        variable["skipUrlSync"] = True  # it depends on another variable, so links must not set it
    return variable


def _flat(panels: list[Json]) -> Iterator[Json]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", []))


def without_nulls(data: Any) -> Any:
    """Return the data without null keys. The null of a first threshold stays: it means minus infinity."""
    if isinstance(data, dict):
        is_step = data.keys() == {"color", "value"}
        return {key: without_nulls(value) for key, value in data.items() if value is not None or is_step}
    return [without_nulls(item) for item in data] if isinstance(data, list) else data
