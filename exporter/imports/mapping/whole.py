"""Entry point: a `Project` in, the keys of a catalog out, with comments and a row about each key of the source.

made = map_project(read_project(Path("shop")), own=False, target=Path("shop"))
made.catalog    # as a catalog is written
made.rows       # what became of each key, with file and line
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.warnings import is_secret
from exporter.imports.compose.forms.service import services
from exporter.imports.engine.reading import SEEN
from exporter.imports.mapping import ports
from exporter.imports.mapping.draft import Draft, Outcome, Row
from exporter.imports.mapping.names import catalog_names
from exporter.imports.mapping.networks import rename_reserved
from exporter.imports.mapping.services import service_keys
from exporter.imports.mapping.stores import is_store, store_keys
from exporter.imports.prometheus.services import label

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.imports.project import ModelPath, Place, Project

_TOP = {"name", "version", "services", "networks", "volumes", "configs", "secrets", "include"}
_NETWORK_KEYS = [
    "name",
    "external",
    "internal",
    "driver",
    "attachable",
    "enable_ipv6",
    "driver_opts",
    "ipam",
    "labels",
]
_SWITCHES = ("internal", "enable_ipv6", "attachable", "external")
"""Keys of a network that are true or false in the catalog."""
_VOLUME_KEYS = ["name", "external", "driver", "driver_opts", "labels"]


@dataclass(frozen=True, slots=True)
class Made:
    """A catalog that was made of an application."""

    catalog: dict[str, Any]
    comments: dict[ModelPath, str]
    rows: tuple[Row, ...]
    owning: tuple[Row, ...] = ()
    """What --own would leave out or change, of an application that is only watched."""
    suggested: dict[ModelPath, dict[str, Any]] = field(default_factory=dict)
    """Keys that are written as a comment, by the path of what they belong to."""
    unreachable: tuple[str, ...] = field(default=())
    """Services and stores that are not published on this machine."""


def map_project(project: Project, *, own: bool, target: Path) -> Made:
    """Return the catalog of an application. `target`: the folder that it is written to."""
    draft = Draft(project, own, target)
    found = services(project.model)
    draft.known |= {
        pair.value: pair.name
        for service in found.values()
        for pair in service.environment
        if pair.value and _is_peculiar(pair.value) and is_secret(pair.name, pair.value)
    }
    names = catalog_names(found)
    name = project.name or target.absolute().name
    catalog: dict[str, Any] = {"project": label(name)}
    if project.name and label(name) != name:
        draft.comments["project",] = f"in Compose: {name}"
    if not own:
        catalog["managed"] = False
        observed = {"projects": [project.name] if project.name else [], "networks": _networks(project)}
        catalog["observe"] = {key: value for key, value in observed.items() if value}
    catalog["services"] = {
        names[name]: service_keys(service, names, draft)
        for name, service in found.items()
        if not is_store(service)
    }
    catalog["stores"] = {
        names[name]: store_keys(service, names, draft) for name, service in found.items() if is_store(service)
    }
    for name in found:
        section = "stores" if names[name] in catalog["stores"] else "services"
        draft.comments[section, names[name]] = str(_place(project, name))
    if own:
        catalog |= _shared(project, draft)
        rename_reserved(catalog, draft)
        catalog["secrets"] = _secrets(project, draft)
        for key in project.model.keys() - _TOP:
            if not key.startswith("x-"):
                draft.row(Outcome.LEFT, (key,), "the catalog has no such key; write it under compose")
    catalog["secrets"] = {**catalog.get("secrets", {}), **draft.secrets}
    local = {} if own else _local(project, names, catalog)
    if local:
        catalog["environments"] = {"local": local, "stack": {}}
        draft.comments["environments", "local"] = "exporter run on this machine"
        draft.comments["environments", "stack"] = "the monitoring stack, which joins observe.networks"
    suggested = {} if own else _passwords(catalog)
    rows = list(draft.rows)
    owning: tuple[Row, ...] = ()
    if not own:
        # An application that is watched refers to few of its secrets; a person wants to know of all.
        owning = map_project(project, own=True, target=target).rows
        places = {row.place for row in rows if row.outcome == Outcome.SECRET}
        written = (row for row in owning if row.outcome == Outcome.SECRET and row.place not in places)
        rows += [replace(row, sentence="a secret is written here; it was not copied") for row in written]
    catalog = {key: value for key, value in catalog.items() if value not in ({}, [])}
    known = local.get("services", {}).keys() | local.get("stores", {}).keys()
    unreachable = tuple(name for name in names.values() if name not in known)
    return Made(
        catalog,
        draft.comments,
        in_order(rows, project),
        tuple(row for row in owning if row.outcome in (Outcome.LEFT, Outcome.SECRET, Outcome.CHANGED)),
        suggested,
        () if own else unreachable,
    )


def in_order(rows: Iterable[Row], project: Project) -> tuple[Row, ...]:
    """Return rows in the order of the sources and their lines."""
    sources = {source: index for index, source in enumerate(project.sources)}
    return tuple(
        sorted(
            rows, key=lambda row: (sources.get(row.place.source, len(sources)), row.place.line, str(row.path))
        )
    )


def _is_peculiar(value: str) -> bool:
    """True if a value is no common word, so that the same text elsewhere is the same secret."""
    return len(value) > _WORD and "$" not in value and not value.isalpha()


_WORD = 5


def _place(project: Project, name: str) -> Place:
    """Return where a service is written: where it extends one of another file, its first own key."""
    place = project.place(("services", name))
    if place.source == project.sources[0]:
        return place
    keys = (project.place(("services", name, key)) for key in project.model["services"][name] or {})
    return min(
        (each for each in keys if each.source == project.sources[0]),
        key=lambda each: each.line,
        default=place,
    )


def _passwords(catalog: dict[str, Any]) -> dict[ModelPath, dict[str, Any]]:
    """Take the passwords of stores out: the daemon does not start before somebody has provided them."""
    return {
        ("stores", name): {"password": keys.pop("password")}
        for name, keys in catalog["stores"].items()
        if "password" in keys
    }


def _networks(project: Project) -> list[str]:
    """Return the real names of the networks that services are on."""
    declared = project.model.get("networks") or {}
    used: dict[str, None] = {}
    for value in project.model["services"].values():
        if "network_mode" not in value:
            used |= dict.fromkeys(value.get("networks") or ("default",))
    return [
        str(
            (declared.get(name) or {}).get("name")
            or (name if (declared.get(name) or {}).get("external") else f"{project.name}_{name}")
        )
        for name in used
    ]


def _local(project: Project, names: dict[str, str], catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the addresses at which this machine finds services, as the settings of an environment."""
    from exporter.catalog.keys.stores import ENGINES

    local: dict[str, Any] = {}
    for name, service in services(project.model).items():
        section = "stores" if names[name] in catalog["stores"] else "services"
        keys = catalog[section][names[name]]
        port = keys.get("port") or (ENGINES[keys["engine"]].port if section == "stores" else None)
        seen = (project.model["services"][name].get(SEEN) or {}).get("published") or {}
        if port and (address := ports.local_address(service, port, seen)):
            local.setdefault(section, {})[names[name]] = {"address": address}
    return local


