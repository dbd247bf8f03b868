"""The contract that every output keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True)
class File:
    """A file to be: `path` is relative to its output's folder, with `/`; `text` ends with a line break."""

    path: str
    text: str
    executable: bool = False


Render = Callable[["Catalog"], Iterable[File]]
"""The files of one output, of a catalog as it is in one environment (`catalog.environment_name`).

Pure: the same catalog gives the same bytes, whatever the locale, the hash seed or the clock.
"""


class OutputError(Exception):
    """The catalog, though valid, does not say what this output needs. One sentence: what, where, what to do."""
