"""The engine of tests/containers, for the slow tests that use it."""

from __future__ import annotations

from tests.containers.conftest import docker_engine

__all__ = ["docker_engine"]