def _shared(project: Project, draft: Draft) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for section, known in (
        ("networks", _NETWORK_KEYS),
        ("volumes", _VOLUME_KEYS),
        ("configs", ["file", "content", "environment"]),
    ):
        entries: dict[str, Any] = {}
        for name, value in (project.model.get(section) or {}).items():
            path = (section, name)
            entries[name] = {
                key: draft.converted(inner, path) for key, inner in (value or {}).items() if key in known
            }
            if "file" in entries[name]:
                entries[name]["file"] = draft.file(str(value["file"]), path)
            for key in [key for key in _SWITCHES if isinstance(entries[name].get(key), str)]:
                entries[name].pop(key)
                entries[name].setdefault("compose", {})[key] = value[key]
                draft.row(Outcome.PASSED, (*path, key), "only a variable knows the value")
            if isinstance(old := entries[name].get("external"), dict):
                entries[name] |= {"external": True, **old}
            if section == "volumes" and project.name and not entries[name].keys() & {"name", "external"}:
                # The catalog's Compose project has another name, and would start with an empty volume.
                entries[name]["name"] = f"{project.name}_{name}"
                draft.comments[path] = "the volume that exists, so that its data stays"
            draft.row(Outcome.CARRIED, path)
            for key in (value or {}).keys() - {*known}:
                if not key.startswith("x-"):
                    draft.row(Outcome.LEFT, (*path, key), "the catalog has no such key")
        made[section] = entries
    return made


def _secrets(project: Project, draft: Draft) -> dict[str, Any]:
    """Return the source's secrets: by file or variable, never by value."""
    made: dict[str, Any] = {}
    for name, value in (project.model.get("secrets") or {}).items():
        path = ("secrets", name)
        value = value or {}
        if value.get("file"):
            made[name] = {"file": draft.file(str(value["file"]), path)}
        elif value.get("environment"):
            made[name] = {"env": value["environment"]}
        else:
            made[name] = {}
            why = "its value was not copied" if "content" in value else "it is outside of Compose"
            draft.row(Outcome.SECRET, path, f"{why}; put it into ./secrets/{name}")
            continue
        draft.row(Outcome.CARRIED, path)
    return made
