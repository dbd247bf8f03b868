"""Data types of dashboards, which `panels` and `board` turn into Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "stacked", "stat", "bars", "table", "states", "heatmap", "text"]

GREEN, YELLOW, ORANGE, RED, GREY = "green", "yellow", "orange", "red", "text"

COLUMNS = 24
"""The number of columns of Grafana's grid."""

HEIGHT = 8
"""The default height of a panel, in rows of Grafana's grid, 30 pixels each."""

LIMIT = "limit"
"""The legend of a query that is a limit, drawn as a dashed red line."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query. `instant`: query only the end of the time range."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A colour that applies from `value` on; the first step has no value and applies below all others."""

    color: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a label, or the value: `Value` for a single query, `Value #B` for the second of several.

    Numbers are in the panel's unit, because Grafana's published schema has no override of units.
    """

    field: str
    title: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """The link of a click."""

    title: str
    url: str


Mapping = tuple[tuple[str, str, str], ...]
"""Values, each with the text that is shown for it, and its colour."""

UP_OR_DOWN: Mapping = (("0", "down", RED), ("1", "up", GREEN))
YES_OR_NO: Mapping = (("0", "no", RED), ("1", "yes", GREEN))


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `description` says what it shows and which catalog keys it depends on; `empty` is shown without data."""

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str
    description: str
    empty: str = "No data"
    width: int = 8
    height: int = HEIGHT
    steps: tuple[Step, ...] = (Step(GREEN),)
    mapping: Mapping = ()
    minimum: float | None = None
    maximum: float | None = None
    columns: tuple[Column, ...] = ()
    links: tuple[Link, ...] = ()
    interval: str = ""
    """The interval of the samples, such as 30s, if it differs from that of the exporter's."""
    content: str = ""
    """The Markdown of a text panel."""


@dataclass(frozen=True, slots=True)
class Section:
    """A row with a title and the panels below it. A collapsed row sends no queries until it is opened."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable. `values` come from the catalog; without them, `query` asks Prometheus and `regex` selects a part."""

    name: str
    label: str = ""
    query: str = ""
    regex: str = ""
    values: tuple[str, ...] | None = None
    many: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `alerts`: matchers of the firing alerts that are marked on it."""

    name: str
    title: str
    description: str
    sections: tuple[Section, ...]
    variables: tuple[Variable, ...] = ()
    alerts: str = ""
