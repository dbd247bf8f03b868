"""The commands `gen`, `gen-dashboards` and `gen-alerts`: render, compare, then write or print differences."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from exporter.catalog.loading import validate_file
from exporter.catalog.reading.source import open_source
from exporter.catalog.report import print_warnings
from exporter.outputs.checks import Rendering
from exporter.outputs.registry import OUTPUTS, RETIRED
from exporter.outputs.writer import MANIFEST, PROTECTED, State, compare, is_foreign, remove_empty, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.reading.problems import Problem
    from exporter.outputs.base import File
    from exporter.outputs.registry import Output
    from exporter.outputs.writer import Change

STYLES = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}
"""The style of a diff's line by its first characters; the first match counts."""
VERBS = {
    State.UNCHANGED: "unchanged",
    State.NEW: "written",
    State.CHANGED: "written",
    State.EDITED: "kept: edited by hand",
    State.STALE: "removed",
    State.STALE_EDITED: "kept: edited by hand, no longer generated",
    State.FOREIGN: "kept: generated from the catalog of another project",
}


@dataclass(slots=True)
class Tree:
    """The files of one folder. `place`: the folder in the table of outputs, with `{environment}` not filled in."""

    folder: Path
    place: str
    files: list[File] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rendered:
    """All rendered folders, the catalog's project, and the catalog's warnings."""

    project: str
    trees: list[Tree]
    warnings: tuple[Problem, ...]


def rendered(config: Path, outputs: Iterable[Output], environment: str | None, out: Path) -> Rendered:
    """Render `outputs` for `environment`, or for all environments if it is None.

    Folders of environments and outputs that the catalog no longer has are returned without files.

    Raises:
        CatalogError: the catalog has mistakes, or lacks something that an output needs.
        WriteError: a manifest cannot be read.
    """
    outputs = tuple(outputs)
    open_source(config, environment)  # fails early if there is no such environment
    rendering = Rendering(outputs)
    validated = validate_file(config, rendering.refused, rendering.noted)
    catalogs = validated.catalogs
    main = catalogs[environment] if environment else next(iter(catalogs.values()))
    shown = {environment: main} if environment else catalogs
    trees: dict[Path, Tree] = {}

    def add(place: str, files: Iterable[File], name: str = "") -> None:
        folder = out / place.format(environment=name)
        trees.setdefault(folder, Tree(folder, place)).files.extend(files)

    for output in outputs:
        if output.own:
            every = {name: rendering.files(output, catalog) for name, catalog in catalogs.items()}
            shared = output.split(catalogs, every)
            add(output.folder, shared.common)
            for name in shown:
                add(output.own, shared.own[name], name)
        elif output.per_environment:
            for name, catalog in shown.items():
                if output.applies(catalog):
                    add(output.folder, rendering.files(output, catalog), name)
        else:
            using = [catalog for catalog in (main, *catalogs.values()) if output.applies(catalog)]
            add(output.folder, rendering.files(output, using[0]) if using else ())
    for tree in _abandoned(outputs, out, main, shown if environment else None):
        trees.setdefault(tree.folder, tree)
    return Rendered(main.project, list(trees.values()), validated.warnings)


def _abandoned(
    outputs: tuple[Output, ...], out: Path, main: Catalog, shown: Mapping[str, Catalog] | None
) -> Iterator[Tree]:
    """Yield folders that this project's catalog may no longer fill, of the environments `shown`, or of all."""
    places = [output.folder for output in outputs if output.per_environment]
    places += [output.own for output in outputs if output.own]
    for place in (*places, *(RETIRED if places else ())):
        for name in shown or ("*",):
            for manifest in sorted(out.glob(f"{place.format(environment=name)}/{MANIFEST}")):
                if not is_foreign(manifest.parent, main.project):
                    yield Tree(manifest.parent, place)


def generate(
    config: Path,
    outputs: Iterable[Output],
    environment: str | None,
    out: Path,
    *,
    check: bool,
    diff: bool,
    force: bool,
    as_json: bool,
) -> bool:
    """Write the files of these outputs below `out`; with `check` or `diff`, only print the differences.

    Return True if nothing differs (`check`, `diff`), or if no file had to be kept because somebody edited it.

    Raises:
        CatalogError, WriteError: nothing was written.
    """
    outputs = tuple(outputs)
    made = rendered(config, outputs, environment, out)
    print_warnings(made.warnings)
    asked = {output.name for output in outputs}
    changes = []
    for tree in made.trees:
        writers = {output.name for output in OUTPUTS if tree.place in (output.folder, output.own)}
        changes += compare(tree.folder, tree.files, made.project, whole=writers <= asked)
    only_looking = check or diff
    if not only_looking:
        write(changes, made.project, force=force)
        for tree in reversed(made.trees):
            if not tree.files:
                remove_empty(tree.folder, out)
    differing = [change for change in changes if change.state is not State.UNCHANGED]
    if as_json:
        print(json.dumps([{"path": str(c.place), "state": str(c.state)} for c in changes], indent=2))
    elif only_looking:
        for change in differing:
            _print_diff(change.diff() or f"{change.place}: {change.state}\n")
        summary = f"{len(differing)} of {len(changes)} files differ" if differing else "nothing differs"
        print(summary, file=sys.stderr)
    else:
        _print_totals(changes, force=force)
    if only_looking:
        return not differing
    return force or not any(change.state in PROTECTED for change in changes)


def _print_diff(text: str) -> None:
    """Print a diff unchanged, for `patch`; on a terminal in colours, with control characters escaped."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in text.splitlines():
        readable = "".join(sign if sign.isprintable() or sign == "\t" else repr(sign)[1:-1] for sign in line)
        style = next((style for start, style in STYLES.items() if line.startswith(start)), "")
        console.print(Text(readable, style))


def _print_totals(changes: list[Change], *, force: bool) -> None:
    """Print each file that was kept, and the number of the others by what was done to them."""
    verbs: Counter[str] = Counter()
    for change in changes:
        verb = VERBS[change.state]
        if change.state in PROTECTED:
            if force:
                verb = "removed" if change.after is None else "overwritten"
            else:
                print(f"{change.place}: {verb}")
                verb = "kept"
        verbs[verb] += 1
    files = "1 file" if len(changes) == 1 else f"{len(changes)} files"
    print(f"{files}: {', '.join(f'{verbs[verb]} {verb}' for verb in sorted(verbs)) or 'nothing to do'}")
    if verbs["kept"]:
        hint = f"{verbs['kept']} file(s) were kept; --diff shows the differences, --force overwrites them"
        print(hint, file=sys.stderr)
