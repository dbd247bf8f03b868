"""What the engine says of itself: the version of its API that both can speak, and how it keeps its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.containers.inspect import seconds_of
from exporter.containers.model import EngineInfo

if TYPE_CHECKING:
    from exporter.catalog.targets import Endpoint

OLDEST_API = (1, 24)
"""Docker 1.12: health checks."""
NEWEST_API = (1, 51)
"""The newest that is known here. An engine that has given up all of these is asked in its own oldest."""


def agreed_api(version: Any) -> str:
    """Such as `1.41`, of the answer to `/version`.

    Raises:
        ValueError: there is none. What follows "what answers at ADDRESS".
    """
    try:
        newest = _number(version["ApiVersion"])
        oldest = _number(version.get("MinAPIVersion") or version["ApiVersion"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError("is no Docker engine: it does not say the version of its API") from None
    if newest < OLDEST_API:
        raise ValueError(
            f"is too old a Docker engine: its API is {version['ApiVersion']}, and 1.24 is the least"
        )
    agreed = max(min(newest, NEWEST_API), oldest)
    return f"{agreed[0]}.{agreed[1]}"


def info_of(info: Any, api: str, endpoint: Endpoint) -> EngineInfo:
    """Of the answer to `/info`.

    Raises:
        ValueError: it is not as the API has it. What follows "what answers at ADDRESS".
    """
    try:
        rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
        driver = info.get("CgroupDriver")
        return EngineInfo(
            version=str(info["ServerVersion"]),
            api_version=api,
            cgroup_driver=driver if driver in ("cgroupfs", "systemd") else "none",
            cgroup_version=2 if str(info.get("CgroupVersion")) == "2" else 1,
            rootless=rootless,
            user=_user(endpoint) if rootless else None,
            cores=_count(info.get("NCPU")),
            memory=_count(info.get("MemTotal")),
            one_of_several=_one_of_several(info.get("Swarm") or {}),
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError("does not describe itself as a Docker engine does") from None


def clock_of(info: Any) -> int:
    """Nanoseconds since the epoch, by the engine's own clock; 0 if it does not say."""
    return int((seconds_of(info.get("SystemTime")) or 0.0) * 1e9)


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _count(told: Any) -> int | None:
    return told if isinstance(told, int) and told > 0 else None


def _one_of_several(swarm: Any) -> bool:
    """Only a manager knows how many nodes there are; a worker has a manager beside it."""
    return bool(swarm.get("LocalNodeState") == "active" and swarm.get("Nodes") != 1)


def _user(endpoint: Endpoint) -> int | None:
    """By the folder that a rootless engine's socket is in: /run/user/NUMBER."""
    parts = (endpoint.socket or "").split("/")
    if parts[:3] == ["", "run", "user"] and len(parts) > 3 and parts[3].isdigit():
        return int(parts[3])
    return None
