"""Keys of a container that mean in Compose what they mean in the catalog: one line each, from the value to the output.

Only what the catalog says is written, so a service without these keys has none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.keys.container.network_mode import HOST
from exporter.outputs.compose.images import host_path
from exporter.outputs.compose.text import interpolated, placed
from exporter.outputs.durations import size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.catalog.keys.container.devices import Gpus
    from exporter.catalog.keys.container.env_file import EnvFile
    from exporter.catalog.keys.container.limits import Ulimit
    from exporter.catalog.keys.container.logging import LogDriver
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.container.ports import PublishedPort


def texts(values: Iterable[str]) -> list[str]:
    """Return texts of the catalog in Compose's syntax."""
    return [interpolated(value) for value in values]


def named(values: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping with its values in Compose's syntax."""
    return {name: interpolated(value) for name, value in values.items()}


def _hosts(hosts: Mapping[str, tuple[str, ...]]) -> list[str]:
    # A list, since a mapping has one address for each host; with a colon, since 1.29 knows no other sign.
    return [f"{host}:{interpolated(address)}" for host, addresses in hosts.items() for address in addresses]


def _ulimits(limits: Mapping[str, Ulimit]) -> dict[str, Any]:
    return {
        name: limit.soft if limit.soft == limit.hard else {"soft": limit.soft, "hard": limit.hard}
        for name, limit in limits.items()
    }


def _logging(log: LogDriver) -> dict[str, Any]:
    options = {"options": named(log.options)} if log.options else {}
    return {"driver": interpolated(log.driver), **options}


OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "hostname": interpolated,
    "container_name": interpolated,
    "network_mode": str,
    "expose": texts,
    "extra_hosts": _hosts,
    "profiles": list,
    "working_dir": interpolated,
    "stop_signal": interpolated,
    "platform": interpolated,
    "pull_policy": str,
    "shm_size": size_text,
    "ulimits": _ulimits,
    "sysctls": named,
    "devices": texts,
    "group_add": texts,
    "cap_drop": texts,
    "security_opt": texts,
    "privileged": bool,
    "logging": _logging,
}
"""Key, and from the catalog's value to Compose's."""
_ADDED = ("group_add", "cap_drop", "security_opt")
"""Lists that are added to what the generated container has anyway."""


def with_options(container: Container, keys: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a generated container with those that the catalog gives it."""
    found = dict(keys)
    for key, render in OPTIONS.items():
        value = getattr(container, key)
        if value in (None, (), {}, False):
            continue
        rendered = render(value)
        if key in _ADDED:
            rendered = list(dict.fromkeys((*found.get(key, ()), *rendered)))
        found[key] = rendered
    if container.init is not None:
        found["init"] = container.init
    if container.gpus:
        found["deploy"] = {**found.get("deploy", {}), "resources": _gpus(container.gpus)}
    if container.env_file:
        # A later file replaces the variables of an earlier one: those with secrets come last.
        found["env_file"] = [*(_env_file(file) for file in container.env_file), *found.get("env_file", ())]
    if container.network_mode:
        found.pop("networks", None)
    if container.network_mode == HOST:
        # All its ports are the host's own, and Compose refuses to publish them.
        found.pop("ports", None)
    return found


def _gpus(requests: Iterable[Gpus]) -> dict[str, Any]:
    """Return the form of `deploy`, which both versions of Compose read; `gpus` itself needs Compose 2."""
    devices = []
    for request in requests:
        device: dict[str, Any] = {"capabilities": texts(request.capabilities) or ["gpu"]}
        if request.driver:
            device["driver"] = interpolated(request.driver)
        if request.device_ids:
            device["device_ids"] = texts(request.device_ids)
        if request.count or not request.device_ids:
            device["count"] = request.count or "all"
        if request.options:
            device["options"] = named(request.options)
        devices.append(device)
    return {"reservations": {"devices": devices}}


def _env_file(file: EnvFile) -> str | dict[str, Any]:
    path = placed(file.path, host_path)
    if file.required and not file.format:
        return path
    format_ = {"format": file.format} if file.format else {}
    return {"path": path, "required": file.required, **format_}


def published(port: PublishedPort) -> str | dict[str, Any]:
    """Return an item of `ports`, in the short form where that says all."""
    target = interpolated(port.target)
    outside = interpolated(port.published) if port.published else None
    host_ip = interpolated(port.host_ip) if port.host_ip else None
    if not (port.mode or port.name or port.app_protocol):
        address = f"[{host_ip}]" if host_ip and ":" in host_ip and "$" not in host_ip else host_ip
        before = [f"{address}:"] if address else []
        before += [f"{outside}:"] if outside else [":"] if address else []
        return f"{''.join(before)}{target}{'' if port.protocol == 'tcp' else f'/{port.protocol}'}"
    long: dict[str, Any] = {
        "target": int(target) if target.isdigit() else target,
        "published": outside,
        "host_ip": host_ip,
        "protocol": port.protocol,
        "mode": port.mode,
        "name": interpolated(port.name) if port.name else None,
        "app_protocol": interpolated(port.app_protocol) if port.app_protocol else None,
    }
    return {key: value for key, value in long.items() if value is not None}
