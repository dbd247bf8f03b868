"""The scripts that put a release on a host and keep it safe there: the same text for every catalog.

What differs between catalogs stands in environment.sh (`data.py`), as data.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.outputs.base import File

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

_FOLDER = Path(__file__).parent
_LIBRARY = "lib.sh"
"""How the names of files end that others source, and that are not executable."""


def render(catalog: Catalog) -> Iterable[File]:  # noqa: ARG001 - the contract of outputs
    """Every script of this package."""
    for file in sorted(_FOLDER.glob("*.sh")):
        yield File(file.name, file.read_text(encoding="utf-8"), executable=not file.name.endswith(_LIBRARY))
