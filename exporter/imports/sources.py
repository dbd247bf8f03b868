"""Sources of `exporter init`: a folder, files, an engine, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.catalog.values.words import printable, quoted
from exporter.files import read_in_time
from exporter.imports.compose import files as search
from exporter.imports.compose.reading import read_project
from exporter.imports.project import Place, Source, mistake
from exporter.imports.prometheus.reading import Imported, read_prometheus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.imports.project import Project

ENGINE = "docker"
_PROMETHEUS = re.compile(rb"^(?:scrape_configs|scrape_config_files|modules)\s*:", re.MULTILINE)
_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """One source, read: an application, or targets of Prometheus. Without both, there is nothing to read."""

    project: Project | None = None
    targets: Imported | None = None
    folder: Path = Path()
    """Where the catalog is written by default."""


def read_source(sources: Sequence[str], *, given: bool) -> Found:
    """Read the sources. `given`: they follow --from, so that a folder without a Compose file is a mistake.

    Raises:
        SourceError: one cannot be used.
        OperationError: the engine does not answer.
    """
    first = sources[0] if sources else "."
    if given and (first == ENGINE or first.startswith(f"{ENGINE}:")):
        if len(sources) > 1:
            raise mistake("docker cannot be combined with files; use one source", Place(Source("--from")))
        return _engine(first.partition(":")[2])
    paths = [Path(source) for source in sources] or [Path()]
    for path in paths:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise mistake("there is no such file or folder", Place(Source(str(path)))) from None
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "it is no path"
            raise mistake(f"cannot be read: {reason}", Place(Source(str(path)))) from None
    if paths[0].is_dir():
        if len(paths) > 1:
            raise mistake(
                "a folder cannot be combined with others; name the files", Place(Source(str(paths[0])))
            )
        return _folder(paths[0], given=given)
    if any(_is_prometheus(path) for path in paths):
        return Found(targets=read_prometheus(paths), folder=Path())
    project = read_project(paths)
    return Found(project, folder=project.folder)


def _folder(folder: Path, *, given: bool) -> Found:
    own = search.settings([folder], {}).own
    if not given and "COMPOSE_FILE" not in own and not any((folder / name).exists() for name in search.NAMES):
        return Found(folder=folder)
    return Found(read_project(folder), folder=folder)


def _is_prometheus(path: Path) -> bool:
    try:
        return bool(_PROMETHEUS.search(read_in_time(path, _LIMIT)))
    except OSError as error:
        raise mistake(f"cannot be read: {error.strerror}", Place(Source(str(path)))) from None


def _engine(only: str) -> Found:
    from exporter.host.engine import connected
    from exporter.imports.engine.filling import with_files
    from exporter.imports.engine.reading import read_engine

    place = Place(Source("--from docker"))
    with connected() as engine:
        content = read_engine(engine, [only] if only else ())
    if not content.projects:
        if content.loose is not None:
            return Found(content.loose, folder=Path())
        raise mistake(f"no project {quoted(only)} runs there" if only else "no container runs there", place)
    if len(content.projects) > 1:
        names = ", ".join(printable(found.project.name) for found in content.projects[:12])
        raise mistake(f"several projects run: {names}; choose one with --from docker:NAME", place)
    project = with_files(content.projects[0], lambda files, name: read_project(files, name=name))
    return Found(project, folder=Path())
