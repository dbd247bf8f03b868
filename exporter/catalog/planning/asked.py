"""A probe that the catalog asks for: what is written, where, and of which service or store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.probes.probe import ProtocolProbe
    from exporter.catalog.keys.probes.times import ProbeTimes
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.planning.times import Times
    from exporter.catalog.reading.problems import CatalogPath


@dataclass(frozen=True, slots=True)
class Asked:
    """One probe of a service or store. `path`: where its times are written, `at`: where its protocol's keys are."""

    service: str
    probe: str
    container: Container
    path: CatalogPath
    times: Times
    written: ProtocolProbe
    at: CatalogPath

    @property
    def address_path(self) -> CatalogPath:
        """Where a missing address is a mistake."""
        return self.at


@dataclass(frozen=True, slots=True)
class AskedStore:
    """The questions that a store gets by its engine alone: to its server and those that follow it, or to its file."""

    service: str
    container: Store
    path: CatalogPath
    times: ProbeTimes

    @property
    def address_path(self) -> CatalogPath:
        """Where a missing address, or a file in no volume, is a mistake."""
        return (*self.path, "path") if self.container.engine == "sqlite" else self.path
