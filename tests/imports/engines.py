"""Answers of an engine for tests of its import: containers, images, networks and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from exporter.host.engine_values import EngineFacts
from exporter.host.failures import NotThere
from exporter.imports.compose.checks import check_forms
from exporter.imports.engine.reading import EngineContent, read_engine

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.host.engine import Engine

IMAGE = {
    "Id": "sha256:" + "b" * 64,
    "RepoTags": ["ghcr.io/shop/web:1.4"],
    "Config": {
        "Env": ["PATH=/usr/bin", "LANG=C.UTF-8"],
        "Cmd": ["serve"],
        "Entrypoint": ["/entry"],
        "User": "app",
        "WorkingDir": "/app",
        "Labels": {"maintainer": "them"},
        "Volumes": {"/cache": {}},
        "ExposedPorts": {"80/tcp": {}},
        "Healthcheck": {"Test": ["CMD", "/check"], "Interval": 30_000_000_000},
    },
}


def labels(service: str, project: str = "shop", number: int = 1) -> dict[str, str]:
    """Return Compose's labels."""
    return {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": str(number),
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.working_dir": "/srv/shop",
        "com.docker.compose.project.config_files": "/srv/shop/docker-compose.yml",
    }


def container(name: str, service: str = "", *, state: str = "running", **parts: Any) -> dict[str, Any]:
    """Return a container that says nothing of its own besides its image. `parts`: fields of Config and HostConfig, by
    the prefix `config_` or `host_`, and whole parts.
    """
    own = IMAGE["Config"]
    assert isinstance(own, dict)
    config = {
        **{
            key: own[key]
            for key in ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "Healthcheck", "ExposedPorts")
        },
        "Image": "ghcr.io/shop/web:1.4",
        "Hostname": f"{name:0<12}"[:12],
        "Labels": {**own["Labels"], **(labels(service) if service else {})},
    }
    host = {
        "NetworkMode": "shop_default",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "json-file", "Config": {}},
        "ShmSize": 64 * 1024**2,
        "IpcMode": "private",
        "Runtime": "runc",
        "PortBindings": None,
    }
    answer: dict[str, Any] = {
        "Id": f"{name:0<64}",
        "Name": f"/{name}",
        "Image": IMAGE["Id"],
        "State": {"Status": state, "ExitCode": 0},
        "Mounts": [],
        "NetworkSettings": {
            "Ports": {},
            "Networks": {"shop_default": {"Aliases": [service, f"{name:0<12}"[:12]]}},
        },
    }
    for key, value in parts.items():
        area, _, field = key.partition("_")
        into = {"config": config, "host": host}.get(area, answer)
        into[field if into is not answer else key] = value
    return {**answer, "Config": config, "HostConfig": host}


class Scripted:
    """An engine with these containers. The tests of `exporter/host` show that the real one answers like this."""

    where = "unix:///run/docker.sock"
    is_local = True

    def __init__(self, *containers: dict[str, Any], **more: Any) -> None:
        self.described: dict[str, Any] = {each["Id"]: each for each in containers}
        self.more = more
        self.rows = [
            {
                "Id": each["Id"],
                "Names": [each["Name"]],
                "Labels": each["Config"].get("Labels"),
                "Image": each["Config"].get("Image"),
            }
            for each in containers
        ]

    def listed(self) -> list[dict[str, Any]]:
        return self.rows

    def inspect(self, id_: str) -> dict[str, Any]:
        if id_ not in self.described:
            raise NotThere(f"the engine refuses container {id_}")
        found: dict[str, Any] = self.described[id_]
        return found

    def inspect_image(self, id_: str) -> dict[str, Any] | None:
        return IMAGE if id_ == IMAGE["Id"] else None

    def network(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.more.get("networks", {}).get(name)
        return found

    def volume(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.more.get("volumes", {}).get(name)
        return found

    def facts(self) -> EngineFacts:
        return EngineFacts("20.10.24", "1.41", "", "", False, "", 1, "json-file", "runc")


def read(engine: Scripted, only: Collection[str] = ()) -> EngineContent:
    """Return what the reader makes of an engine."""
    return read_engine(cast("Engine", engine), only)


def network(key: str, project: str = "shop", **fields: Any) -> dict[str, Any]:
    """Return the description of a network of a project."""
    given = {"com.docker.compose.project": project, "com.docker.compose.network": key}
    return {"Driver": "bridge", "Labels": given, "Options": {}, **fields}


def volume(key: str, project: str = "shop", **fields: Any) -> dict[str, Any]:
    """Return the description of a volume of a project."""
    given = {"com.docker.compose.project": project, "com.docker.compose.volume": key}
    return {"Driver": "local", "Labels": given, "Options": None, **fields}


def content(*containers: dict[str, Any], only: Collection[str] = (), **more: Any) -> EngineContent:
    """Return what the reader makes of these containers."""
    return read(Scripted(*containers, **({"networks": {"shop_default": network("default")}} | more)), only)


def model(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the Compose model of the only project."""
    [found] = content(*containers, **more).projects
    check_forms(found.project)
    return found.project.model


def service(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the keys of the only service, without its image and what is so now."""
    [keys] = model(*containers, **more)["services"].values()
    return {key: value for key, value in keys.items() if key not in ("image", "x-engine")}
