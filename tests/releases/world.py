"""A Docker host in memory: an engine, and a Compose that reads real files, so that deploys run without Docker.

`World.calls` counts the calls of both. `World.at` sets what happens at a call: `Killed` acts like a power failure,
and `EngineLost` as if dockerd had stopped.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from exporter.host.containers import Container, container_of
from exporter.host.engine import Ended, EngineFacts, Image
from exporter.host.failures import NotThere, Refused
from exporter.host.tools import Done

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.host.site import Site

BROKEN = "broken"
"""The tag of images that never become healthy."""


class Killed(BaseException):
    """The command is killed at this point."""


class World:
    """The containers, images and networks of one host. An image's id is derived from its name."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.images: dict[str, str] = {}
        self.calls: list[str] = []
        self.at: Callable[[str], None] = lambda _: None
        self.requests_lost = 0
        self._made = 0

    def add_image(self, name: str) -> None:
        self.images[name] = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"

    def call(self, what: str) -> None:
        self.calls.append(what)
        self.at(what)

    def make(self, project: str, service: str, definition: dict[str, Any]) -> str:
        self._made += 1
        id_ = hashlib.sha256(str(self._made).encode()).hexdigest()
        numbers = {each["number"] for each in self.containers.values() if each["service"] == service}
        number = next(each for each in range(1, 100) if each not in numbers)
        self.containers[id_] = {
            "service": service,
            "number": number,
            "name": f"{project}-{service}-{number}",
            "image_name": definition["image"],
            "image": self.images[definition["image"]],
            "hash": hash_of(definition),
            "state": "created",
            "networks": dict.fromkeys(definition.get("networks", ["internal"]), f"10.0.0.{self._made}"),
        }
        return id_

    def start(self, id_: str) -> None:
        self.containers[id_]["state"] = "running"

    def running(self) -> dict[str, list[str]]:
        """Return the tag of each running container, by service; after a rollback, the tag of its image."""
        names = {id_: name for name, id_ in self.images.items() if ":rollback-" not in name}
        found: dict[str, list[str]] = {}
        for each in self.containers.values():
            if each["state"] == "running":
                found.setdefault(each["service"], []).append(names[each["image"]].rpartition(":")[2])
        return {name: sorted(tags) for name, tags in sorted(found.items())}


