"""environment.sh: what the scripts know of one environment, as shell assignments whose values are all quoted.

Lists are arrays. Those of one thing stand side by side: SECRETS[i] comes from SECRET_SOURCE[i]. No value of a secret is
here, only names, paths and variables.
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from exporter.catalog.checks import CONFIGURATION
from exporter.catalog.places import compose_project, secrets_folder, state_folder
from exporter.catalog.references import NamedSecret
from exporter.catalog.secret_paths import DEFAULT_FOLDER
from exporter.catalog.secrets import EnvironmentReference, FileReference
from exporter.catalog.stores import ENGINES
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.base import File
from exporter.outputs.compose.conditions import awaited, jobs
from exporter.outputs.compose.names import GATEWAY, NOBODY
from exporter.outputs.compose.secrets import granted
from exporter.outputs.gateway.http import LOOK_UP_SECONDS
from exporter.outputs.monitoring.secrets import GRAFANA_PASSWORD, stack_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.catalog.backups import S3, Schedule
    from exporter.catalog.catalog import Catalog
    from exporter.catalog.deployment import SecretSource
    from exporter.catalog.references import TextTemplate
    from exporter.catalog.stores import Store

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
            for secret in granted(container, f"{section}.{name}").secrets:
                users.setdefault(secret, []).append(name)
    for name, store in catalog.stores.items():
        for part in store.password.parts if store.password else ():
            if isinstance(part, NamedSecret) and name not in users.setdefault(part.name, []):
                users[part.name].append(name)
    for mounted in mounted_secrets(catalog):
        users.setdefault(mounted.name, []).append("alertmanager")
    return users


def _source(name: str, source: SecretSource) -> tuple[str, str, str]:
    """Kind, its path, variable or length, and the seconds after which it is due for a new value (or nothing)."""
    rotate = str(math.ceil(source.rotate)) if source.rotate else ""
    if source.env:
        return "env", source.env, rotate
    if source.generate:
        return "generate", str(source.generate), rotate
    return "file", source.file or f"{DEFAULT_FOLDER}/{name}", rotate


_BACKUP_COLUMNS = (
    *("BACKUP_NAMES", "BACKUP_KINDS", "BACKUP_ENGINES", "BACKUP_SERVICES", "BACKUP_USERS"),
    *("BACKUP_PASSWORD_SECRETS", "BACKUP_DATABASES", "BACKUP_PATHS", "BACKUP_VOLUMES", "BACKUP_KEEP"),
)


def _backups(catalog: Catalog) -> dict[str, Value]:
    rows = [*_store_backups(catalog), *_volume_backups(catalog)]
    backup = catalog.backup
    if backup.configuration:
        keep = str(max((schedule.keep for schedule in _schedules(catalog)), default=14))
        rows.append((CONFIGURATION, "configuration", *[""] * 7, keep))
    return {
        **_columns(_BACKUP_COLUMNS, rows),
        **_bucket(backup.s3),
        "ENCRYPT_TOOL": backup.encrypt.tool if backup.encrypt else "",
        "ENCRYPT_RECIPIENT_FILE": backup.encrypt.recipient_file if backup.encrypt else "",
        "CONFIGURATION": backup.configuration,
    }


def _schedules(catalog: Catalog) -> Iterator[Schedule]:
    of_stores = (store.backup for store in catalog.stores.values())
    of_volumes = (volume.backup for volume in catalog.volumes.values())
    yield from filter(None, (*of_stores, *of_volumes))


def _store_backups(catalog: Catalog) -> Iterator[tuple[str, ...]]:
    for name, store in catalog.stores.items():
        if store.backup is None:
            continue
        service = (store.service or "") if store.engine == "sqlite" else name
        yield (
            *(name, "store", store.engine, service, _user(store), _secret_name(store.password)),
            *("\n".join(store.databases), store.path or "", _volume_of(catalog, store)),
            str(store.backup.keep),
        )


def _user(store: Store) -> str:
    return store.username or (ENGINES[store.engine].user if store.engine in ENGINES else None) or ""


def _volume_of(catalog: Catalog, store: Store) -> str:
    """The named volume that holds the store's data: its own, or of a file, the one mounted nearest above it."""
    if store.engine != "sqlite":
        return store.volume or ""
    service = catalog.services.get(store.service or "")
    path = store.path or ""
    mounts = [mount for mount in (service.volumes if service else ()) if mount.volume]
    above = [mount for mount in mounts if path.startswith(mount.target.rstrip("/") + "/")]
    return (max(above, key=lambda mount: len(mount.target)).volume or "") if above else ""


def _volume_backups(catalog: Catalog) -> Iterator[tuple[str, ...]]:
    for name, volume in catalog.volumes.items():
        if volume.backup:
            yield (name, "volume", *[""] * 6, name, str(volume.backup.keep))


def _bucket(s3: S3 | None) -> dict[str, Value]:
    return {
        "S3_BUCKET": s3.bucket if s3 else "",
        "S3_PREFIX": s3.prefix if s3 else "",
        "S3_REGION": (s3.region or "") if s3 else "",
        "S3_ENDPOINT": (s3.endpoint or "") if s3 else "",
        "S3_ACCESS_KEY_SECRET": _secret_name(s3.access_key) if s3 else "",
        "S3_SECRET_KEY_SECRET": _secret_name(s3.secret_key) if s3 else "",
    }


def _secret_name(template: TextTemplate | None) -> str:
    """The catalog's name of the secret that the text is, or `env:VARIABLE` or `file:PATH`; empty of anything else."""
    if template is None or len(template.parts) != 1:
        return ""
    part = template.parts[0]
    if isinstance(part, NamedSecret):
        return part.name
    if isinstance(part, EnvironmentReference):
        return f"env:{part.name}"
    return f"file:{part.path}" if isinstance(part, FileReference) else ""


def _columns(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> dict[str, Value]:
    """Rows as arrays that stand side by side."""
    table = list(rows)
    return {name: tuple(row[index] for row in table) for index, name in enumerate(names)}
