"""`exporter secrets --swarm` on a real engine in Swarm mode: versions, and a service that reads the value."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_engine import IMAGE, DockerEngine
from tests.secrets.project import Entry, Project
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE = "Marker-7f3a $(id) '"


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with (
        tempfile.TemporaryDirectory(prefix="sw", dir="/tmp") as folder,
        DockerEngine(Path(folder)) as started,
    ):
        started.docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:0")
        yield started
        started.docker("swarm", "leave", "--force")


def test_values_are_versions_and_reach_a_service(engine: DockerEngine, tmp_path: Path) -> None:
    entries = [Entry("key", used_by=("api",)), Entry("other", password_of=("database",))]
    project = Project(tmp_path, entries, engine=engine.host)
    assert project.run("check", "--swarm").stdout == b"key: missing\nother: missing\n"
    assert project.run("create", "--swarm", "--dry-run").returncode == 0
    assert names(engine) == set()

    made = project.run("create", "key", "--swarm", "--from-file", "-", given=VALUE.encode())
    assert made.returncode == 0, made.stderr.decode()
    assert b"KEY_VERSION=1" in made.stderr
    assert project.run("create", "--swarm").returncode == 0
    assert names(engine) == {"shop-production-key-1", "shop-production-other-1"}
    assert project.run("check", "--swarm").returncode == 0
    assert project.files() == {}

    service(engine, "shop-production-key-1")
    assert VALUE in until(lambda: engine.docker("service", "logs", "reader"), "the service's output", 60)

    for version in (2, 3):
        done = project.run("rotate", "key", "--swarm", "--yes")
        assert done.returncode == 0, done.stderr.decode()
        assert f"KEY_VERSION={version}".encode() in done.stderr
        assert VALUE.encode() not in done.stdout + done.stderr
    # The first is in use; the one before the newest is kept for the revert.
    assert b"shop-production-key-1 is still in use, so it was not removed" in done.stderr
    engine.docker("service", "rm", "reader")
    assert project.run("rotate", "key", "--swarm", "--yes").returncode == 0
    assert names(engine) == {"shop-production-key-3", "shop-production-key-4", "shop-production-other-1"}
    assert b"key " in project.run("list", "--swarm").stdout
    assert b"with KEY_VERSION=3" in project.run("revert", "key", "--swarm").stderr
    # The store may be on any node, so the user changes the password there.
    refused = project.run("rotate", "other", "--swarm", "--yes")
    assert (refused.returncode, b"add --file-only" in refused.stderr) == (1, True)
    assert project.run("rotate", "other", "--swarm", "--yes", "--file-only").returncode == 0
    assert "shop-production-other-2" in names(engine)
    assert project.files() == {}


def service(engine: DockerEngine, secret: str) -> None:
    engine.docker(
        *("service", "create", "--detach", "--name", "reader", "--no-resolve-image"),
        *("--secret", f"source={secret},target=key"),
        *(IMAGE, "sh", "-c", "cat /run/secrets/key && echo && exec sleep 1000"),
    )


def names(engine: DockerEngine) -> set[str]:
    return set(engine.docker("secret", "ls", "--format", "{{.Name}}").split())
