"""One Docker engine for all tests of containers. Each test removes the containers that it creates."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_engine import DockerEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """Return the engine. An earlier test may have restarted it and left stopped containers."""
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as folder,  # must be short: it holds sockets
        DockerEngine(Path(folder)) as engine,
    ):
        yield engine
