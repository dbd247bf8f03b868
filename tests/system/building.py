"""Builds with BuildKit on an engine of the tests, and their results."""

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
    """Run `docker build`; its output about the steps is on standard error."""
    return subprocess.run(
        [_client(), "--host", engine.host, "build", "--progress=plain", *options, str(context)],
        env={**own_environment(), "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def logs(engine: DockerEngine, container: str) -> str:
    """Return all output of the container, from both of its streams."""
    command = [require("docker"), "--host", engine.host, "logs", container]
    done = subprocess.run(command, env=own_environment(), capture_output=True, text=True)
    return done.stdout + done.stderr


def own_environment() -> dict[str, str]:
    """Return the environment without variables that point `docker` at another engine."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}


def _client() -> str:
    """Return a `docker` that can use BuildKit: one with buildx, or version 20.10, which does not need it."""
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
