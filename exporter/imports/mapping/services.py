"""One service of the source as a service of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import number_of
from exporter.imports.engine.reading import SEEN
from exporter.imports.mapping import ports
from exporter.imports.mapping.builds import build_keys
from exporter.imports.mapping.dependencies import dependencies, depends_on, is_apart
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.environment import variables
from exporter.imports.mapping.images import tagged
from exporter.imports.mapping.keys import DEPLOY_LEFT, LIMITS, NOTED, PASSED, REFUSED, RENAMED, SAME
from exporter.imports.mapping.limits import limits, replicas
from exporter.imports.mapping.mounts import mounts
from exporter.imports.mapping.probes import probed
from exporter.imports.mapping.unresolved import pass_unresolved
from exporter.imports.mapping.values import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.imports.compose.forms.limits import Gpus
    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath

_POLICIES = frozenset({"no", "always", "on-failure", "unless-stopped"})
_SWARM_POLICIES = {"none": "no", "on-failure": "on-failure", "any": "always"}
_MOST = 2**40
"""More processors or processes than any machine has; a float may be infinite."""
_WATCHED = frozenset(
    {"image", "build", "depends_on", "links", "profiles", "healthcheck", "ports", "expose", "labels"}
)
"""Keys that watching uses: for probes, ports, dependencies, descriptions. The others are for owning."""


def service_keys(service: Service, names: Mapping[str, str], draft: Draft) -> dict[str, Any]:
    """Return the keys of a service in the catalog. `names`: the catalog's names by the real ones."""
    keys: dict[str, Any] = {}
    if service.image:
        image = tagged(service.image) if draft.own and not service.build else service.image
        keys["image"] = draft.text(image, ("services", service.name, "image"))
        draft.row(Outcome.CARRIED, ("services", service.name, "image"))
    if draft.own and service.build:
        keys["build"] = build_keys(service, draft)
    keys |= probed(service, names[service.name], draft)
    if ports.is_public(service) and not draft.own:
        # With --own the published ports are carried, and a gateway has to be written first.
        keys["public"] = True
    keys |= shared_keys(service, names, draft)
    if draft.own and isinstance(service.read_only, bool):
        keys["read_only"] = service.read_only
    if (count := replicas(service, draft)) is not None:
        keys["replicas"] = count
    mode = service.network_mode or ""
    other = names.get(mode.removeprefix("service:")) if mode.startswith("service:") else None
    if other and not draft.own and "port" in keys:
        keys["address"] = f"{mode.removeprefix('service:')}:{keys['port']}"
    return keys


def shared_keys(service: Service, names: Mapping[str, str], draft: Draft) -> dict[str, Any]:
    """Return the keys that services and stores share, and add a row for each key of the source."""
    path: ModelPath = ("services", service.name)
    keys: dict[str, Any] = {}
    if names[service.name] != service.name:
        draft.row(Outcome.CHANGED, path, f"is called {names[service.name]} in the catalog")
    if not draft.own and not draft.project.name:
        keys["containers"] = {"name": _container(service, draft)}
    elif not draft.own and names[service.name] != service.name:
        keys["containers"] = {"service": service.name}
    if needs := depends_on(service, names, draft):
        keys["depends_on"] = needs
    if service.profiles:
        keys["profiles"] = list(service.profiles)
        draft.row(
            Outcome.CARRIED, (*path, "profiles"), "runs on demand, so it is not missing while it does not run"
        )
    if not draft.own:
        _rows_for_owning(path, draft)
        return keys
    keys |= _owned(service, names, draft)
    return keys


def _container(service: Service, draft: Draft) -> str:
    """Return the name of the container of a service without a project."""
    seen = draft.plain(("services", service.name, SEEN, "containers")) or [service.name]
    return str(seen[0])


