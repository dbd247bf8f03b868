"""Parser of the engine's description of itself: the API version to use with it, and how it runs containers."""

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
"""Docker 1.12, the first with health checks."""
NEWEST_API = (1, 51)
"""The newest version known here. An engine that no longer supports it is asked with its own oldest version."""

_MAX_NAME = 100
_DRIVERS: dict[str, Literal["cgroupfs", "systemd"]] = {"cgroupfs": "cgroupfs", "systemd": "systemd"}
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)
_PODMAN = "Podman Engine"


def agreed_api(version: Any) -> str:
    """Return the API version to use, such as `1.41`, from the answer to `/version`.

    Raises:
        ValueError: there is none. The text continues "the server at ADDRESS".
    """
    try:
        answer = Part(version)
        newest = _number(answer.text("ApiVersion"))
        oldest = _number(answer.text("MinAPIVersion") or answer.text("ApiVersion"))
    except AnswerError:
        newest = oldest = None
    if newest is None or oldest is None:
        raise ValueError("is not a Docker engine: it does not report an API version")
    if newest < OLDEST_API:
        raise ValueError(
            f"is a Docker engine that is too old: its API is {newest[0]}.{newest[1]}, at least 1.24 is required"
        )
    agreed = max(min(newest, NEWEST_API), oldest)
    return f"{agreed[0]}.{agreed[1]}"


def product_of(version: Any) -> Product:
    """Return the engine's product from the answer to `/version`.

    Raises:
        ValueError: the answer does not match the API. The text continues "the server at ADDRESS".
    """
    names = {component.text("Name") for component in Part(version).parts("Components")}
    return "podman" if _PODMAN in names else "docker"


def info_of(info: Any, api: str, endpoint: Endpoint, product: Product = "docker") -> EngineInfo:
    """Return the engine's description from the answer to `/info`.

    Raises:
        ValueError: the answer does not match the API. The text continues "the server at ADDRESS".
    """
    answer = Part(info)
    version = answer.text("ServerVersion")
    if not version:
        raise ValueError("is not a Docker engine: it does not report a server version")
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
    """Return the engine's own time in nanoseconds since the epoch; 0 if it does not report it.

    Raises:
        ValueError: the time is not valid. The text continues "the server at ADDRESS".
    """
    return int((seconds_of(Part(info).text("SystemTime")) or 0.0) * 1e9)


def _number(version: str) -> tuple[int, int] | None:
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else None


def _one_of_several(swarm: Part) -> bool:
    """True if the Swarm has other nodes. Only a manager knows their number; a worker always has a manager too."""
    return swarm.text("LocalNodeState") == "active" and swarm.whole("Nodes") != 1


def _user(endpoint: Endpoint) -> int | None:
    """Return the user id from the folder of a rootless engine's socket: /run/user/NUMBER."""
    parts = (endpoint.socket or "").split("/")
    if parts[:3] == ["", "run", "user"] and len(parts) > 3 and parts[3].isdigit():
        return int(parts[3])
    return None
