"""Every output, in one table. A new one is a file and a line here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from exporter.outputs.base import shared_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.base import File, Render, Shared, Split

DEPLOY = "deploy/{environment}"
RETIRED = (f"{DEPLOY}/grafana/dashboards",)
"""Folders of each environment that earlier versions filled."""


@dataclass(frozen=True, slots=True)
class Output:
    """`module` has a function `render`. `folder` is where its files go: in `gen`'s own folder, or with
    `{environment}` in it, in one for each environment.

    With `own`, `folder` gets what is the same in all environments, and `own` what one environment alone has. A
    module with a function `split` divides its files itself; otherwise whole files are compared. Outputs that `deploy`
    are left out where the catalog deploys nothing.
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
        """True if the catalog has a use for this output: one that only watches deploys nothing."""
        return not self.deploys or any(
            (
                catalog.gateway,
                any(service.deployed for service in catalog.services.values()),
                any(store.engine != "sqlite" for store in catalog.stores.values()),
            )
        )

    def render(self, catalog: Catalog) -> Iterable[File]:
        """As `base.Render`; the module is imported only now, since some of them load large libraries."""
        return cast("Render", import_module(self.module).render)(catalog)

    def split(self, catalogs: Mapping[str, Catalog], files: Mapping[str, Iterable[File]]) -> Shared:
        """Divide `files`, which `render` made of `catalogs`, into what environments share and what they do not."""
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
    Output("prometheus", "exporter.outputs.prometheus", f"{DEPLOY}/prometheus"),
    Output("alertmanager", "exporter.outputs.alertmanager", f"{DEPLOY}/alertmanager"),
    Output("web", "exporter.outputs.web", f"{DEPLOY}/exporter"),
    Output("grafana", "exporter.outputs.grafana", f"{DEPLOY}/grafana"),
    Output("compose", "exporter.outputs.compose", DEPLOY),
    Output("monitoring", "exporter.outputs.monitoring", DEPLOY),
    Output("images", "exporter.outputs.images", f"{DEPLOY}/images"),
    Output("gateway", "exporter.outputs.gateway", f"{DEPLOY}/gateway"),
    Output("scripts", "exporter.outputs.scripts", "scripts"),
)


def output_named(name: str, folder: str) -> Output:
    """One output of the table, made for one environment into a folder of one's own."""
    return replace(next(output for output in OUTPUTS if output.name == name), folder=folder, own="")


def outputs_named(names: str) -> tuple[Output, ...]:
    """Return the outputs that a list of names, with commas between, asks for; they apply to any catalog.

    Raises:
        ValueError: no output has one of the names.
    """
    wanted = [name.strip() for name in names.split(",")]
    known = {output.name: output for output in OUTPUTS}
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no output {unknown[0]!r}; the outputs are {', '.join(known)}")
    return tuple(replace(output, deploys=False) for output in OUTPUTS if output.name in wanted)
