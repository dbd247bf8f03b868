"""The containers of an engine, as they belong together: by Compose's labels, by a Swarm's, or not at all."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.host.containers import NUMBER_LABEL, ONEOFF_LABEL, PROJECT_LABEL, SERVICE_LABEL
from exporter.host.failures import Refused
from exporter.imports.engine.answers import Part
from exporter.imports.project import Note, Place, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.host.engine import Engine

MAX_CONTAINERS = 2000
MAX_NOTES = 20
"""Of one container, on values that are left out."""
LOOSE = ""
"""The project of containers that belong to none."""

_STACK_LABEL = "com.docker.stack.namespace"
_SWARM_LABEL = "com.docker.swarm.service.name"
_KUBERNETES_LABEL = "io.kubernetes.pod.name"
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,100}")
_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,100}")


@dataclass(frozen=True, slots=True)
class Found:
    """One container. `image`: its image's description, empty if the engine no longer has it."""

    id: str
    name: str
    project: str
    service: str
    number: int
    described: Part
    image: Part
    labels: Mapping[str, str]
    place: Place

    @property
    def state(self) -> str:
        """Return `running`, `exited` and so on; empty if the container disappeared while it was read."""
        return self.described.part("State").text("Status")


@dataclass(slots=True)
class Inventory:
    """All containers by project and service, and notes on those that are left out."""

    services: dict[str, dict[str, list[Found]]] = field(default_factory=lambda: defaultdict(dict))
    notes: list[Note] = field(default_factory=list)
    names: dict[str, Found] = field(default_factory=dict)
    """By id and by name: containers that share the network of another name it so."""

    def add(self, found: Found) -> None:
        self.services[found.project].setdefault(found.service, []).append(found)
        self.names[found.id] = self.names[found.name] = found


def take_inventory(engine: Engine) -> Inventory:
    """Inspect all containers and their images.

    Raises:
        EngineLost: the engine does not answer.
    """
    inventory = Inventory()
    rows = engine.listed()
    if len(rows) > MAX_CONTAINERS:
        sentence = (
            f"the engine has {len(rows)} containers; those after the first {MAX_CONTAINERS} are left out"
        )
        inventory.notes.append(Note(sentence))
    images: dict[str, Part] = {}
    for row in rows[:MAX_CONTAINERS]:
        _add(inventory, engine, Part(row, lambda _: None), images)
    for services in inventory.services.values():
        for containers in services.values():
            containers.sort(key=lambda each: (each.state != "running", each.number, each.name))
    return inventory


def _add(inventory: Inventory, engine: Engine, row: Part, images: dict[str, Part]) -> None:
    id_ = row.text("Id")
    name = next(iter(row.texts("Names")), id_[:12]).removeprefix("/")
    place = Place(Source(f"container {name}", role="engine"))
    labels = row.texts_by_name("Labels")

    known: set[str] = set()

    def left_out(key: str) -> None:
        if key in known or len(known) >= MAX_NOTES:
            return
        known.add(key)
        sentence = f"the engine's answer has no usable value for {quoted(key)}; it is left out"
        inventory.notes.append(Note(sentence, place=place))

    if labels.get(ONEOFF_LABEL, "").lower() == "true" or _KUBERNETES_LABEL in labels:
        return
    try:
        described = Part(engine.inspect(id_), left_out)
    except Refused:
        # Removed meanwhile, as in a deploy, or broken. Its service stays, with what the list says.
        config = {"Image": row.content.get("Image"), "Labels": row.content.get("Labels")}
        described = Part({"Config": config}, left_out)
        sentence = "the engine listed it and does not describe it; only its image and labels are known"
        inventory.notes.append(Note(sentence, place=place))
    labels = described.part("Config").texts_by_name("Labels")
    owner = _owner(name, labels)
    if owner is None:
        inventory.notes.append(
            Note("has labels of Compose that are no valid names; it is left out", place=place)
        )
        return
    project, service = owner
    if project == LOOSE and described.part("State").text("Status") not in ("running", "paused", "restarting"):
        inventory.notes.append(Note("belongs to no project and does not run; it is left out", place=place))
        return
    number = labels.get(NUMBER_LABEL, "")
    inventory.add(
        Found(
            id=id_,
            name=name,
            project=project,
            service=service,
            number=int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 0,
            described=described,
            image=_image(engine, described.text("Image"), images, left_out),
            labels=labels,
            place=place,
        )
    )


def _owner(name: str, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Return project and service; None for labels that are neither's names."""
    project, service = labels.get(PROJECT_LABEL, ""), labels.get(SERVICE_LABEL, "")
    if not project and labels.get(_SWARM_LABEL):
        project = labels.get(_STACK_LABEL, LOOSE)
        service = labels[_SWARM_LABEL].removeprefix(f"{project}_")
    if not project:
        return (LOOSE, service or name) if _SERVICE.fullmatch(service or name) else None
    return (project, service) if _PROJECT.fullmatch(project) and _SERVICE.fullmatch(service) else None


def _image(engine: Engine, id_: str, images: dict[str, Part], left_out: Callable[[str], None]) -> Part:
    if id_ not in images:
        try:
            described = engine.inspect_image(id_) if id_ else None
        except Refused:
            described = None
        images[id_] = Part(described or {}, left_out)
    return images[id_]
