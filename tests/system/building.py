"""Builds with BuildKit on an engine of the tests' own, and what came of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.components import require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docker_engine import DockerEngine


def build(
    engine: DockerEngine, context: Path, *options: str, seconds: float = 200
) -> subprocess.CompletedProcess[str]:
    """`docker build`; all that it says of its steps is on standard error."""
    return subprocess.run(
        [_client(), "--host", engine.host, "build", "--progress=plain", *options, str(context)],
        env={**own_environment(), "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def logs(engine: DockerEngine, container: str) -> str:
    """All that the container has said, on both of its streams."""
    command = [require("docker"), "--host", engine.host, "logs", container]
    done = subprocess.run(command, env=own_environment(), capture_output=True, text=True)
    return done.stdout + done.stderr


def own_environment() -> dict[str, str]:
    """Without what points `docker` at some other engine."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}


def _client() -> str:
    """A `docker` that can use BuildKit: one with buildx, or one of 20.10, which needs none."""
    candidates = dict.fromkeys((require("docker"), shutil.which("docker", path="/usr/bin")))
    for client in filter(None, candidates):
        done = subprocess.run(
            [client, "build", "--help"],
            env={**own_environment(), "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode == 0 and "--secret" in done.stdout:
            return client
    message = "no docker here can build with BuildKit; install its buildx, or docker.io of Debian 12"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
