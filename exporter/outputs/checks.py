"""Errors of outputs, reported as problems of the catalog.

`validate` and `gen` both render all files in memory, so they agree. Only an output knows what it can express; it
raises an OutputError that names the place in the catalog.
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
    """The files of these outputs, rendered once per environment."""

    def __init__(self, outputs: Iterable[Output]) -> None:
        self._outputs = tuple(outputs)
        self._files: dict[tuple[str, str], list[File]] = {}

    def refused(self, catalog: Catalog, *, partial: bool) -> list[Finding]:
        """Return what the outputs cannot express. `partial`: parts with mistakes were removed from the catalog."""
        found: dict[Finding, None] = {}
        for output in self._outputs:
            if not output.applies(catalog):
                continue
            try:
                self.files(output, catalog)
            except OutputError as error:
                found |= dict.fromkeys(error.findings)
            except Exception:
                # The output may need a part that was removed. The mistakes in that part are reported already.
                if not partial:
                    raise
        return list(found)

    def noted(self, catalog: Catalog) -> list[Finding]:
        """Return what the outputs leave out, as warnings."""
        return list(dict.fromkeys(note for output in self._outputs for note in output.notes(catalog)))

    def files(self, output: Output, catalog: Catalog) -> list[File]:
        """Return the output's files.

        Raises:
            OutputError: the output cannot express the catalog.
        """
        key = output.module, catalog.environment_name
        if key not in self._files:
            self._files[key] = list(output.render(catalog))
        return self._files[key]
