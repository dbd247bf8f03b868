"""Write the reference pages of docs/ from the code, so that they always match it.

`python -m tools.reference` writes them. `--check` writes nothing and exits with 1 if a page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from exporter.cli import app
from exporter.commands import Commands
from exporter.containers.start_failures import MEANINGS as START_FAILURES
from exporter.metrics.container_families import CONTAINER_FAMILIES, CONTAINER_LABELS
from exporter.metrics.own_families import OWN_FAMILIES
from exporter.metrics.service_families import REPLICA_FAMILIES, SERVICE_FAMILIES
from exporter.metrics.storage_families import (
    BACKUP_FAMILIES,
    DEPLOY_FAMILIES,
    DOCKER_FAMILIES,
    LOG_FAMILIES,
    VOLUME_FAMILIES,
)
from exporter.probes.base import MEANINGS
from exporter.probes.families import COMMON, TARGET_LABELS
from exporter.probes.net.families import NETWORK
from exporter.probes.protocols import PROBE_FAMILIES, PROTOCOLS, Protocol
from exporter.probes.stores.families import STORE
from tools.catalog_page import reference_page
from tools.from_compose_page import from_compose_page
from tools.peer_metrics import (
    BLACKBOX_EXPORTED,
    BLACKBOX_LEFT_OUT,
    CADVISOR_EXPORTED,
    CADVISOR_LEFT_OUT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCS = Path(__file__).parent.parent / "docs"
NOTICE = "<!-- Made by `make docs`; do not edit. -->"

EVERY_PROTOCOL = (*COMMON, *NETWORK)
STORES = [protocol for protocol in PROTOCOLS.values() if set(STORE) <= set(protocol.families)]

COMMANDS_NOTE = (
    "`exporter COMMAND` and `python -m exporter COMMAND` are the same. Results go to standard output, everything "
    "else to standard error. Exit status 0: success; 1: failure, or the answer is no; 2: wrong usage or catalog."
)


def main() -> None:
    pages = {
        "metrics.md": metrics_page(),
        "catalog.md": reference_page(),
        "commands.md": commands_page(),
        "from-compose.md": from_compose_page(),
    }
    stale = [name for name, text in pages.items() if _read(DOCS / name) != text]
    if "--check" not in sys.argv[1:]:
        DOCS.mkdir(exist_ok=True)
        for name in stale:
            (DOCS / name).write_text(pages[name], encoding="utf-8")
    elif stale:
        sys.exit(f"out of date: {', '.join(f'docs/{name}' for name in stale)}; run: make docs")


def metrics_page() -> str:
    """Return the page of all metric families, the values of `reason`, and the names of other exporters."""
    return _page(
        "# Metrics",
        NOTICE,
        f"Every series of a probe has the labels {_code(TARGET_LABELS)}; other labels are listed. Values that were "
        "not measured are omitted: they are never 0.",
        "## Probes of every protocol",
        _families(EVERY_PROTOCOL),
        *(part for protocol in PROTOCOLS.values() if protocol not in STORES for part in _protocol(protocol)),
        "## Stores",
        f"{_listed([protocol.title for protocol in STORES])}; `of` names the stores that have the metric.",
        _table(
            ("name", "type", "labels", "of", "meaning"),
            (
                (*_cells(family)[:3], ", ".join(protocol.name for protocol in of), family.help)
                for family in PROBE_FAMILIES
                if (of := [protocol for protocol in PROTOCOLS.values() if family in protocol.families])
                and all(protocol in STORES for protocol in of)
            ),
        ),
        "## Why a probe failed",
        "The values of the label `reason`.",
        _table(("reason", "meaning"), ((f"`{reason}`", meaning) for reason, meaning in MEANINGS.items())),
        "## Containers",
        f"With the labels {_code(CONTAINER_LABELS)} and `container_label_*`: those of Compose and Swarm, and those "
        "that `exporter.containers.labels` names. A container that the catalog does not name, or that a newer one "
        "has replaced, has no `service`. Readings are exported while the container runs, its state also after it "
        "stopped. Nothing is exported once it is removed or while Docker is unreachable. Counters start at 0 when the "
        "exporter starts, or when a container is created later; `container_restarts_total` is the engine's own count.",
        _families(CONTAINER_FAMILIES),
        "## Containers of a service",
        "With the label `service`, for each service that the catalog deploys.",
        _families(SERVICE_FAMILIES),
        "With the labels `service` and `replica`: the number that Compose or Swarm assigns; absent without one. "
        "They keep counting when a container is re-created, so they outlive it by an hour.",
        _families(REPLICA_FAMILIES),
        "The values of the label `reason` of containers that could not be started:",
        _table(("reason", "meaning"), ((f"`{reason}`", text) for reason, text in START_FAILURES.items())),
        "## Docker",
        _families(DOCKER_FAMILIES),
        "## Logs",
        "With the label `service`, for services with `logs` in the catalog. The text of logs is never exported.",
        _families(LOG_FAMILIES),
        "## Volumes",
        "With the label `volume`, for volumes that the exporter sees at `exporter.volumes`.",
        _families(VOLUME_FAMILIES),
        "## Backups",
        "With the label `service`: the name of the store or volume. They come from "
        "[the marker](backup-marker.md) that each backup writes.",
        _families(BACKUP_FAMILIES),
        "## Deploys",
        "From the records of deploys.",
        _families(DEPLOY_FAMILIES),
        "## The exporter itself",
        _families(OWN_FAMILIES),
        "## Names of cAdvisor",
        'All metrics of cAdvisor 0.60 and of older versions. Series of the root cgroup (`id="/"`) are not '
        "exported.",
        f"Exported, with cAdvisor's types, units and labels: {_code(CADVISOR_EXPORTED)}.",
        "Not exported:",
        _left_out(CADVISOR_LEFT_OUT),
        "## Names of blackbox_exporter",
        f"Exported: {_code(BLACKBOX_EXPORTED)}.",
        "Not exported:",
        _left_out(BLACKBOX_LEFT_OUT),
    )


def _protocol(protocol: Protocol) -> tuple[str, str]:
    families = (family for family in protocol.families if family not in EVERY_PROTOCOL)
    return f"## {protocol.title}", _families(families)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _left_out(reasons: dict[str, str]) -> str:
    return _table(("name", "why not"), ((f"`{name}`", why) for name, why in reasons.items()))


def commands_page() -> str:
    """Return the page of all commands with their options."""
    parts = ["# Commands", NOTICE, COMMANDS_NOTE]
    group: Any = get_command(app)
    for name in Commands.table:
        group.load(name)
    for name, command in _commands(group):
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
    """Yield every command with its full name; the commands of a group follow the group."""
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
