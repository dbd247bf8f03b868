"""The report of an import: sources, services, secrets, and what became of each key. It contains no secret's value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.problems import path_text
from exporter.catalog.values.constants import DEFAULT_ENVIRONMENT
from exporter.catalog.values.words import printable
from exporter.imports.engine.reading import SEEN
from exporter.imports.mapping.draft import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.imports.mapping.draft import Row
    from exporter.imports.mapping.whole import Made
    from exporter.imports.project import Note, Project

MAX_ROWS = 200


def lines(
    made: Made, sources: Iterable[str], notes: Iterable[Note], project: Project | None
) -> Iterator[str]:
    """Yield the report, without the catalog."""
    yield f"Read: {', '.join(map(printable, sources)) or 'nothing'}"
    yield ""
    yield from _table(
        ("NAME", "KIND", "PROBE", "STATE", "FROM"),
        [tuple(entry.values()) for entry in entries(made, project)],
    )
    for heading, outcomes in (
        ("Secrets, none copied", (Outcome.SECRET,)),
        ("Changed", (Outcome.CHANGED,)),
        ("Passed through with compose:", (Outcome.PASSED,)),
        ("Left out", (Outcome.LEFT,)),
    ):
        yield from _section(heading, [row for row in made.rows if row.outcome in outcomes])
    found = [*dict.fromkeys(notes)]
    if found:
        yield ""
        yield "Notes"
        yield from (f"  {note}" for note in found[:MAX_ROWS])
    if made.unreachable:
        yield ""
        yield f"Not published on this machine, so only the monitoring stack can probe: {', '.join(made.unreachable)}"
    owning = [row for row in made.owning if row.outcome in (Outcome.LEFT, Outcome.SECRET)]
    if made.owning or any(row.outcome == Outcome.OWNING for row in made.rows):
        kept = sum(row.outcome == Outcome.OWNING for row in made.rows)
        yield ""
        need = "needs" if len(owning) == 1 else "need"
        more = f"{kept} more keys are carried, {len(owning)} {need} your attention"
        yield f"To deploy it from the catalog, use --own: {more}"
    count = Counter(row.outcome for row in made.rows)
    yield ""
    yield "Keys: " + (
        ", ".join(f"{number} {outcome.value}" for outcome, number in sorted(count.items())) or "none"
    )


def owned(made: Made, project: Project) -> Iterator[str]:
    """Yield what is different from the application that runs once the catalog deploys it."""
    old, new = printable(project.name), f"{made.catalog['project']}-{DEFAULT_ENVIRONMENT}"
    yield ""
    yield "Before the first deploy"
    yield (
        f"  It becomes the Compose project {new}; volumes keep their names. Stop the old one first: "
        f"docker compose -p {old} down"
    )
    yield f"  Variables are read from deploy/{DEFAULT_ENVIRONMENT}/.env: copy your .env there after exporter gen"
    if any("build" in keys for keys in made.catalog.get("services", {}).values()):
        yield "  Images that are built get the tag of the release, which exporter deploy sets"
    yield "  A variable without a default must be set; Compose takes it for an empty text"
    yield (
        "  Containers keep only the capabilities that entry points of public images need, and rotate their logs; "
        "hardening: off keeps all"
    )
    if made.catalog.get("stores"):
        yield (
            "  Official images of stores run as their own user on a read-only root, read passwords from files, and "
            "are checked where no health test is written; hardening: image keeps the image's user"
        )


def entries(made: Made, project: Project | None) -> list[dict[str, str]]:
    """Return one entry for each service and store."""
    return [
        {
            "name": name,
            "kind": keys.get("engine", "service"),
            "probe": _probe(keys),
            "state": _state(name, keys, project),
            "from": printable(made.comments.get((section, name), "")),
        }
        for section in ("services", "stores")
        for name, keys in made.catalog.get(section, {}).items()
    ]


def as_json(
    made: Made, sources: Iterable[str], notes: Iterable[Note], project: Project | None
) -> dict[str, Any]:
    """Return the report for programs."""
    return {
        "sources": list(sources),
        "services": entries(made, project),
        "rows": [_row(row) for row in made.rows],
        "owning": [_row(row) for row in made.owning],
        "notes": [str(note) for note in notes],
        "unreachable": list(made.unreachable),
        "catalog": made.catalog,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "outcome": row.outcome.value,
        "path": path_text(row.path),
        "file": row.place.source.name,
        "line": row.place.line,
        "sentence": row.sentence,
    }


def _section(heading: str, rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield heading
    for row in rows[:MAX_ROWS]:
        yield printable(f"  {row.place}: {path_text(row.path)}{f': {row.sentence}' if row.sentence else ''}")
    if len(rows) > MAX_ROWS:
        yield f"  and {len(rows) - MAX_ROWS} more"


def _probe(keys: Mapping[str, Any]) -> str:
    if "engine" in keys:
        return str(keys["engine"])
    if "health" in keys:
        health = keys["health"]
        path = health if isinstance(health, str) else health.get("path", "/")
        return printable(f"http {keys.get('port', '')}{path}")
    if "probes" in keys:
        kinds = {
            kind for probe in keys["probes"] for kind in probe if kind not in ("name", "interval", "timeout")
        }
        return f"{', '.join(sorted(kinds))} {keys.get('port', '')}".strip()
    return "its containers only"


def _state(name: str, keys: Mapping[str, Any], project: Project | None) -> str:
    if project is None:
        return "-"
    real = (keys.get("containers") or {}).get("service", name)
    seen = ((project.model.get("services") or {}).get(real) or {}).get(SEEN) or {}
    return printable(" ".join(filter(None, (str(seen.get("state", "")), str(seen.get("health", "")))))) or "-"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
