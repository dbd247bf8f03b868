"""Grafana dashboards of a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.base import File


def render(catalog: Catalog) -> Iterable[File]:
    """Yield one file per dashboard."""
    # Imported only here: rules link to dashboards and import `uids` from this package, without grafanalib's 0.25 s.
    from exporter.outputs.dashboards.render_all import render_all

    return render_all(catalog)
