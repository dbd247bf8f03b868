"""A running engine as projects: Compose's and a Swarm's by their labels, and containers that belong to none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.imports.engine.found import LOOSE, take_inventory
from exporter.imports.engine.host_keys import host_keys
from exporter.imports.engine.network_keys import bound_ports, network_keys
from exporter.imports.engine.process import image_health_check, image_name, process_keys
from exporter.imports.engine.shared import Shared
from exporter.imports.engine.storage_keys import storage_keys
from exporter.imports.project import Note, Place, Project, Source, Value, placed

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.host.engine import Engine
    from exporter.host.engine_values import EngineFacts
    from exporter.imports.engine.found import Found, Inventory

SEEN = "x-engine"
"""Key of each service for what is so now and is not part of its definition.

`containers`: their names; `running`: how many of them run; `state`, `health`, `exit_code` of the first; `image`: its
name; `published`: by port of the container, the addresses of the host; `healthcheck`: that of the image, if the
container takes it from there.
"""

WORKING_DIR_LABEL = "com.docker.compose.project.working_dir"
CONFIG_FILES_LABEL = "com.docker.compose.project.config_files"


@dataclass(frozen=True, slots=True)
class EngineProject:
    """One project of an engine. `files`: Compose files that it was made of, as its labels name them."""

    project: Project
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineContent:
    """All that an engine runs. `loose`: containers without a project, each as a service, if there are some."""

    projects: tuple[EngineProject, ...]
    loose: Project | None
    notes: tuple[Note, ...]


def read_engine(engine: Engine, only: Collection[str] = ()) -> EngineContent:
    """Return the engine's projects by name; with `only`, just these, and no loose containers.

    Raises:
        EngineLost: the engine does not answer.
    """
    inventory, facts = take_inventory(engine), engine.facts()
    names = sorted(name for name in inventory.services if (name in only if only else name != LOOSE))
    loose = None if only or LOOSE not in inventory.services else _project(LOOSE, inventory, engine, facts)
    projects = tuple(
        EngineProject(
            _project(name, inventory, engine, facts),
            _config_files(inventory, name) if engine.is_local else (),  # another host has files of its own
        )
        for name in names
    )
    return EngineContent(projects, loose, tuple(inventory.notes))


def _project(name: str, inventory: Inventory, engine: Engine, facts: EngineFacts) -> Project:
    services = inventory.services[name]
    shared = Shared(name, engine, inventory.names)
    origin = Place(Source(f"engine {engine.where}", role="engine"))
    tree: dict[str, Value] = {}
    for service, containers in sorted(services.items()):
        tree[service] = placed(_service(containers, shared, facts), containers[0].place)
    model = {"services": Value(tree, origin)}
    for key, content in (
        ("networks", shared.networks),
        ("volumes", shared.volumes),
        ("secrets", shared.secrets),
    ):
        if content:
            model[key] = placed(content, origin)
    if name:
        model["name"] = Value(name, origin)
    folder = _folder(services)
    sources = (origin.source, *(each.place.source for found in services.values() for each in found))
    return Project(name, "engine", folder, sources, Value(model, origin), notes=tuple(shared.notes))


def _service(containers: list[Found], shared: Shared, facts: EngineFacts) -> dict[str, Any]:
    """Return the keys of one service. Its first running container is used for all."""
    found = containers[0]
    keys = {
        **process_keys(found, shared.notes),
        **host_keys(found, facts, shared.notes),
        **network_keys(containers, shared),
        **storage_keys(found, shared),
    }
    for key in ("pid", "ipc"):
        if key in keys:
            keys[key] = shared.peer(keys[key])
    if len(containers) > 1:
        keys["scale"] = len(containers)
        if len({image_name(each) for each in containers}) > 1:
            sentence = f"its {len(containers)} containers have different images; this one is used for all"
            shared.notes.append(Note(sentence, place=found.place))
    elif found.name not in _usual_names(found):
        keys["container_name"] = found.name
    keys[SEEN] = _seen(containers, shared.notes)
    return keys


def _usual_names(found: Found) -> tuple[str, ...]:
    number = max(found.number, 1)
    return tuple(separator.join((found.project, found.service, str(number))) for separator in "-_")


def _seen(containers: list[Found], notes: list[Note]) -> dict[str, Any]:
    found = containers[0]
    state = found.described.part("State")
    seen = {
        "containers": [each.name for each in containers],
        "running": sum(each.state == "running" for each in containers),
        "state": found.state,
        "health": state.part("Health").text("Status").replace("none", ""),
        "exit_code": state.number("ExitCode") if found.state == "exited" else None,
        "image": image_name(found),
        "published": bound_ports(found),
        "healthcheck": image_health_check(found, notes),
    }
    return {key: value for key, value in seen.items() if value not in (None, "", {})}


def _folder(services: dict[str, list[Found]]) -> Path:
    for containers in services.values():
        for each in containers:
            folder = Path(each.labels.get(WORKING_DIR_LABEL, ""))
            if folder.is_absolute():
                return folder
    return Path()


def _config_files(inventory: Inventory, name: str) -> tuple[Path, ...]:
    """Return the Compose files that the newest labels name; the label separates them by commas."""
    for containers in inventory.services[name].values():
        for each in containers:
            text, folder = each.labels.get(CONFIG_FILES_LABEL, ""), each.labels.get(WORKING_DIR_LABEL, "")
            if text and Path(folder).is_absolute():
                return tuple(Path(folder) / part for part in text.split(",") if part)
    return ()
