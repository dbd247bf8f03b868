"""One service with all of its keys in their forms."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import FormError, flag, mapping_of, text_of, texts_of
from exporter.imports.compose.forms.builds import Build, build
from exporter.imports.compose.forms.commands import Command, Healthcheck, command, healthcheck
from exporter.imports.compose.forms.dependencies import Dependency, Link, dependencies, links
from exporter.imports.compose.forms.grants import (
    EnvFile,
    Grant,
    config_grants,
    env_files,
    secret_grants,
)
from exporter.imports.compose.forms.limits import (
    Device,
    Gpus,
    Resources,
    Ulimit,
    devices,
    gpus,
    resources,
    ulimits,
)
from exporter.imports.compose.forms.mounts import Mount, Tmpfs, mounts, tmpfs
from exporter.imports.compose.forms.networks import Attachment, ExtraHost, attachments, extra_hosts
from exporter.imports.compose.forms.pairs import Pair, pairs
from exporter.imports.compose.forms.ports import Port, exposed, ports
from exporter.imports.compose.forms.units import seconds, size_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(frozen=True, slots=True)
class Logging:
    """The driver of a service's log."""

    driver: str | None = None
    options: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service as Compose understands it. Absent keys are None, empty or False; texts keep their variables."""

    name: str
    image: str | None = None
    build: Build | None = None
    command: Command | None = None
    entrypoint: Command | None = None
    environment: tuple[Pair, ...] = ()
    env_file: tuple[EnvFile, ...] = ()
    labels: tuple[Pair, ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[Port, ...] = ()
    volumes: tuple[Mount, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    links: tuple[Link, ...] = ()
    networks: tuple[Attachment, ...] = ()
    """Empty: the network `default`, unless there is `network_mode`."""
    network_mode: str | None = None
    extra_hosts: tuple[ExtraHost, ...] = ()
    healthcheck: Healthcheck | None = None
    secrets: tuple[Grant, ...] = ()
    configs: tuple[Grant, ...] = ()
    resources: Resources = field(default_factory=Resources)
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: tuple[Pair, ...] = ()
    devices: tuple[Device, ...] = ()
    gpus: tuple[Gpus, ...] = ()
    shm_size: str | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    privileged: bool | str | None = None
    read_only: bool | str | None = None
    init: bool | str | None = None
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    container_name: str | None = None
    platform: str | None = None
    pull_policy: str | None = None
    restart: str | None = None
    stop_signal: str | None = None
    stop_grace_period: str | None = None
    logging: Logging | None = None
    profiles: tuple[str, ...] = ()
    rest: dict[str, Any] = field(default_factory=dict)
    """Keys without a form here, as written: those that are passed through, noted or unknown."""


def services(model: dict[str, Any]) -> dict[str, Service]:
    """Return all services of a project's model, which `read_project` has checked.

    Raises:
        FormError: Compose rejects the form of a key.
    """
    volumes = model.get("volumes") or {}
    return {name: service(name, value, volumes) for name, value in model["services"].items()}


def service(name: str, value: Any, volumes: Collection[str] = ()) -> Service:
    """Return a service's forms. `volumes`: the keys of the top-level `volumes`.

    Raises:
        FormError: Compose rejects the form of a key; the path begins with that key.
    """
    found, errors = read(name, value, volumes)
    if errors:
        raise errors[0]
    return found


def read(name: str, value: Any, volumes: Collection[str] = ()) -> tuple[Service, list[FormError]]:
    """Return what could be read of a service, and each key that could not."""
    mapping = mapping_of(value)
    made: dict[str, Any] = {}
    errors: list[FormError] = []
    readers: list[tuple[str, str | None, Callable[[], Any]]] = [
        *((key, key, partial(form, mapping[key])) for key, form in _FORMS.items() if key in mapping),
        ("volumes", "volumes", partial(mounts, mapping.get("volumes"), volumes)),
        *((key, None, partial(flag, mapping, key)) for key in _FLAGS & set(mapping)),
        ("resources", None, partial(resources, mapping)),
        ("gpus", None, partial(gpus, mapping)),
        ("logging", "logging", partial(logging, mapping.get("logging"))),
    ]
    for attribute, key, form in readers:
        try:
            made[attribute] = form()
        except FormError as error:
            errors.append(FormError(error.sentence, (key, *error.path) if key else error.path))
    rest = {key: inner for key, inner in mapping.items() if key not in _KNOWN}
    return Service(name, **made, rest=rest), errors


def logging(value: Any) -> Logging | None:
    """Return how a service logs; None if it is not written.

    Raises:
        FormError: it is no mapping.
    """
    if value is None:
        return None
    mapping = mapping_of(value)
    driver = mapping.get("driver")
    return Logging(
        None if driver is None else text_of(driver, ("driver",)),
        pairs(mapping_of(mapping.get("options"), ("options",))),
    )


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _duration(value: Any) -> str | None:
    text = _text(value)
    seconds(text)
    return text


def _size(value: Any) -> str | None:
    text = _text(value)
    size_bytes(text)
    return text


_TEXTS = (
    "image network_mode user working_dir hostname container_name platform pull_policy restart stop_signal"
)
_LISTS = "cap_add cap_drop security_opt group_add profiles"
_FLAGS = frozenset({"privileged", "read_only", "init"})
_FORMS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_TEXTS.split(), _text),
    **dict.fromkeys(_LISTS.split(), texts_of),
    **dict.fromkeys(("environment", "labels", "sysctls"), pairs),
    "build": build,
    "command": command,
    "configs": config_grants,
    "depends_on": dependencies,
    "devices": devices,
    "entrypoint": command,
    "env_file": env_files,
    "expose": exposed,
    "extra_hosts": extra_hosts,
    "healthcheck": healthcheck,
    "links": links,
    "networks": attachments,
    "ports": ports,
    "secrets": secret_grants,
    "shm_size": _size,
    "stop_grace_period": _duration,
    "tmpfs": tmpfs,
    "ulimits": ulimits,
}
_ELSEWHERE = frozenset({"cpus", "mem_limit", "mem_reservation", "pids_limit", "scale"})
"""Keys that `resources` reads. `deploy` is not among them: most of it has no form."""
_KNOWN = {known.name for known in fields(Service)} - {"name", "resources", "rest"} | _ELSEWHERE
