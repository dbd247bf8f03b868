"""Every output, in one table. A new one is a file and a line here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.base import File, Render


@dataclass(frozen=True, slots=True)
class Output:
    """`module` has a function `render`. `folder` is where its files go: in `gen`'s own folder, or with
    `{environment}` in it, in one for each environment.
    """

    name: str
    module: str
    folder: str

    @property
    def per_environment(self) -> bool:
        return "{environment}" in self.folder

    def render(self, catalog: Catalog) -> Iterable[File]:
        """As `base.Render`; the module is imported only now, since some of them load large libraries."""
        return cast("Render", import_module(self.module).render)(catalog)


OUTPUTS = (
    Output("dashboards", "exporter.outputs.dashboards", "dashboards"),
    Output("alerts", "exporter.outputs.alerts", "alert_rules"),
    Output("prometheus", "exporter.outputs.prometheus", "deploy/{environment}/prometheus"),
    Output("prometheus rules", "exporter.outputs.alerts", "deploy/{environment}/prometheus/rules"),
    Output("alertmanager", "exporter.outputs.alertmanager", "deploy/{environment}/alertmanager"),
    Output("web configuration", "exporter.outputs.web", "deploy/{environment}/exporter"),
    Output("grafana", "exporter.outputs.grafana", "deploy/{environment}/grafana"),
    Output("grafana dashboards", "exporter.outputs.dashboards", "deploy/{environment}/grafana/dashboards"),
    Output("compose", "exporter.outputs.compose", "deploy/{environment}"),
    Output("monitoring stack", "exporter.outputs.monitoring", "deploy/{environment}"),
    Output("scripts' data", "exporter.outputs.scripts.data", "deploy/{environment}"),
    Output("images", "exporter.outputs.images", "deploy/{environment}/images"),
    Output("gateway", "exporter.outputs.gateway", "deploy/{environment}/gateway"),
    Output("scripts", "exporter.outputs.scripts", "scripts"),
)


def output_named(name: str, folder: str) -> Output:
    """One output of the table, made for one environment into a folder of one's own."""
    return replace(next(output for output in OUTPUTS if output.name == name), folder=folder)
