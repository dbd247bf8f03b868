"""The interface that every output implements."""

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
    """A rendered file: `path` is relative to its output's folder, with `/`; `text` ends with a line break."""

    path: str
    text: str
    executable: bool = False


Render = Callable[["Catalog"], Iterable[File]]
"""Render the files of one output for the catalog of one environment (`catalog.environment_name`).

A pure function: the same catalog gives the same bytes, whatever the locale, hash seed or clock.
"""

Notes = Callable[["Catalog"], Iterable["Finding"]]
"""Find what an output leaves out of a catalog: a place and a sentence for each, shown as warnings. A pure function."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The files of one output for all environments: `common` are equal in all of them, `own` has the rest by name."""

    common: list[File]
    own: dict[str, list[File]]


Split = Callable[[Mapping[str, "Catalog"]], Shared]
"""Divide the files of one output between environments, given by name. A pure function, like `Render`."""


def shared_files(files: Mapping[str, Iterable[File]]) -> Shared:
    """Put each file that is the same in every environment into `common`."""
    every = {name: list(those) for name, those in files.items()}
    first, *others = every.values()
    common = [file for file in first if all(file in other for other in others)]
    return Shared(
        common, {name: [file for file in those if file not in common] for name, those in every.items()}
    )


class OutputError(Exception):
    """The catalog lacks something that this output needs.

    Each finding is a place in the catalog and a sentence that follows it: what is wrong and what to do, such as
    `has no port; write port`.
    """

    def __init__(self, sentence: str, *path: str | int) -> None:
        super().__init__(sentence)
        self.findings: tuple[Finding, ...] = ((path, sentence),)

    def __str__(self) -> str:
        return "\n".join(f"{path_text(path)} {sentence}" for path, sentence in self.findings)


def any_name(names: Iterable[str]) -> str:
    """Return a regular expression for any of these services or stores, without a backslash, which each program that
    reads it would need in another number. Of the characters of a name, only a dot is special.
    """
    return "|".join(name.replace(".", "[.]") for name in names)


class Refusals:
    """A collector of the errors of independent parts, so that all are shown and not only the first."""

    def __init__(self) -> None:
        self._findings: dict[Finding, None] = {}

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Collect an OutputError raised inside, and continue."""
        try:
            yield
        except OutputError as error:
            self.add(error)

    def add(self, error: OutputError) -> None:
        """Collect an error."""
        self._findings |= dict.fromkeys(error.findings)

    def end(self) -> None:
        """Raise the collected errors as one.

        Raises:
            OutputError: there were errors.
        """
        if self._findings:
            error = OutputError("")
            error.findings = tuple(self._findings)
            raise error
