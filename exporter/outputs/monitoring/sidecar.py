"""The daemon's container next to the services, and the proxy through which it reaches the Docker engine.

The daemon only reads: all mounts are read-only, and the proxy allows only GET requests.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from exporter import __version__
from exporter.catalog.planning.machine import ADDRESS, CGROUP, DOCKER, PROC
from exporter.catalog.planning.places import MARKERS, state_folder
from exporter.catalog.planning.secret_paths import file_variable
from exporter.catalog.values.texts import without_variables
from exporter.catalog.values.words import quoted
from exporter.outputs import web
from exporter.outputs.base import OutputError
from exporter.outputs.compose.images import host_path
from exporter.outputs.compose.mounts import bind, volumes
from exporter.outputs.compose.names import INTERNAL, NOBODY, STORES
from exporter.outputs.compose.secrets import secret_keys, secret_path
from exporter.outputs.compose.text import literal, optional, required
from exporter.outputs.health import wget_check
from exporter.outputs.monitoring import common
from exporter.outputs.monitoring.references import probe_needs
from exporter.outputs.web import daemon_needs, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.catalog import Catalog

IMAGE = "pageforge-exporter"
PROXY_IMAGE = "tecnativa/docker-socket-proxy:0.3.0"
USER = f"{NOBODY}:{NOBODY}"
CONFIGURATION = f"{web.CATALOG_FOLDER}/config.yaml"
WEB_CONFIG = "EXPORTER_WEB_CONFIG_FILE"
PROXY_PORT = 2375

_HOST_CGROUP, _HOST_PROC = "/host/cgroup", "/host/proc"
_SOCKET = "/var/run/docker.sock"
_UNIX = "unix://"
_SEPARATORS = frozenset(":{}")
"""Separators in the short form of a mount, and in the default of a variable."""
_ALLOWED = ("CONTAINERS", "EVENTS", "INFO", "PING", "VERSION")


def exporter_service(catalog: Catalog) -> dict[str, Any]:
    """Return the service of the daemon.

    Raises:
        OutputError: Compose cannot mount the folder of the backups.
    """
    listen = f"0.0.0.0:{catalog.exporter.listen[1]}"
    needs = probe_needs(catalog)
    own = daemon_needs(catalog)
    secrets = sorted({*needs.secrets, *own.secrets})
    environment = {
        "EXPORTER_CONFIG": CONFIGURATION,
        "EXPORTER_ENVIRONMENT": catalog.environment_name,
        # In the same network each service is reached by its name; the catalog's address may be that of a laptop.
        ADDRESS: "{service}:{port}",
        **({CGROUP: _HOST_CGROUP, PROC: _HOST_PROC} if _reads_files(catalog) else {}),
        **({DOCKER: f"tcp://{common.DOCKER_PROXY}:{PROXY_PORT}"} if has_proxy(catalog) else {}),
        **({WEB_CONFIG: f"{web.MOUNTED}/{web.NAME}"} if catalog.exporter.web else {}),
        **{file_variable(name): secret_path(name) for name in needs.secrets},
        **{name: required(name, "a probe of the catalog reads it") for name in needs.variables},
    }
    check = ["python", "-m", "exporter", "healthcheck", "--listen", listen]
    keys = common.stack_service(
        catalog,
        catalog.exporter.image or f"{IMAGE}:{__version__}",
        USER,
        memory="256m",
        cpus=1.0,
        check=check,
    )
    return {
        **keys,
        "command": ["run", "--listen", listen],
        "environment": environment,
        **common.mounts(
            [
                {
                    "type": "bind",
                    "source": optional("EXPORTER_CONFIG_FILE", host_path("config.yaml")),
                    "target": CONFIGURATION,
                    "read_only": True,
                },
                *([common.folder(web.GENERATED, web.MOUNTED)] if catalog.exporter.web else []),
                *_watched(catalog, (*needs.files, *(path for path, _ in own.files))),
            ]
        ),
        **secret_keys(secrets, NOBODY),
        "networks": [
            *common.application_networks(catalog, INTERNAL, STORES),
            common.MONITORING,
            *([common.DOCKER] if has_proxy(catalog) else []),
        ],
        **(
            {"ports": common.loopback_port(catalog, "EXPORTER_PORT", catalog.exporter.listen[1])}
            if catalog.environment.publishes_all
            else {}
        ),
    }


def proxy_service(catalog: Catalog) -> dict[str, Any]:
    """Return the service of the proxy: root, who owns the socket, but without capabilities and in its own network."""
    socket = catalog.exporter.containers.docker
    source = literal(socket.removeprefix(_UNIX)) if socket else optional("DOCKER_SOCKET", _SOCKET)
    check = wget_check(f"http://127.0.0.1:{PROXY_PORT}/_ping")
    return {
        **common.stack_service(catalog, PROXY_IMAGE, "0:0", memory="64m", cpus=0.25, check=check),
        "environment": {**dict.fromkeys(_ALLOWED, "1"), "POST": "0"},
        **common.mounts(
            [
                {"type": "bind", "source": source, "target": _SOCKET, "read_only": True},
            ],
            "/run",
        ),
        "networks": [common.DOCKER],
    }


def has_proxy(catalog: Catalog) -> bool:
    """True if the daemon watches the engine of its own host; it connects to a remote engine directly."""
    containers = catalog.exporter.containers
    return containers.source != "off" and (containers.docker is None or containers.docker.startswith(_UNIX))


def _reads_files(catalog: Catalog) -> bool:
    return catalog.exporter.containers.source in ("auto", "cgroup")


def _watched(catalog: Catalog, files: tuple[str, ...]) -> Iterator[dict[str, Any] | str]:
    if _reads_files(catalog):
        yield {"type": "bind", "source": "/sys/fs/cgroup", "target": _HOST_CGROUP, "read_only": True}
        yield {"type": "bind", "source": "/proc", "target": _HOST_PROC, "read_only": True}
    for volume in volumes(catalog):
        target = seen(
            catalog.exporter.volumes.format(
                volume=volume, project=catalog.project, environment=catalog.environment_name
            )
        )
        # nocopy: otherwise the engine would fill an empty volume from this image instead of from its service's image.
        keys = {"type": "volume", "source": volume, "target": literal(target), "read_only": True}
        yield {**keys, "volume": {"nocopy": True}}
    for path in sorted({*files, *_folders_of_databases(catalog)}):
        yield bind(path, seen(path), read_only=True)
    environment = catalog.environment_name
    if set(catalog.backup.directory) & _SEPARATORS:
        raise OutputError(
            f"{quoted(catalog.backup.directory)} contains one of : {{ }}, which Compose cannot mount; "
            "use another folder",
            "backup",
            "directory",
        )
    backups = optional("BACKUP_FOLDER", literal(host_path(catalog.backup.directory)))
    yield _made_when_missing(
        f"{backups}/{environment}/{MARKERS}", seen(f"{catalog.backup.directory}/{environment}/{MARKERS}")
    )
    state = state_folder(catalog)
    yield _made_when_missing(optional("STATE_FOLDER", state), state)


def _folders_of_databases(catalog: Catalog) -> Iterator[str]:
    """Yield folders of the host that contain SQLite files; volumes are mounted anyway."""
    for store in catalog.stores.values():
        service = catalog.services.get(store.service or "")
        for mount in service.volumes if service else ():
            if mount.folder and PurePosixPath(store.path or "/").is_relative_to(mount.target):
                yield without_variables(mount.folder) or mount.folder


def _made_when_missing(source: str, target: str) -> str:
    """Return a mount in the short form: only this creates a missing folder in both versions of Compose.

    The folder is missing before the first backup or deploy.
    """
    return f"{source}:{literal(target)}:ro"
