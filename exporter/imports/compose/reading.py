"""The public door: a folder or files in, a `Project` out, or every mistake with its file and line.

    project = read_project(Path("shop"))
    project.model["services"]["web"]["ports"]
    project.place(("services", "web", "ports", 0))    # shop/compose.yaml:7

Nothing is fetched, resolved, run or written. See `imports/project.py` for what the result holds, and `forms/` for
Compose's short and long forms as small types.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.imports.compose import files as search
from exporter.imports.compose.checks import check_forms, missing_env_files
from exporter.imports.compose.loading import Loader
from exporter.imports.compose.shape import check_whole
from exporter.imports.compose.unique import unique
from exporter.imports.compose.variables import unset, uses
from exporter.imports.project import Place, Project, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.imports.project import Note


def read_project(
    where: Path | Sequence[Path], *, name: str | None = None, environment: Mapping[str, str] | None = None
) -> Project:
    """Read a folder's Compose files, or the given files in their order.

    Args:
        where: a folder, one file, or files of which later ones are laid over earlier ones.
        name: the project's name, as after Compose's -p.
        environment: the process's variables, of which only Compose's own are read.

    Raises:
        SourceError: there is nothing to read, or it cannot be used.
    """
    environment = os.environ if environment is None else environment
    given = [where] if isinstance(where, Path) else list(where)
    listed = bool(given) and not given[0].is_dir()
    notes: list[Note] = []
    folder = given[0].parent if listed else given[0]
    found = search.settings([folder], environment)
    chosen = given if listed else search.main_files(folder, found.own, notes)
    if chosen[0].parent != folder:
        # COMPOSE_FILE of one folder's .env may name files of another, whose .env then counts too.
        found = search.settings([folder, chosen[0].parent], environment)
        folder = chosen[0].parent
    notes += found.notes
    loader = Loader(notes)
    tree = unique(loader.load(chosen, Source("", "main", None, folder, found.names)))
    check_whole(tree, Place(loader.sources[0], 1, 1), notes)
    missing = unset(uses(tree))
    notes += [missing] if missing else []
    called = os.path.abspath(folder)  # noqa: PTH100 - as Compose does it, links stay and .. goes
    project_name, name_from = search.project_name(name, found.own, loader.names, Path(called), notes)
    profiles = tuple(
        filter(None, (part.strip() for part in found.own.get("COMPOSE_PROFILES", "").split(",")))
    )
    project = Project(
        project_name, name_from, folder, tuple(loader.sources), tree, profiles, tuple(dict.fromkeys(notes))
    )
    check_forms(project)
    return replace(project, notes=(*project.notes, *missing_env_files(project)))
