"""Short constructors for the types of `exporter.daemon.snapshot`."""

from __future__ import annotations

import hashlib
from typing import Any

NOW = 1_800_000_000.0


def probe(name: str = "health", state: str = "up", **values: Any) -> Any:
    """Return a probe; `values` override the usual ones."""
    known = state != "unknown"
    usual = {
        "name": name,
        "protocol": "http",
        "target": "http://127.0.0.1:8000/health",
        "interval_seconds": 30.0,
        "timeout_seconds": 10.0,
        "state": state,
        "reason": {"up": "ok", "down": "status"}.get(state),
        "detail": "status 503, expected 200 to 299" if state == "down" else "",
        "since": NOW - 200 if known else None,
        "last_run": NOW - 4 if known else None,
        "duration_seconds": 0.0123 if known else None,
        "phases": {"resolve": 0.0003, "connect": 0.001, "processing": 0.011} if known else {},
        "facts": {},
        "successes": 120 if known else 0,
        "failures": 3 if known else 0,
        "missed": 0,
    }
    return usual | values


def service(name: str, *probes: Any, **values: Any) -> Any:
    """Return a service; its state is that of its worst probe."""
    states = [each["state"] for each in probes]
    state = next((state for state in ("down", "unknown", "up") if state in states), "unwatched")
    first = next((each for each in probes if each["state"] == state), None)
    usual = {
        "name": name,
        "kind": "service",
        "description": "",
        "owner": None,
        "depends_on": [],
        "deployed": True,
        "runbook": None,
        "state": state,
        "reason": first["reason"] if first else None,
        "detail": first["detail"] if first else "",
        "since": first["since"] if first else None,
        "containers_wanted": None,
        "containers_running": None,
        "probes": list(probes),
        "containers": [],
        "backup": None,
    }
    return usual | values


def container(name: str = "web-1", state: str = "running", **values: Any) -> Any:
    """Return a container; `values` override the usual ones."""
    runs = state in ("running", "paused")
    usual = {
        "id": hashlib.sha256(name.encode()).hexdigest()[:12],
        "name": name,
        "image": "pageforge/web:1.4.2",
        "project": None,
        "old": False,
        "state": state,
        "health": "none",
        "detail": "",
        "exit_code": None if runs else 0,
        "restarts": 0,
        "oom_killed": False,
        "oom_events": 0,
        "started": NOW - 7200,
        "finished": None if runs else NOW - 90,
        "error": "",
        "source": "cgroup" if runs else None,
        "measured": NOW - 4 if runs else None,
        "cpu_cores": 0.1234 if runs else None,
        "cpu_limit_cores": None,
        "memory_bytes": 300 * 2**20 if runs else None,
        "memory_limit_bytes": None,
    }
    return usual | values


def backup(state: str = "ok", **values: Any) -> Any:
    """Return a backup from three hours ago."""
    usual = {
        "state": state,
        "detail": "",
        "last_success": NOW - 10800,
        "last_run": NOW - 10800,
        "last_run_success": True,
        "size_bytes": 2**30,
        "last_drill": None,
        "drill_success": None,
    }
    return usual | values


def volume(name: str, used: float | None = 0.4, **values: Any) -> Any:
    """Return a volume on a file system of 100 GiB. `used`: the used fraction, or None if the volume is not visible."""
    whole = 100 * 2**30
    usual = {
        "name": name,
        "path": f"/volumes/{name}",
        "available_bytes": None if used is None else round(whole * (1 - used)),
        "size_bytes": None if used is None else whole,
        "files": None if used is None else 1000,
        "files_free": None if used is None else 900,
        "backup": None,
    }
    return usual | values


def docker(**values: Any) -> Any:
    """Return an engine that answers."""
    usual = {
        "up": True,
        "address": "unix:///var/run/docker.sock",
        "error": "",
        "version": "27.3.1",
        "refused": [],
        "sources": {"cgroup": 12, "api": 0, "none": 0},
    }
    return usual | values


def snapshot(*services: Any, **values: Any) -> Any:
    """Return a snapshot of the services; `values` override all other fields."""
    states = [each["state"] for each in services]
    usual = {
        "project": "pageforge",
        "environment": "testing",
        "time": NOW,
        "summary": {state: states.count(state) for state in ("up", "down", "unknown", "unwatched")},
        "docker": None,
        "services": list(services),
        "strangers": [],
        "volumes": [],
    }
    return usual | values
