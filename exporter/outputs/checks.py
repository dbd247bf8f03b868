"""What outputs refuse, as problems of the catalog: `validate` and `gen` make all files in memory, so they agree.

An output is the only one to know what it can express. It says so with an OutputError that names the place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import Finding
    from exporter.outputs.base import File
    from exporter.outputs.registry import Output


class Rendering:
    """Files of these outputs, made once for each environment."""

    def __init__(self, outputs: Iterable[Output]) -> None:
        self._outputs = tuple(outputs)
        self._files: dict[tuple[str, str], list[File]] = {}

    def refused(self, catalog: Catalog, *, partial: bool) -> list[Finding]:
        """Return what the outputs cannot express. `partial`: a catalog from which mistakes were taken out."""
        found: dict[Finding, None] = {}
        for output in self._outputs:
            try:
                self.files(output, catalog)
            except OutputError as error:
                found |= dict.fromkeys(error.findings)
            except Exception:
                # What was taken out may be what the output counts on. The mistakes themselves are known already.
                if not partial:
                    raise
        return list(found)

    def files(self, output: Output, catalog: Catalog) -> list[File]:
        """Return the output's files.

        Raises:
            OutputError: it cannot express the catalog.
        """
        key = output.module, catalog.environment_name
        if key not in self._files:
            self._files[key] = list(output.render(catalog))
        return self._files[key]
