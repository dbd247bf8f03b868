"""What a service waits for, by `depends_on` and `links`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.dependencies import COMPLETED, HEALTHY
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.values import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.imports.compose.forms.dependencies import Dependency
    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath

_CONDITIONS = {HEALTHY: "healthy", COMPLETED: "completed"}


def depends_on(service: Service, names: Mapping[str, str], draft: Draft) -> Any:
    """Return the key `depends_on`; None without any. `names`: the catalog's names by the real ones."""
    path: ModelPath = ("services", service.name)
    needs: dict[str, dict[str, Any]] = {}
    for link in service.links:
        if link.service in names:
            needs[names[link.service]] = {"condition": "started"}
            draft.row(Outcome.CHANGED, (*path, "links", *link.path), "is depends_on in the catalog")
    for written in service.depends_on:
        if literal(written.service) not in names:
            draft.row(Outcome.LEFT, (*path, "depends_on", *written.path), "there is no such service")
    for dependency in dependencies(service, names):
        here = (*path, "depends_on", *dependency.path)
        if dependency.restart is True and draft.own:
            draft.row(Outcome.LEFT, (*here, "restart"), "a deploy restarts only what it changes")
        if draft.own and is_apart(service, dependency.service, draft):
            continue
        need: dict[str, Any] = {"condition": _CONDITIONS.get(dependency.condition, "started")}
        if dependency.required is False:
            need["optional"] = True
        needs[names[dependency.service]] = need
    if not needs:
        return None
    draft.row(Outcome.CARRIED, (*path, "depends_on"))
    plain_needs = all(
        need.keys() == {"condition"} and need["condition"] != "completed" for need in needs.values()
    )
    if not draft.own and plain_needs:
        return list(needs)
    return {name: need["condition"] if need.keys() == {"condition"} else need for name, need in needs.items()}


def dependencies(service: Service, names: Mapping[str, str]) -> list[Dependency]:
    """Return the dependencies that are in the source, by the defaults of variables in their names."""
    known = [replace(each, service=literal(each.service)) for each in service.depends_on]
    return [each for each in known if each.service in names]


def is_apart(service: Service, other: str, draft: Draft) -> bool:
    """True if a service shares no network with another: it waits for it and does not speak to it."""
    found = []
    for name in (service.name, other):
        keys = draft.plain(("services", name)) or {}
        if "network_mode" in keys:
            return False
        found.append(set(keys.get("networks") or ["default"]))
    return not found[0] & found[1]
