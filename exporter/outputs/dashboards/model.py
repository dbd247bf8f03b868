"""What a dashboard is made of, as data. `panels` and `board` turn it into Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "stacked", "stat", "bars", "table", "states", "heatmap", "text"]

GREEN, YELLOW, ORANGE, RED, GREY = "green", "yellow", "orange", "red", "text"

COLUMNS = 24
"""Of Grafana's grid."""

HEIGHT = 8
"""Of a panel, in rows of Grafana's grid: 30 pixels each."""

LIMIT = "limit"
"""The legend of a query that is a limit: drawn as a dashed red line."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query. `instant`: only its value at the end of the time range."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A colour from a value on; the first step has none and holds below all others."""

    color: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the label it shows, or `Value` of the only query and `Value #B` of one of several.

    Numbers are in the panel's unit, since Grafana's published schema knows no override of a unit.
    """

    field: str
    title: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Where a click leads."""

    title: str
    url: str


Mapping = tuple[tuple[str, str, str], ...]
"""Values, the text that stands for each, and its colour."""

UP_OR_DOWN: Mapping = (("0", "down", RED), ("1", "up", GREEN))
YES_OR_NO: Mapping = (("0", "no", RED), ("1", "yes", GREEN))


@dataclass(frozen=True, slots=True)
class Panel:
    """`description` says what is shown and which part of the catalog gives it; `empty` stands where no data is."""

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
    """Time between two samples, such as 30s, where it is not that of the exporter's."""
    content: str = ""
    """Markdown of a text panel."""


@dataclass(frozen=True, slots=True)
class Section:
    """A row with a title and the panels below it. A collapsed one asks nothing until it is opened."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """`values` are those of the catalog; without them `query` asks Prometheus, and `regex` takes a part of it."""

    name: str
    label: str = ""
    query: str = ""
    regex: str = ""
    values: tuple[str, ...] | None = None
    many: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """`alerts`: the labels of the firing alerts that are marked on it."""

    name: str
    title: str
    description: str
    sections: tuple[Section, ...]
    variables: tuple[Variable, ...] = ()
    alerts: str = ""
