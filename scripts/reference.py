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
from exporter.containers.start_failures import MEANINGS as START_FAILURES
from exporter.metrics.container_families import CONTAINER_FAMILIES, CONTAINER_LABELS
from exporter.metrics.families import NETWORKED, OWN_FAMILIES, PROBE_FAMILIES
from exporter.metrics.family import PROTOCOLS, TARGET_LABELS
from exporter.metrics.service_families import REPLICA_FAMILIES, SERVICE_FAMILIES
from exporter.metrics.storage_families import (
    BACKUP_FAMILIES,
    DEPLOY_FAMILIES,
    DOCKER_FAMILIES,
    LOG_FAMILIES,
    VOLUME_FAMILIES,
)
from exporter.metrics.store_families import STORES
from exporter.probes.base import MEANINGS
from scripts.peer_metrics import (
    BLACKBOX_EXPORTED,
    BLACKBOX_LEFT_OUT,
    CADVISOR_EXPORTED,
    CADVISOR_LEFT_OUT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCS = Path(__file__).parent.parent / "docs"
NOTICE = "<!-- Made by `make docs`; do not edit. -->"

EVERY_PROTOCOL = (PROTOCOLS, NETWORKED)
PROTOCOL_TITLES = {"grpc": "gRPC", "websocket": "WebSocket"}

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
    """Every family, by what it is of, the closed list of reasons, and what of other exporters is there."""
    return _page(
        "# Metrics",
        NOTICE,
        f"Every series of a probe has the labels {_code(TARGET_LABELS)}; other labels are named. What was not measured "
        "has no sample: it is never 0.",
        "## Probes of every protocol",
        _families(family for family in PROBE_FAMILIES if family.protocols in EVERY_PROTOCOL),
        *(part for protocol in PROTOCOLS if protocol not in STORES for part in _protocol(protocol)),
        "## Stores",
        "PostgreSQL, Redis, MongoDB and SQLite; `of` names those that have the family.",
        _table(
            ("name", "type", "labels", "of", "meaning"),
            (
                (*_cells(family)[:3], ", ".join(family.protocols), family.help)
                for family in PROBE_FAMILIES
                if set(family.protocols) <= set(STORES)
            ),
        ),
        "## Why a probe failed",
        "The values of the label `reason`.",
        _table(("reason", "meaning"), ((f"`{reason}`", meaning) for reason, meaning in MEANINGS.items())),
        "## Containers",
        f"With the labels {_code(CONTAINER_LABELS)} and `container_label_*`: those of Compose and Swarm, and those "
        "that `exporter.containers.labels` names. A container that the catalog does not name, or that a newer one "
        "has replaced, has no `service`. Readings are there while the container runs, its state also after that, and "
        "nothing once it is removed or Docker cannot be reached. Counters begin at 0 when the exporter starts, or when "
        "a container comes into being while it runs; `container_restarts_total` is the engine's own count.",
        _families(CONTAINER_FAMILIES),
        "## Containers of a service",
        "With the label `service`, for what the catalog deploys.",
        _families(SERVICE_FAMILIES),
        "With the labels `service` and `replica`: the number that Compose or Swarm gives, absent where neither does. "
        "They count over re-creations, so they outlive a container by an hour.",
        _families(REPLICA_FAMILIES),
        "The values of the label `reason` of containers that could not be started:",
        _table(("reason", "meaning"), ((f"`{reason}`", text) for reason, text in START_FAILURES.items())),
        "## Docker",
        _families(DOCKER_FAMILIES),
        "## Logs",
        "With the label `service`, for services with `logs` in the catalog. Nothing of a log's text is exported.",
        _families(LOG_FAMILIES),
        "## Volumes",
        "With the label `volume`, for volumes that the exporter sees at `exporter.volumes`.",
        _families(VOLUME_FAMILIES),
        "## Backups",
        "With the label `service`: the name of the store or volume. They come from "
        "[the marker](backup-marker.md) that a backup leaves.",
        _families(BACKUP_FAMILIES),
        "## Deploys",
        "From the records of deploys.",
        _families(DEPLOY_FAMILIES),
        "## The exporter itself",
        _families(OWN_FAMILIES),
        "## Names of cAdvisor",
        'Every family of cAdvisor 0.60, and those that older ones had. Series of the root cgroup (`id="/"`) are not '
        "exported.",
        f"Exported, with cAdvisor's types, units and labels: {_code(CADVISOR_EXPORTED)}.",
        "Not exported:",
        _left_out(CADVISOR_LEFT_OUT),
        "## Names of blackbox_exporter",
        f"Exported: {_code(BLACKBOX_EXPORTED)}.",
        "Not exported:",
        _left_out(BLACKBOX_LEFT_OUT),
    )


def _protocol(protocol: str) -> tuple[str, str]:
    families = (
        family
        for family in PROBE_FAMILIES
        if protocol in family.protocols and family.protocols not in EVERY_PROTOCOL
    )
    return f"## {PROTOCOL_TITLES.get(protocol, protocol.upper())}", _families(families)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _left_out(reasons: dict[str, str]) -> str:
    return _table(("name", "why not"), ((f"`{name}`", why) for name, why in reasons.items()))


def commands_page() -> str:
    """Every command with its options."""
    parts = ["# Commands", NOTICE, COMMANDS_NOTE]
    for name, command in _commands(get_command(app)):
        parts += [f"## {name}", command.help]
        if command.epilog:
            parts.append(
                "\n".join(f"    {line}" for line in command.epilog.split(":  ", 1)[1].split("  ·  "))
            )
        rows = [
            (
                ", ".join(f"`{option}`" for option in parameter.opts if option.startswith("-"))
                or (parameter.metavar or parameter.name.upper()),
                f"`{parameter.envvar}`" if getattr(parameter, "envvar", None) else "",
                f"`{parameter.default}`" if parameter.default not in (None, False) else "",
                getattr(parameter, "help", None) or "",
            )
            for parameter in command.params
        ]
        if rows:
            parts.append(_table(("option", "environment variable", "default", "meaning"), rows))
    return _page(*parts)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its whole name, those of groups after the group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _families(families: Iterable[Any]) -> str:
    return _table(("name", "type", "labels", "meaning"), (_cells(family) for family in families))


def _cells(family: Any) -> tuple[str, str, str, str]:
    name = family.name
    if family in OWN_FAMILIES and family.kind == "counter":
        name += "_total"
    return f"`{name}`", family.kind, _code(family.labels), family.help


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
