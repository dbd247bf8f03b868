"""One service of the source as a service of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import number_of
from exporter.imports.compose.forms.dependencies import COMPLETED, HEALTHY
from exporter.imports.compose.forms.mounts import BIND
from exporter.imports.compose.forms.units import size_bytes
from exporter.imports.engine.reading import SEEN
from exporter.imports.mapping import ports
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.environment import variables
from exporter.imports.mapping.keys import DEPLOY_LEFT, LIMITS, NOTED, PASSED, REFUSED, RENAMED, SAME
from exporter.imports.mapping.probes import probed
from exporter.imports.mapping.values import catalog_text, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.imports.compose.forms.service import Service
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath

_CONDITIONS = {HEALTHY: "healthy", COMPLETED: "completed"}
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
        keys["image"] = draft.text(service.image, ("services", service.name, "image"))
        draft.row(Outcome.CARRIED, ("services", service.name, "image"))
    if draft.own and service.build:
        keys["build"] = _build(service, draft)
    keys |= probed(service, names[service.name], draft)
    if ports.is_public(service) and not draft.own:
        # With --own the published ports are carried, and a gateway has to be written first.
        keys["public"] = True
    keys |= shared_keys(service, names, draft)
    if draft.own and service.read_only is not None:
        keys["read_only"] = service.read_only
    if replicas := _replicas(service):
        keys["replicas"] = replicas
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
    if needs := _depends_on(service, names, draft):
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
    passed: dict[str, Any] = {}
    for key, value in (draft.plain(path) or {}).items():
        here = (*path, key)
        if value is None:
            continue
        if key in SAME:
            keys[key] = draft.converted(value, here)
            draft.row(Outcome.CARRIED, here)
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
            draft.row(Outcome.LEFT, here, "is no key of Compose that is known here")
    keys |= _values(service, draft)
    if restart := _restart(service, draft):
        keys["restart"] = restart
    if (retries := number_of(str(keys.get("healthcheck", {}).get("retries", "")))) is not None:
        keys["healthcheck"]["retries"] = retries
    if "network_mode" in keys and str(keys["network_mode"]).startswith("service:"):
        other = str(keys["network_mode"]).removeprefix("service:")
        keys["network_mode"] = f"service:{names.get(other, other)}"
    if passed:
        keys["compose"] = passed
    return keys


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
    if limits := _limits(service, draft):
        keys["resources"] = limits
    for key in DEPLOY_LEFT:
        if draft.project.value((*path, "deploy", key)) is not None:
            draft.row(Outcome.LEFT, (*path, "deploy", key), "only Swarm reads it")
    return keys


def mounts(service: Service, draft: Draft, without: str = "") -> list[Any]:
    """Return the mounts of a service, all but the one at a path of the container."""
    found: list[Any] = []
    for mount in service.volumes:
        here = ("services", service.name, "volumes", *mount.path)
        if mount.target == without and without:
            continue
        if not mount.raw:
            long = draft.converted(draft.plain(here), here)
            if mount.kind == BIND:
                long["source"] = draft.file(mount.source, here)
            found.append(long)
        elif mount.kind == BIND and mount.source:
            rest = mount.raw[len(mount.source) :]
            found.append(draft.file(mount.source, here) + draft.text(rest, here))
        else:
            found.append(draft.text(mount.raw, here))
    return found


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
        return None
    policy = _SWARM_POLICIES.get(str(condition), "")
    if not policy:
        draft.row(Outcome.LEFT, written, "is no policy")
        return None
    draft.row(Outcome.CHANGED, written, f"is restart: {policy} in the catalog")
    return policy


def _env_file(entry: Any, path: ModelPath, draft: Draft) -> Any:
    file = draft.file(entry.file if entry.file.startswith((".", "/", "$", "~")) else f"./{entry.file}", path)
    extra = {} if entry.required is True else {"required": entry.required}
    extra |= {"format": entry.format} if entry.format else {}
    return {"path": file, **extra} if extra else file


def _depends_on(service: Service, names: Mapping[str, str], draft: Draft) -> Any:
    path: ModelPath = ("services", service.name)
    needs: dict[str, dict[str, Any]] = {}
    for link in service.links:
        if link.service in names:
            needs[names[link.service]] = {"condition": "started"}
            draft.row(Outcome.CHANGED, (*path, "links", *link.path), "is depends_on in the catalog")
    for dependency in service.depends_on:
        if dependency.service not in names:
            draft.row(Outcome.LEFT, (*path, "depends_on", *dependency.path), "there is no such service")
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


def _build(service: Service, draft: Draft) -> Any:
    build = service.build
    assert build is not None  # noqa: S101 - as the caller checked
    path = ("services", service.name, "build")
    context = (
        build.context
        if build.context.startswith((".", "/", "~", "$")) or "://" in build.context
        else f"./{build.context}"
    )
    keys: dict[str, Any] = {"context": draft.file(context, path)}
    keys["dockerfile"] = build.dockerfile or "Dockerfile"
    if build.target:
        keys["target"] = draft.text(build.target, path)
    if build.args:
        keys["arguments"] = {
            pair.name: draft.named(pair.name, pair.value or "", (*path, "args", *pair.path))
            for pair in build.args
        }
    draft.row(Outcome.CARRIED, path)
    if build.dockerfile_inline:
        draft.row(Outcome.LEFT, (*path, "dockerfile_inline"), "write it into a Dockerfile")
    for key in build.rest:
        draft.row(Outcome.LEFT, (*path, key), "the catalog builds without it")
    return keys


def _limits(service: Service, draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = {}
    given = service.resources
    for key, amount in (("cpu", given.cpus), ("memory", given.memory), ("processes", given.pids)):
        if amount is None:
            continue
        path = ("services", service.name, *amount.path)
        value = _limit(key, catalog_text(amount.text)[0] if "$" not in amount.text else "")
        if value is None:
            draft.row(Outcome.LEFT, path, "depends on a variable, or is no limit; write a number")
        else:
            found[key] = _mebibytes(value) if key == "memory" else value
            draft.row(Outcome.CHANGED, path, f"is resources.{key} in the catalog")
    return found


def _limit(key: str, text: str) -> Any:
    try:
        if key == "memory":
            return size_bytes(text)
        number = float(text)
    except ValueError:
        return None
    if not 0 < number < _MOST:
        return None
    return int(number) if key == "processes" or number == int(number) else number


def _mebibytes(size: int) -> int | str:
    return f"{size // 2**20}Mi" if size % 2**20 == 0 else size


def _replicas(service: Service) -> int | None:
    amount = service.resources.replicas
    count = number_of(amount.text) if amount and "$" not in amount.text else None
    return None if count == 1 else count


def _rows_for_owning(path: ModelPath, draft: Draft) -> None:
    for key in draft.plain(path) or {}:
        if key not in _WATCHED and key != SEEN and not key.startswith("x-"):
            draft.row(Outcome.OWNING, (*path, key))