def _owned(service: Service, names: Mapping[str, str], draft: Draft) -> dict[str, Any]:
    path: ModelPath = ("services", service.name)
    keys: dict[str, Any] = {}
    written = dict(draft.plain(path) or {})
    passed = pass_unresolved(written, path, draft)
    for key, value in written.items():
        here = (*path, key)
        if value is None:
            continue
        if key in SAME:
            keys[key] = draft.converted(value, here)
            draft.row(Outcome.CARRIED, here)
            if key == "configs":
                keys[key] = _configs(keys[key], here, draft)
        elif key in RENAMED:
            keys[RENAMED[key]] = draft.converted(value, here)
            draft.row(Outcome.CHANGED, here, f"is {RENAMED[key]} in the catalog")
        elif key in PASSED:
            passed[key] = draft.passed(value, here)
            draft.row(Outcome.PASSED, here)
        elif key in NOTED:
            draft.row(Outcome.LEFT, here, NOTED[key])
        elif key in REFUSED:
            draft.row(Outcome.LEFT, here, f"cannot be deployed from the catalog: {REFUSED[key]}")
        elif key not in _HANDLED and not key.startswith("x-"):
            draft.row(Outcome.LEFT, here, "is not a known key of Compose")
    keys |= _values(service, draft)
    if restart := _restart(service, draft):
        keys["restart"] = restart
    if "healthcheck" in keys and not _like_compose(keys["healthcheck"]):
        del keys["healthcheck"]
    if service.gpus and "gpus" not in keys:
        keys["gpus"] = [_gpus(request, path, draft) for request in service.gpus]
    passed |= _passed(service, names, draft)
    if "network_mode" in keys and str(keys["network_mode"]).startswith("service:"):
        other = str(keys["network_mode"]).removeprefix("service:")
        keys["network_mode"] = f"service:{names.get(other, other)}"
    if passed:
        keys["compose"] = passed
    return keys


def _configs(entries: list[Any], path: ModelPath, draft: Draft) -> list[Any]:
    for index, entry in enumerate(entries):
        for key in sorted(set(entry) - {"source", "target"}) if isinstance(entry, dict) else ():
            del entry[key]
            draft.row(
                Outcome.LEFT, (*path, index, key), "the file is that of the host, with its owner and mode"
            )
    return entries


def _like_compose(check: dict[str, Any]) -> bool:
    """Give a health check the times that it has in Compose. Return False if it says nothing."""
    if check.get("disable") is False:
        del check["disable"]
    if not check:
        return False
    if (retries := number_of(str(check.get("retries", "")))) is not None:
        check["retries"] = retries
    if "test" in check and not check.get("disable"):
        for key, time in _TIMES.items():
            check.setdefault(key, time)
    return True


_TIMES = {"timeout": "30s", "start_period": "0s"}
"""Times of a health check for which the catalog has other defaults than the engine."""


def _gpus(request: Gpus, path: ModelPath, draft: Draft) -> dict[str, Any]:
    here = (*path, *request.path)
    draft.row(Outcome.CHANGED, here, "is gpus in the catalog")
    keys: dict[str, Any] = {
        "driver": request.driver,
        "count": int(request.count) if request.count and request.count.isdigit() else request.count,
        "device_ids": list(request.ids),
        "capabilities": list(request.capabilities),
        "options": request.options,
    }
    return {key: draft.converted(value, here) for key, value in keys.items() if value not in (None, [], {})}


def _passed(service: Service, names: Mapping[str, str], draft: Draft) -> dict[str, Any]:
    """Return what the catalog has no key for: other names of links, dependencies without a network, reservations."""
    path: ModelPath = ("services", service.name)
    passed: dict[str, Any] = {}
    aliases = [link for link in service.links if link.alias != link.service and link.service in names]
    if aliases:
        passed["links"] = [f"{names[link.service]}:{link.alias}" for link in aliases]
        draft.row(Outcome.PASSED, (*path, "links"), "the other names")
    apart = {
        names[each.service]: {"condition": each.condition}
        for each in dependencies(service, names)
        if is_apart(service, each.service, draft)
    }
    if apart:
        passed["depends_on"] = apart
        draft.row(Outcome.PASSED, (*path, "depends_on"), "services without a common network")
    reserved = service.resources.reserved_memory
    if reserved and "deploy" in reserved.path:
        passed["mem_reservation"] = reserved.text
        draft.row(Outcome.PASSED, (*path, *reserved.path), "as mem_reservation")
    return passed


