"""The parts of Grafana's behaviour that tests of dashboards need."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.loading import load_catalog
from exporter.outputs.dashboards import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json = dict[str, Any]

# As in @grafana/scenes 9.2.2 (Apache-2.0): $name, [[name:format]], ${name.path:format}.
_VARIABLE = re.compile(
    r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]"
    r"""|\${(\w+)((?:\.[^:^{}\[\]]+|\["[^"]*"\]|\['[^']*'\]|\[[^\]"']*\])*)(?::([^}]+))?}"""
)


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """Return the text with variables replaced; unknown variables are kept as written."""
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2] or match[4], match[0]), text)


def boards(config: Path, environment: str | None = None) -> dict[str, Json]:
    """Return the dashboards of a catalog, by name."""
    files = render(load_catalog(config, environment))
    return {file.path.removesuffix(".json"): json.loads(file.text) for file in files}


def panels(board: Json) -> Iterator[Json]:
    """Return every panel, including rows and panels inside rows."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    """Return panel titles and queries."""
    for panel in panels(board):
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def variables(board: Json) -> dict[str, Json]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def texts(data: Any) -> Iterator[str]:
    """Return every text anywhere in a document."""
    if isinstance(data, dict):
        for value in data.values():
            yield from texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)
    elif isinstance(data, str):
        yield data
