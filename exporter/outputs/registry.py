"""The table of all outputs. To add one, write a module and add a line here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from exporter.outputs.base import shared_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import Finding
    from exporter.outputs.base import File, Notes, Render, Shared, Split

DEPLOY = "deploy/{environment}"
RETIRED = (f"{DEPLOY}/grafana/dashboards",)
"""Folders of each environment that earlier versions filled."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output: `module` has a function `render`, and `folder` is where its files go, relative to `gen`'s folder.

    With `{environment}` in `folder`, each environment has its own. With `own`, `folder` gets the files that are equal
    in all environments, and `own` those that only one environment has. A module with a function `split` divides its
    files itself; otherwise whole files are compared. Outputs with `deploys` are left out if the catalog deploys
    nothing.
    """

    name: str
    module: str
    folder: str
    own: str = ""
    deploys: bool = True

    @property
    def per_environment(self) -> bool:
        return "{environment}" in self.folder

    def applies(self, catalog: Catalog) -> bool:
        """True if the catalog uses this output: a catalog that only watches needs no output with `deploys`."""
        return catalog.deploys or not self.deploys

    def render(self, catalog: Catalog) -> Iterable[File]:
        """Render the files, see `base.Render`. The module is imported only here: some load large libraries."""
        return cast("Render", import_module(self.module).render)(catalog)

    def notes(self, catalog: Catalog) -> Iterable[Finding]:
        """Return what the output leaves out of the catalog, if its module has a function `notes`."""
        notes = getattr(import_module(self.module), "notes", None)
        return cast("Notes", notes)(catalog) if notes else ()

    def split(self, catalogs: Mapping[str, Catalog], files: Mapping[str, Iterable[File]]) -> Shared:
        """Divide `files`, which `render` made from `catalogs`, into those that environments share and their own."""
        own = getattr(import_module(self.module), "split", None)
        return cast("Split", own)(catalogs) if own else shared_files(files)


OUTPUTS = (
    Output(
        "dashboards",
        "exporter.outputs.dashboards",
        "dashboards",
        own=f"{DEPLOY}/grafana/provisioning/dashboards",
        deploys=False,
    ),
    Output(
        "alerts", "exporter.outputs.alerts", "alert_rules", own=f"{DEPLOY}/prometheus/rules", deploys=False
    ),
    Output("prometheus", "exporter.outputs.prometheus", f"{DEPLOY}/prometheus", deploys=False),
    Output("alertmanager", "exporter.outputs.alertmanager", f"{DEPLOY}/alertmanager", deploys=False),
    Output("web", "exporter.outputs.web", f"{DEPLOY}/exporter", deploys=False),
    Output("grafana", "exporter.outputs.grafana", f"{DEPLOY}/grafana", deploys=False),
    Output("compose", "exporter.outputs.compose", DEPLOY),
    Output("monitoring", "exporter.outputs.monitoring", DEPLOY, deploys=False),
    Output("images", "exporter.outputs.images", f"{DEPLOY}/images"),
    Output("gateway", "exporter.outputs.gateway", f"{DEPLOY}/gateway"),
    Output("scripts", "exporter.outputs.scripts", "scripts"),
)


def output_named(name: str, folder: str) -> Output:
    """Return one output of the table, rendered for one environment into the given folder."""
    return replace(next(output for output in OUTPUTS if output.name == name), folder=folder, own="")


def outputs_named(names: str) -> tuple[Output, ...]:
    """Return the outputs in a comma-separated list of names; they apply to any catalog.

    Raises:
        ValueError: no output has one of the names.
    """
    wanted = [name.strip() for name in names.split(",")]
    known = {output.name: output for output in OUTPUTS}
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no output {unknown[0]!r}; the outputs are {', '.join(known)}")
    return tuple(replace(output, deploys=False) for output in OUTPUTS if output.name in wanted)
