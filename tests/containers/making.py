"""Containers as returned by inspect, written in few words."""

from __future__ import annotations

from typing import Any

from exporter.containers.model import Container, Identity, Status


def container(
    name: str, state: str = "running", *, slot: str | None = None, created: float = 0.0, **values: Any
) -> Container:
    """Make a container of `web` that started when it was created. `values` set fields of the
    container or its status."""
    fields = ("oom_events", "existed", "kept_running")
    own = {key: values.pop(key) for key in fields if key in values}
    service = values.pop("service", "web")
    started = None if state == "created" else created
    status: dict[str, Any] = {"state": state, "created_at": created, "started_at": started} | values
    identity = Identity(name.ljust(64, "-"), name, "web:1", "sha256:0", "/docker/0", service, slot=slot)
    return Container(identity, Status(**status), **own)
