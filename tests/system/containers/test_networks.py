"""Files and engine report the same interfaces for every kind of network of a real container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tests.containers.readings_of import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docker_engine import DockerEngine

KINDS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "bridge": ((), ["eth0"]),
    "user-defined": (("--network", "user"), ["eth0"]),
    "macvlan": (("--network", "macvlan"), ["eth0"]),
    "overlay": (("--network", "overlay"), ["eth0", "eth1"]),
    # The counters of another container's network are not the container's own; cAdvisor omits them, too.
    "of a container": (("--network", "container:first"), []),
    "of the host": (("--network", "host"), []),
    "none": (("--network", "none"), []),
}


@pytest.fixture(scope="module")
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    docker_engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    docker_engine.docker("network", "create", "user")
    docker_engine.docker("network", "create", "--driver", "macvlan", "--subnet", "10.99.1.0/24",
                         "--opt", f"parent={docker_engine.bridge}", "macvlan")  # fmt: skip
    docker_engine.docker("network", "create", "--driver", "overlay", "--attachable", "overlay")
    docker_engine.run("--name", "first")
    yield docker_engine
    docker_engine.remove_all()
    docker_engine.docker("network", "rm", "user", "macvlan", "overlay")
    docker_engine.docker("swarm", "leave", "--force")


@pytest.mark.parametrize(("options", "interfaces"), KINDS.values(), ids=KINDS)
def test_interfaces(engine: DockerEngine, options: tuple[str, ...], interfaces: list[str]) -> None:
    identifier = engine.run(*options)
    sources: tuple[Literal["cgroup", "api"], ...] = ("cgroup", "api")
    for source in sources:
        reading = read(engine, source, identifier)[identifier]
        assert [each.name for each in reading.interfaces] == interfaces, source
