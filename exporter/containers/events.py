"""The engine's events of containers, as they come: what happened to which one, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.containers.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACTIONS = (
    "create",
    "start",
    "restart",
    "die",
    "oom",
    "pause",
    "unpause",
    "stop",
    "destroy",
    "rename",
    "update",
    "health_status",
    "disconnect",
)
"""Those that change what inspect says. The engine filters, so that each health check's exec_* do not wake us up.

`disconnect` is of networks: of a container that could not be started there is no other event.
"""

MAX_LINE = 1024 * 1024
"""An event carries all labels of its container."""


@dataclass(frozen=True, slots=True)
class Event:
    action: str
    container: str
    """64 hexadecimal digits."""
    at: int
    """Nanoseconds since the epoch, by the engine's clock."""


def params(since: int | None) -> dict[str, str]:
    """Of `GET /events`: these actions, from now on or since a time in nanoseconds."""
    asked = {
        "filters": json.dumps({"type": ["container", "network"], "event": ACTIONS}, separators=(",", ":"))
    }
    if since is not None:
        asked["since"] = f"{since // 1_000_000_000}.{since % 1_000_000_000:09d}"
    return asked


async def events(stream: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Until the engine ends the stream.

    Raises:
        EngineError: the stream broke off, or holds something else.
    """
    rest = b""
    async for part in stream:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.strip() and (event := _event(line)):
                yield event
        if len(rest) > MAX_LINE:
            raise EngineError("the Docker engine's event has more than a mebibyte")


def _event(line: bytes) -> Event | None:
    """None of what happened to a network alone."""
    try:
        told = json.loads(line)
        action, actor, at = told["Action"].partition(":")[0], told["Actor"], int(told["timeNano"])
        if told["Type"] == "container":
            return Event(action, actor["ID"], at)
        container = (actor.get("Attributes") or {}).get("container")
        return Event(action, container, at) if container and action == "disconnect" else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EngineError("the Docker engine's event is not as expected") from None
