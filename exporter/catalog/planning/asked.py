"""A probe that the catalog asks for: its keys, where they are written, and its service or store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.keys.probes.probe import ProtocolProbe
    from exporter.catalog.keys.probes.times import ProbeTimes
    from exporter.catalog.keys.services import Service
    from exporter.catalog.keys.stores import Store
    from exporter.catalog.planning.times import Times
    from exporter.catalog.reading.problems import CatalogPath


@dataclass(frozen=True, slots=True)
class Asked:
    """One probe of a service or store. `path`: where its times are written, `at`: where its protocol's keys are."""

    service: str
    probe: str
    container: Service | Store
    path: CatalogPath
    times: Times
    written: ProtocolProbe
    at: CatalogPath

    @property
    def address_path(self) -> CatalogPath:
        """Return where a missing address is reported."""
        return self.at


@dataclass(frozen=True, slots=True)
class AskedStore:
    """The probes that a store gets because of its engine: of its server and replicas, or of its file."""

    service: str
    container: Store
    path: CatalogPath
    times: ProbeTimes

    @property
    def address_path(self) -> CatalogPath:
        """Return where a missing address, or a file in no volume, is reported."""
        return (*self.path, "path") if self.container.engine == "sqlite" else self.path