class FakeEngine:
    """The part of `Engine` that releases use."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.where = f"world://{id(world)}"
        _WORLDS[self.where] = world
        self.is_local = True

    def facts(self) -> EngineFacts:
        self.world.call("facts")
        return EngineFacts("20.10", "1.41", "Debian", "/", False, "", 1)

    def containers(self, _: str, *services: str) -> list[Container]:
        self.world.call("containers")
        ids = [
            id_ for id_, each in self.world.containers.items() if not services or each["service"] in services
        ]
        return sorted((container_of(self._described(id_)) for id_ in ids), key=lambda each: each.name)

    def container(self, id_: str) -> Container:
        return container_of(self.inspect(id_))

    def inspect(self, id_: str) -> dict[str, Any]:
        self.world.call("inspect")
        return self._described(id_)

    def _described(self, id_: str) -> dict[str, Any]:
        if id_ not in self.world.containers:
            raise NotThere(f"there is no container {id_}")
        each = self.world.containers[id_]
        health = "unhealthy" if each["image_name"].endswith(f":{BROKEN}") else "healthy"
        return {
            "Id": id_,
            "Name": f"/{each['name']}",
            "Image": each["image"],
            "State": {
                "Status": each["state"],
                "ExitCode": 0,
                "Health": {"Status": health, "Log": [{"Output": "it answered \x1b[31m500"}]},
            },
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
            "Config": {
                "Image": each["image_name"],
                "Labels": {
                    "com.docker.compose.service": each["service"],
                    "com.docker.compose.config-hash": each["hash"],
                    "com.docker.compose.container-number": str(each["number"]),
                },
            },
            "NetworkSettings": {"Networks": {k: {"IPAddress": ip} for k, ip in each["networks"].items()}},
        }

    def start(self, *ids: str) -> None:
        for id_ in ids:
            self.world.call("start")
            self.world.start(id_)

    def stop(self, *ids: str) -> None:
        for id_ in ids:
            self.world.call("stop")
            self.world.containers[id_]["state"] = "exited"

    def restart(self, id_: str) -> None:
        self.world.call(f"restart {self.world.containers[id_]['service']}")

    def kill(self, id_: str, signal: str) -> None:
        self.world.call(f"{signal} {self.world.containers[id_]['service']}")

    def remove(self, *ids: str) -> None:
        for id_ in ids:
            self.world.call("remove")
            self.world.containers.pop(id_, None)

    def logs(self, id_: str, _: int) -> list[str]:
        return [f"{self.world.containers[id_]['service']} says why"]

    def processes(self, _: str) -> list[str]:
        self.world.call("processes")
        return [f"{len(self.world.calls)} nginx: worker process"]

    def execute(self, id_: str, argv: Sequence[str]) -> Ended:
        self.world.call(f"{argv[0]} in {self.world.containers[id_]['service']}")
        if self.world.containers[id_]["state"] != "running":
            raise Refused("the Docker engine reports an error for nginx: the container is not running")
        return Ended(0, b"", b"", 0)

    def image(self, name: str) -> Image | None:
        self.world.call("image")
        id_ = name if name in self.world.images.values() else self.world.images.get(name)
        return Image(id_, (), (), "", 0, "", {}) if id_ else None

    def tag(self, image: str, name: str) -> None:
        self.world.call("tag")
        self.world.images[name] = image

    def untag(self, name: str) -> None:
        self.world.call("untag")
        if any(each["image_name"] == name for each in self.world.containers.values()):
            raise Refused("a container is using its referenced image")
        self.world.images.pop(name, None)

    def connect(self, network: str, id_: str, _: Sequence[str] = ()) -> None:
        self.world.call("connect")
        self.world.containers[id_]["networks"][network] = "10.0.1.1"

    def disconnect(self, network: str, id_: str) -> None:
        self.world.call("disconnect")
        del self.world.containers[id_]["networks"][network]


_WORLDS: dict[str, World] = {}


@dataclass(frozen=True)
class FakeCompose:
    """Compose 2 on real files, as far as releases need it."""

    site: Site
    folder: Path
    command: tuple[str, ...]
    engine: str
    log: Path | None = None
    more_files: tuple[Path, ...] = ()
    watch: Callable[[], None] | None = field(default=None, compare=False)

    @property
    def world(self) -> World:
        return _WORLDS[self.engine]

    def config(self) -> dict[str, Any]:
        tag = self.folder / "tag"
        value = tag.read_text().strip() if tag.exists() else self.site.tag or ""
        services: dict[str, Any] = {}
        names = ("compose.yaml", "compose.monitoring.yaml", "images.yaml")
        for file in (*(self.folder / name for name in names), *self.more_files):
            read = _read(file.read_text().replace("${TAG}", value)) if file.exists() else {}
            for name, more in read.get("services", {}).items():
                services[name] = {**services.get(name, {}), **more}
        for each in services.values():
            each.setdefault("networks", ["internal"])
        return {"services": services, "networks": {name: {"name": name} for name in ("edge", "internal")}}

    def services(self) -> list[str]:
        return list(self.config()["services"])

    def images(self) -> dict[str, str]:
        return {name: each["image"] for name, each in self.config()["services"].items()}

    def env(self) -> dict[str, str]:
        return {"TAG": self.site.tag or ""}

    def hash(self, service: str) -> str:
        return hash_of(self.config()["services"][service])

    def answer(self, *arguments: str, **_: float) -> Done:
        if arguments[0] == "run":
            self.world.call(" ".join(arguments))
            return Done(0, b'{"probes": []}', ())
        assert arguments == ("config", "--hash", "*")
        lines = [f"{name} {self.hash(name)}\n" for name in self.services()]
        return Done(0, "".join(lines).encode(), ())

    def do(self, *arguments: str) -> Done:
        self.world.call(" ".join(arguments))
        names = [word for word in arguments[1:] if not word.startswith("-")]
        if arguments[0] in ("pull", "build"):
            for name in names:
                self.world.add_image(self.images()[name])
            return Done(0, b"", ())
        for name in names:
            if not self._up(name, arguments):
                return Done(1, b"", (f"no image for {name}",))
        return Done(0, b"", ())

    def _up(self, name: str, arguments: Sequence[str]) -> bool:
        definition = self.config()["services"][name]
        if definition["image"] not in self.world.images:
            return False
        there = [id_ for id_, each in self.world.containers.items() if each["service"] == name]
        if "--no-recreate" not in arguments:
            for id_ in there:
                each = self.world.containers[id_]
                wanted = (self.world.images[definition["image"]], hash_of(definition))
                if (each["image"], each["hash"]) != wanted:
                    self.world.call("remove")
                    del self.world.containers[id_]
            there = [id_ for id_ in there if id_ in self.world.containers]
        for _ in range(definition.get("deploy", {}).get("replicas", 1) - len(there)):
            self.world.call("create")
            there.append(self.world.make(self.site.compose_project, name, definition))
        if "--no-start" not in arguments:
            for id_ in there:
                self.world.start(id_)
        return True


@cache
def _read(text: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def hash_of(definition: dict[str, Any]) -> str:
    same = {key: value for key, value in definition.items() if key != "deploy"}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
