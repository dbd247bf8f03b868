"""environment.sh: what the scripts know of one environment, as shell assignments whose values are all quoted.

Lists are arrays. Those of one thing stand side by side: SERVICE_LEVELS[i] is the level of SERVICES[i].
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from exporter.catalog.planning.places import compose_project, secrets_folder, state_folder
from exporter.catalog.reading.checks import CONFIGURATION
from exporter.outputs.base import File
from exporter.outputs.compose.conditions import awaited, jobs
from exporter.outputs.compose.names import GATEWAY
from exporter.outputs.gateway.http import LOOK_UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

Value = str | tuple[str, ...]
"""A text, or an array of texts."""


def render(catalog: Catalog) -> Iterable[File]:
    """environment.sh of the catalog's environment."""
    values = {**_project(catalog), **_services(catalog), **_backups(catalog)}
    lines = [f"{name}={_shell(value)}\n" for name, value in values.items()]
    head = "# shellcheck shell=bash disable=SC2034\n# Data for the scripts: generated, and read by lib.sh.\n"
    yield File("environment.sh", head + "".join(lines))


def _shell(value: Value) -> str:
    if isinstance(value, str):
        return shlex.quote(value)
    return f"({' '.join(map(shlex.quote, value))})"


def _project(catalog: Catalog) -> dict[str, Value]:
    settings = catalog.environment
    return {
        "PROJECT": catalog.project,
        "ENVIRONMENT": catalog.environment_name,
        "COMPOSE_PROJECT": compose_project(catalog),
        "PROTECTED": "true" if settings.protected else "false",
        "DOCKER_HOST_OF_ENVIRONMENT": settings.docker_host or "",
        "VERIFY_SECONDS": str(math.ceil(settings.verify.deadline)),
        "TAG_DEFAULT": settings.tag or "",
        "STATE_FOLDER_DEFAULT": state_folder(catalog),
        "BACKUP_FOLDER_DEFAULT": catalog.backup.directory,
        "SECRETS_FOLDER_DEFAULT": secrets_folder(catalog),
    }


def _services(catalog: Catalog) -> dict[str, Value]:
    levels = levels_of_services(catalog)
    services = {name: catalog.services[name] for name in levels}
    replicated = {name: service.replicas for name, service in services.items() if service.replicas > 1}
    waited_for, ending = awaited(catalog), jobs(catalog)
    return {
        "SERVICES": tuple(services),
        "SERVICE_LEVELS": tuple(map(str, levels.values())),
        "AWAITED": tuple(name for name in (*services, *catalog.stores) if name in waited_for),
        "JOBS": tuple(name for name in services if name in ending),
        "STORES": tuple(name for name, store in catalog.stores.items() if store.engine != "sqlite"),
        "FILE_STORES": tuple(name for name, store in catalog.stores.items() if store.engine == "sqlite"),
        "BUILT": tuple(name for name, service in services.items() if service.build),
        "REPLICATED": tuple(replicated),
        "REPLICA_COUNTS": tuple(map(str, replicated.values())),
        "GATEWAY": GATEWAY if catalog.gateway else "",
        "GATEWAY_PROFILE": GATEWAY if catalog.gateway and catalog.environment.publishes_all else "",
        "GATEWAY_RESOLVE_SECONDS": str(LOOK_UP_SECONDS),
    }


def levels_of_services(catalog: Catalog) -> dict[str, int]:
    """The services that are deployed, lowest first: each one above the highest that it depends on; stores are at 0."""
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in catalog.services:
            return 0
        if name not in levels:
            levels[name] = 1 + max((level(other) for other in catalog.services[name].depends_on), default=0)
        return levels[name]

    for name in catalog.services:
        level(name)
    order = sorted(catalog.services, key=lambda name: levels[name])
    return {name: levels[name] for name in order if catalog.services[name].deployed}


def _backups(catalog: Catalog) -> dict[str, Value]:
    """Whether there is anything to save: what, and how, backup.sh asks the exporter."""
    sections = (catalog.stores, catalog.volumes)
    names = [name for section in sections for name, thing in section.items() if thing.backup]
    encrypt = catalog.backup.encrypt
    return {
        "BACKUP_NAMES": (*names, *([CONFIGURATION] if catalog.backup.configuration else ())),
        "BACKUP_PUBLIC_KEY": encrypt.recipient_file if encrypt else "",
    }
