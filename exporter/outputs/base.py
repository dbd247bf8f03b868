"""The contract that every output keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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


@dataclass(frozen=True, slots=True)
class Shared:
    """An output of all environments: `common` holds what is the same in each, `own` by environment the rest."""

    common: list[File]
    own: dict[str, list[File]]


Split = Callable[[Mapping[str, "Catalog"]], Shared]
"""Divide the files of one output for several environments, by name. Pure, as `Render` is."""


def shared_files(files: Mapping[str, Iterable[File]]) -> Shared:
    """Share each file that is the same in every environment."""
    every = {name: list(those) for name, those in files.items()}
    first, *others = every.values()
    common = [file for file in first if all(file in other for other in others)]
    return Shared(
        common, {name: [file for file in those if file not in common] for name, those in every.items()}
    )


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
