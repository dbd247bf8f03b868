"""The engine of tests/containers, for those of its tests that take long."""

from __future__ import annotations

from tests.containers.conftest import docker_engine

__all__ = ["docker_engine"]
