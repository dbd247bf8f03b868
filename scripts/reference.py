"""Writes the reference pages of docs/ from the code, so that they cannot say anything else than it does.

`python -m scripts.reference` writes them; `--check` writes nothing and exits 1 when one of them is not up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from exporter.catalog.reference import reference_page
from exporter.cli import app
from exporter.metrics.families import OWN_FAMILIES, PROBE_FAMILIES, PROTOCOLS, TARGET_LABELS
from exporter.probes.base import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCS = Path(__file__).parent.parent / "docs"
NOTICE = "<!-- Made by `make docs`; do not edit. -->"

COMMANDS_NOTE = (
    "`exporter COMMAND` and `python -m exporter COMMAND` are the same. Results go to standard output, everything "
    "else to standard error. Exit status 0: as asked; 1: the answer is no; 2: wrong usage or catalog."
)


def main() -> None:
    pages = {"metrics.md": metrics_page(), "catalog.md": reference_page(), "commands.md": commands_page()}
    stale = [name for name, text in pages.items() if _read(DOCS / name) != text]
    if "--check" not in sys.argv[1:]:
        DOCS.mkdir(exist_ok=True)
        for name in stale:
            (DOCS / name).write_text(pages[name], encoding="utf-8")
    elif stale:
        sys.exit(f"not up to date: {', '.join(f'docs/{name}' for name in stale)}; run make docs")


def metrics_page() -> str:
    """Every family, by what it is of, and the closed list of reasons."""
    labels = ", ".join(f"`{label}`" for label in TARGET_LABELS)
    return _page(
        "# Metrics",
        NOTICE,
        f"Every series of a probe has the labels {labels}; other labels are named. What was not measured has no "
        "sample: it is never 0.",
        "## Probes of every protocol",
        _families(family for family in PROBE_FAMILIES if family.protocols == PROTOCOLS),
        *(
            part
            for protocol in PROTOCOLS
            for part in (
                f"## {protocol.upper()}",
                _families(
                    family
                    for family in PROBE_FAMILIES
                    if protocol in family.protocols and family.protocols != PROTOCOLS
                ),
            )
        ),
        "## Why a probe failed",
        "The values of the label `reason`.",
        _table(("reason", "meaning"), ((f"`{reason}`", meaning) for reason, meaning in MEANINGS.items())),
        "## The exporter itself",
        _families(OWN_FAMILIES),
    )


def commands_page() -> str:
    """Every command with its options."""
    parts = [
        "# Commands",
        NOTICE,
        COMMANDS_NOTE,
    ]
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]  # the app is a group
        parts += [f"## {name}", command.help]
        if command.epilog:
            parts.append(
                "\n".join(f"    {line}" for line in command.epilog.split(":  ", 1)[1].split("  ·  "))
            )
        rows = [
            (
                ", ".join(f"`{option}`" for option in parameter.opts if option.startswith("-"))
                or parameter.metavar,
                f"`{parameter.envvar}`" if getattr(parameter, "envvar", None) else "",
                f"`{parameter.default}`" if parameter.default not in (None, False) else "",
                getattr(parameter, "help", ""),
            )
            for parameter in command.params
        ]
        if rows:
            parts.append(_table(("option", "environment variable", "default", "meaning"), rows))
    return _page(*parts)


def _families(families: Iterable[Any]) -> str:
    rows = []
    for family in families:
        name = family.name
        if family.kind == "counter" and not name.endswith("_total"):
            name += "_total"
        rows.append(
            (f"`{name}`", family.kind, ", ".join(f"`{label}`" for label in family.labels), family.help)
        )
    return _table(("name", "type", "labels", "meaning"), rows)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
