"""`gen`, `gen-dashboards` and `gen-alerts`: render, compare, then write or say what differs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from exporter.catalog.loading import validate_file
from exporter.catalog.reading.source import open_source
from exporter.catalog.report import print_warnings
from exporter.outputs.checks import Rendering
from exporter.outputs.writer import MANIFEST, PROTECTED, State, compare, remove_empty, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.outputs.base import File
    from exporter.outputs.registry import Output
    from exporter.outputs.writer import Change

TABLE_REST = 60
"""Columns for what happened to a file, beside its name."""
STYLES = {State.UNCHANGED: "dim", State.NEW: "green", State.CHANGED: "yellow", State.STALE: "magenta"}
VERBS = {
    State.UNCHANGED: "unchanged",
    State.NEW: "written",
    State.CHANGED: "written",
    State.EDITED: "kept: edited by hand",
    State.STALE: "removed",
    State.STALE_EDITED: "kept: edited by hand, no longer made",
}


def rendered(
    config: Path, outputs: Iterable[Output], environment: str | None, out: Path
) -> dict[Path, list[File]]:
    """Each folder below `out` that outputs are made into, and all files in it: of `environment`, and of every one where
    an output is made for each. A folder of an environment that the catalog no longer has comes with no files.

    Raises:
        CatalogError: the catalog is wrong, or does not say what an output needs.
    """
    outputs = tuple(outputs)
    open_source(config, environment)  # says at once that there is no such environment
    rendering = Rendering(outputs)
    validated = validate_file(config, rendering.refused)
    print_warnings(validated.warnings)
    catalogs = validated.catalogs
    main = catalogs[environment] if environment else next(iter(catalogs.values()))
    trees: dict[Path, list[File]] = {}
    for output in outputs:
        if not output.per_environment:
            trees.setdefault(out / output.folder, []).extend(rendering.files(output, main))
            continue
        for name, catalog in catalogs.items():
            folder = out / output.folder.format(environment=name)
            trees.setdefault(folder, []).extend(rendering.files(output, catalog))
        for manifest in sorted(out.glob(f"{output.folder.format(environment='*')}/{MANIFEST}")):
            trees.setdefault(manifest.parent, [])
    return trees


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
    """Write the files of these outputs below `out`; with `check` or `diff`, write nothing and say what differs.

    Returns whether all is well: nothing differs (`check`, `diff`), or nothing had to be kept because of somebody's
    edits.

    Raises:
        CatalogError, WriteError: nothing was written.
    """
    trees = rendered(config, outputs, environment, out)
    changes = [change for folder, files in trees.items() for change in compare(folder, files)]
    only_looking = check or diff
    if not only_looking:
        write(changes, force=force)
        for folder, files in reversed(trees.items()):
            if not files:
                remove_empty(folder, out)
    differing = [change for change in changes if change.state is not State.UNCHANGED]
    if as_json:
        print(json.dumps([{"path": str(c.place), "state": str(c.state)} for c in changes], indent=2))
    elif only_looking:
        for change in differing:
            sys.stdout.write(change.diff() or f"{change.place}: {change.state}\n")
        summary = f"{len(differing)} of {len(changes)} files differ" if differing else "nothing differs"
        print(summary, file=sys.stderr)
    else:
        _print_table(changes, force=force)
    if only_looking:
        return not differing
    return force or not any(change.state in PROTECTED for change in changes)


def _print_table(changes: list[Change], *, force: bool) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("")
    for change in changes:
        verb = VERBS[change.state]
        if force and change.state in PROTECTED:
            verb = "removed" if change.after is None else "overwritten"
        table.add_row(str(change.place), verb, style=STYLES.get(change.state, "red"))
    console = Console()
    if not console.is_terminal:
        # What reads a pipe wants a file on each line, not a table that fits a screen.
        console.width = max((len(str(change.place)) for change in changes), default=0) + TABLE_REST
    console.print(table)
    kept = sum(change.state in PROTECTED for change in changes)
    if kept and not force:
        hint = f"{kept} file(s) edited by hand were kept; --diff shows the edits, --force overwrites them"
        print(hint, file=sys.stderr)
