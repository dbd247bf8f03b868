"""All dashboards of a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.base import File
from exporter.outputs.dashboards.board import dashboard
from exporter.outputs.dashboards.containers import containers
from exporter.outputs.dashboards.current import as_text, current
from exporter.outputs.dashboards.exporter import exporter
from exporter.outputs.dashboards.overview import overview
from exporter.outputs.dashboards.service import service
from exporter.outputs.dashboards.slos import slos
from exporter.outputs.dashboards.stores import stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog

MAKERS = (overview, service, containers, slos, stores, exporter)


def render_all(catalog: Catalog) -> Iterator[File]:
    """Yield one file per dashboard, with the dashboard's name."""
    for make in MAKERS:
        board = make(catalog)
        yield File(f"{board.name}.json", as_text(current(dashboard(board, catalog))))