_HANDLED = frozenset(
    [
        "image",
        "build",
        "environment",
        "env_file",
        "labels",
        "volumes",
        "depends_on",
        "links",
        "profiles",
        "secrets",
        "deploy",
        "scale",
        "read_only",
        "extends",
        "restart",
    ]
) | set(LIMITS)


def _values(service: Service, draft: Draft) -> dict[str, Any]:
    """Return keys whose values need work: variables, files, secrets, limits."""
    path: ModelPath = ("services", service.name)
    keys: dict[str, Any] = {}
    if service.environment:
        here = (*path, "environment")
        keys["environment"] = variables(service.environment, here, service.name, draft)
        draft.row(Outcome.CARRIED, here)
    if service.labels:
        here = (*path, "labels")
        keys["labels"] = {
            pair.name: draft.named(pair.name, pair.value or "", (*here, *pair.path))
            for pair in service.labels
        }
        draft.row(Outcome.CARRIED, here)
    if service.env_file:
        here = (*path, "env_file")
        keys["env_file"] = [_env_file(entry, (*here, *entry.path), draft) for entry in service.env_file]
        draft.row(Outcome.CARRIED, here, "the files were not read")
    if service.volumes:
        keys["volumes"] = mounts(service, draft)
        draft.row(Outcome.CARRIED, (*path, "volumes"))
    if service.secrets:
        keys["secrets"] = [grant.source for grant in service.secrets]
        for grant in service.secrets:
            if grant.target != f"/run/secrets/{grant.source}" or grant.uid or grant.gid or grant.mode:
                sentence = f"its target, owner and mode are left out: it is /run/secrets/{grant.source}"
                draft.row(Outcome.CHANGED, (*path, "secrets", *grant.path), sentence)
        draft.row(Outcome.CARRIED, (*path, "secrets"))
    if amounts := limits(service, draft):
        keys["resources"] = amounts
    for key in DEPLOY_LEFT:
        if draft.project.value((*path, "deploy", *key)) is not None:
            draft.row(Outcome.LEFT, (*path, "deploy", *key), "only Swarm reads it")
    return keys


def _restart(service: Service, draft: Draft) -> str | None:
    """Return when the engine restarts it: by `restart`, or by what Swarm reads."""
    path: ModelPath = ("services", service.name, "restart")
    if service.restart:
        policy, _, count = literal(service.restart).partition(":")
        if policy not in _POLICIES:
            draft.row(Outcome.LEFT, path, "depends on a variable; write the policy")
            return None
        if count or "$" in service.restart:
            draft.row(Outcome.CHANGED, path, f"is {policy}, without a variable or a number of attempts")
        return policy
    written = ("services", service.name, "deploy", "restart_policy", "condition")
    condition = draft.plain(written)
    if condition is None:
        # Compose's default, which is not the catalog's: a job that is done must not start again.
        return "no"
    policy = _SWARM_POLICIES.get(str(condition), "")
    if not policy:
        draft.row(Outcome.LEFT, written, "is not a restart policy")
        return None
    draft.row(Outcome.CHANGED, written, f"is restart: {policy} in the catalog")
    return policy


def _env_file(entry: Any, path: ModelPath, draft: Draft) -> Any:
    file = draft.file(entry.file if entry.file.startswith((".", "/", "$", "~")) else f"./{entry.file}", path)
    extra = {} if entry.required is True else {"required": entry.required}
    extra |= {"format": entry.format} if entry.format else {}
    return {"path": file, **extra} if extra else file


def _rows_for_owning(path: ModelPath, draft: Draft) -> None:
    for key in draft.plain(path) or {}:
        if key not in _WATCHED and key != SEEN and not key.startswith("x-"):
            draft.row(Outcome.OWNING, (*path, key))
