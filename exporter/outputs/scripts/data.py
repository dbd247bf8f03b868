"""environment.sh: what the scripts know of one environment, as shell assignments whose values are all quoted.

Lists are arrays. Those of one thing stand side by side: SECRETS[i] comes from SECRET_SOURCE[i]. No value of a secret is
here, only names, paths and variables.
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from exporter.catalog.planning.places import compose_project, secrets_folder, state_folder
from exporter.catalog.planning.secret_paths import DEFAULT_FOLDER
from exporter.catalog.reading.checks import CONFIGURATION
from exporter.catalog.values.references import NamedSecret
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.base import File
from exporter.outputs.compose.conditions import awaited, jobs
from exporter.outputs.compose.names import GATEWAY, NOBODY
from exporter.outputs.compose.secrets import granted
from exporter.outputs.gateway.http import LOOK_UP_SECONDS
from exporter.outputs.monitoring.secrets import GRAFANA_PASSWORD, stack_secrets
from exporter.outputs.web import daemon_needs, prometheus_needs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.secrets import SecretSource

Value = str | tuple[str, ...]
"""A text, or an array of texts."""


def render(catalog: Catalog) -> Iterable[File]:
    """environment.sh of the catalog's environment."""
    values = {**_project(catalog), **_services(catalog), **_secrets(catalog), **_backups(catalog)}
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


_SECRET_COLUMNS = ("SECRETS", "SECRET_SOURCE", "SECRET_VALUE", "SECRET_ROTATE_SECONDS", "SECRET_USED_BY")


def _secrets(catalog: Catalog) -> dict[str, Value]:
    rows = [(name, *_source(name, source)) for name, source in catalog.secrets.items()]
    rows += [(secret.name, secret.source, secret.value, "") for secret in stack_secrets(catalog)]
    users = _users_of_secrets(catalog)
    return {
        **_columns(_SECRET_COLUMNS, [(*row, "\n".join(users.get(row[0], ()))) for row in rows]),
        "SECRETS_OWNER_DEFAULT": f":{NOBODY}",
    }


def _users_of_secrets(catalog: Catalog) -> dict[str, list[str]]:
    """Of each secret the containers that read it, which must start anew to see another value."""
    users: dict[str, list[str]] = {GRAFANA_PASSWORD: ["grafana"]}
    for section, containers in (("services", catalog.services), ("stores", catalog.stores)):
        for name, container in containers.items():
            for secret in granted(container, (section, name)).secrets:
                users.setdefault(secret, []).append(name)
    for name, store in catalog.stores.items():
        for part in store.password.parts if store.password else ():
            if isinstance(part, NamedSecret) and name not in users.setdefault(part.name, []):
                users[part.name].append(name)
    for mounted in mounted_secrets(catalog):
        users.setdefault(mounted.name, []).append("alertmanager")
    for program, needed in (("exporter", daemon_needs(catalog)), ("prometheus", prometheus_needs(catalog))):
        for secret in needed.secrets:
            users.setdefault(secret, []).append(program)
    return users


def _source(name: str, source: SecretSource) -> tuple[str, str, str]:
    """Kind, its path, variable or length, and the seconds after which it is due for a new value (or nothing)."""
    rotate = str(math.ceil(source.rotate)) if source.rotate else ""
    if source.env:
        return "env", source.env, rotate
    if source.generate:
        return "generate", str(source.generate), rotate
    return "file", source.file or f"{DEFAULT_FOLDER}/{name}", rotate


def _backups(catalog: Catalog) -> dict[str, Value]:
    """Whether there is anything to save: what, and how, backup.sh asks the exporter."""
    sections = (catalog.stores, catalog.volumes)
    names = [name for section in sections for name, thing in section.items() if thing.backup]
    encrypt = catalog.backup.encrypt
    return {
        "BACKUP_NAMES": (*names, *([CONFIGURATION] if catalog.backup.configuration else ())),
        "BACKUP_PUBLIC_KEY": encrypt.recipient_file if encrypt else "",
    }


def _columns(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> dict[str, Value]:
    """Rows as arrays that stand side by side."""
    table = list(rows)
    return {name: tuple(row[index] for row in table) for index, name in enumerate(names)}
