"""Snapshots as `exporter.daemon.state.snapshot` gives them, in few words."""

from __future__ import annotations

from typing import Any

NOW = 1_800_000_000.0


def probe(name: str = "health", state: str = "up", **values: Any) -> dict[str, Any]:
    """One probe; `values` replace what is usual."""
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


def service(name: str, *probes: dict[str, Any], **values: Any) -> dict[str, Any]:
    """One service; its state is that of the worst of its probes."""
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
        "probes": list(probes),
    }
    return usual | values


def snapshot(*services: dict[str, Any]) -> dict[str, Any]:
    states = [each["state"] for each in services]
    return {
        "project": "pageforge",
        "environment": "testing",
        "time": NOW,
        "summary": {state: states.count(state) for state in ("up", "down", "unknown", "unwatched")},
        "services": list(services),
    }
