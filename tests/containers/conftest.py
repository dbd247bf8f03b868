"""One Docker engine for all tests of containers. Each test removes the containers that it makes."""

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
    """May have been restarted by an earlier test, and then knows containers that do not run."""
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as folder,  # short: there are sockets in it
        DockerEngine(Path(folder)) as engine,
    ):
        yield engine
