"""`exporter init`: from a source to a written catalog and a report."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.catalog.loading import validate_file
from exporter.catalog.reading.problems import CatalogError
from exporter.catalog.values.words import printable
from exporter.imports.mapping.whole import Made, map_project
from exporter.imports.project import Place, Source, mistake
from exporter.imports.prometheus.services import label
from exporter.imports.report import as_json, lines, owned
from exporter.imports.sources import read_source
from exporter.imports.writing import catalog_text, refuse_existing, write_new
from exporter.outputs.checks import Rendering
from exporter.outputs.registry import OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.imports.project import ModelPath, Note
    from exporter.imports.sources import Found

NAME = "config.yaml"
_SMALLEST = ("web", "http://localhost:8080/")


def initialize(
    sources: Sequence[str],
    *,
    given: bool,
    own: bool,
    dry_run: bool,
    out: Path | None,
    ask: Callable[[str, str], str] | None,
    show: Callable[[str], None],
    for_programs: bool,
) -> bool:
    """Read, write and report. Return True if the catalog is valid.

    `given`: the sources follow --from. `ask`: asks a person, with a default; None without a terminal.

    Raises:
        SourceError: a source cannot be used, or the file exists.
        OperationError: the engine does not answer.
    """
    found = read_source(sources, given=given)
    file = out or found.folder / NAME
    if not dry_run:
        refuse_existing(file)
    made, notes, read = _made(found, own=own, target=file.parent, ask=ask)
    text = catalog_text(made.catalog, made.comments, _head(read, made), made.suggested)
    problems = _problems(text, file.name)
    if not dry_run:
        write_new(file, text)
    next_command = _next(file, own=own, valid=not problems)
    if for_programs:
        answer: dict[str, Any] = as_json(made, read, notes, found.project)
        answer |= {"file": None if dry_run else str(file), "valid": not problems, "problems": problems}
        show(json.dumps(answer | {"text": text, "next": next_command}, indent=2))
        return not problems
    for line in lines(made, read, notes, found.project):
        show(line)
    if own and found.project is not None:
        for line in owned(made, found.project):
            show(line)
    show("")
    if dry_run:
        show(text)
    done, state = "Would write" if dry_run else "Written", "not valid yet" if problems else "valid"
    show(f"{done}: {printable(str(file))}, {state}")
    for problem in problems:
        show(f"  {problem}")
    show(f"Next: {next_command}")
    return not problems


def _made(
    found: Found, *, own: bool, target: Path, ask: Callable[[str, str], str] | None
) -> tuple[Made, tuple[Note, ...], tuple[str, ...]]:
    if found.project is not None:
        project = found.project
        read = tuple(dict.fromkeys(source.name for source in project.sources))
        return map_project(project, own=own, target=target), project.notes, read
    if found.targets is not None:
        targets = found.targets
        comments: dict[ModelPath, str] = {
            ("services", service.name): str(service.place) for service in targets.services
        }
        read = tuple(dict.fromkeys(source.name for source in targets.sources))
        catalog = {"project": label(target.absolute().name), **targets.catalog}
        return Made(catalog, comments, ()), targets.notes, read
    return _smallest(found.folder, ask), (), ()


def _smallest(folder: Path, ask: Callable[[str, str], str] | None) -> Made:
    """Return a catalog of one service, which a person names if there is one to ask."""
    project, (service, url) = label(folder.absolute().name), _SMALLEST
    if ask is not None:
        project = label(ask("Name of the project", project))
        service = label(ask("Name of a service to watch", service))
        url = ask("URL that tells its health", url)
    catalog = {"project": project, "services": {service: {"health": url.replace("${", "$${")}}}
    return Made(
        catalog, {("services", service): "runs already: without image and build it is only watched"}, ()
    )


def _head(read: Sequence[str], made: Made) -> str:
    begun = f"Made by exporter init from {', '.join(read)}." if read else "Made by exporter init."
    watched = "\nmanaged: off means that everything runs already, and is watched and never changed."
    keys = "Every key: docs/catalog.md of the exporter"
    return f"{begun}\n{keys}{watched if made.catalog.get('managed') is False else ''}"


def _problems(text: str, name: str) -> list[str]:
    """Return what is wrong with the text as a catalog, with its lines."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / NAME
            file.write_text(text, encoding="utf-8")
            try:
                validate_file(file, Rendering(OUTPUTS).refused)
            except CatalogError as error:
                shown = printable(name)
                return [str(problem).replace(str(file), shown) for problem in error.problems[:100]]
    except OSError as error:
        place = Place(Source(tempfile.gettempdir()))
        raise mistake(f"the catalog cannot be checked there: {error.strerror}", place) from None
    return []


def _next(file: Path, *, own: bool, valid: bool) -> str:
    shown = printable(shlex.quote(str(file)))
    if not valid:
        return f"correct these lines, then: exporter validate {shown}"
    config = "" if file == Path(NAME) else f" --config {shown}"
    return f"exporter {'gen' if own else 'run'}{config}"
