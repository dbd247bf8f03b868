"""The contract that every output keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import path_text

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import Finding


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
    """The catalog does not say what this output needs. Each finding is a place in the catalog, and what is wrong there
    and what to do, as it reads after the place: `has no port; write port`.
    """

    def __init__(self, sentence: str, *path: str | int) -> None:
        super().__init__(sentence)
        self.findings: tuple[Finding, ...] = ((path, sentence),)

    def __str__(self) -> str:
        return "\n".join(f"{path_text(path)} {sentence}" for path, sentence in self.findings)


class Refusals:
    """Collects the errors of independent parts, so that all of them are shown and not only the first."""

    def __init__(self) -> None:
        self._findings: dict[Finding, None] = {}

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Go on after an OutputError inside."""
        try:
            yield
        except OutputError as error:
            self._findings |= dict.fromkeys(error.findings)

    def end(self) -> None:
        """Raise what was gathered.

        Raises:
            OutputError: something was.
        """
        if self._findings:
            error = OutputError("")
            error.findings = tuple(self._findings)
            raise error
