"""What the engine says of itself: the version of its API that both can speak, and how it keeps its containers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.containers.answers import AnswerError, Part, plain
from exporter.containers.inspect import seconds_of
from exporter.containers.model import EngineInfo

if TYPE_CHECKING:
    from typing import Literal

    from exporter.catalog.planning.plan import Endpoint
    from exporter.containers.model import Product

OLDEST_API = (1, 24)
"""Docker 1.12: health checks."""
NEWEST_API = (1, 51)
"""The newest that is known here. An engine that has given up all of these is asked in its own oldest."""

_MAX_NAME = 100
_DRIVERS: dict[str, Literal["cgroupfs", "systemd"]] = {"cgroupfs": "cgroupfs", "systemd": "systemd"}
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)
_PODMAN = "Podman Engine"


def agreed_api(version: Any) -> str:
    """Such as `1.41`, of the answer to `/version`.

    Raises:
        ValueError: there is none. What follows "what answers at ADDRESS".
    """
    try:
        answer = Part(version)
        newest = _number(answer.text("ApiVersion"))
        oldest = _number(answer.text("MinAPIVersion") or answer.text("ApiVersion"))
    except AnswerError:
        newest = oldest = None
    if newest is None or oldest is None:
        raise ValueError("is no Docker engine: it does not say the version of its API")
    if newest < OLDEST_API:
        raise ValueError(
            f"is too old a Docker engine: its API is {newest[0]}.{newest[1]}, and 1.24 is the least"
        )
    agreed = max(min(newest, NEWEST_API), oldest)
    return f"{agreed[0]}.{agreed[1]}"


def product_of(version: Any) -> Product:
    """Who made the engine, by the answer to `/version`.

    Raises:
        ValueError: the answer is not as the API has it. What follows "what answers at ADDRESS".
    """
    names = {component.text("Name") for component in Part(version).parts("Components")}
    return "podman" if _PODMAN in names else "docker"


def info_of(info: Any, api: str, endpoint: Endpoint, product: Product = "docker") -> EngineInfo:
    """Of the answer to `/info`.

    Raises:
        ValueError: it is not as the API has it. What follows "what answers at ADDRESS".
    """
    answer = Part(info)
    version = answer.text("ServerVersion")
    if not version:
        raise ValueError("does not describe itself as a Docker engine does")
    rootless = any(
        isinstance(option, str) and "rootless" in option for option in answer.list("SecurityOptions")
    )
    return EngineInfo(
        version=plain(version, _MAX_NAME),
        api_version=api,
        cgroup_driver=_DRIVERS.get(answer.text("CgroupDriver"), "none"),
        cgroup_version=2 if answer.text("CgroupVersion") == "2" else 1,
        rootless=rootless,
        user=_user(endpoint) if rootless else None,
        cores=answer.whole("NCPU") or None,
        memory=answer.whole("MemTotal") or None,
        one_of_several=_one_of_several(answer.part("Swarm")),
        product=product,
    )


def clock_of(info: Any) -> int:
    """Nanoseconds since the epoch, by the engine's own clock; 0 if it does not say.

    Raises:
        ValueError: it says something else. What follows "what answers at ADDRESS".
    """
    return int((seconds_of(Part(info).text("SystemTime")) or 0.0) * 1e9)


def _number(version: str) -> tuple[int, int] | None:
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else None


def _one_of_several(swarm: Part) -> bool:
    """Only a manager knows how many nodes there are; a worker has a manager beside it."""
    return swarm.text("LocalNodeState") == "active" and swarm.whole("Nodes") != 1


def _user(endpoint: Endpoint) -> int | None:
    """By the folder that a rootless engine's socket is in: /run/user/NUMBER."""
    parts = (endpoint.socket or "").split("/")
    if parts[:3] == ["", "run", "user"] and len(parts) > 3 and parts[3].isdigit():
        return int(parts[3])
    return None
