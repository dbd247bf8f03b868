"""Parser of the engine's stream of container events: action, container and time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.containers.answers import AnswerError, Part, container_id, decoded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACTIONS = (
    "create",
    "start",
    "restart",
    "die",
    "died",
    "oom",
    "pause",
    "unpause",
    "stop",
    "destroy",
    "remove",
    "rename",
    "update",
    "restore",
    "health_status",
    "disconnect",
)
"""The events that change the result of an inspect. The engine filters, so that the exec_* of each health check do not
wake up the process.

`disconnect` is an event of networks, and the only one for a container that could not be started. `died`, `remove` and
`restore` are Podman's; it filters by `died` and then sends `die`.
"""
_SAME = {"died": "die", "remove": "destroy"}

MAX_LINE = 1024 * 1024
"""Bytes: an event contains all labels of its container."""
LINES_A_TURN = 50


@dataclass(frozen=True, slots=True)
class Event:
    action: str
    """In Docker's words."""
    container: str
    """64 hexadecimal digits."""
    at: int
    """Nanoseconds since the epoch, by the engine's clock."""


def params(since: int | None) -> dict[str, str]:
    """Return the parameters of `GET /events` for these actions, from now on or since a time in nanoseconds."""
    asked = {
        "filters": json.dumps({"type": ["container", "network"], "event": ACTIONS}, separators=(",", ":"))
    }
    if since is not None:
        asked["since"] = f"{since // 1_000_000_000}.{since % 1_000_000_000:09d}"
    return asked


async def events(stream: AsyncIterator[bytes]) -> AsyncIterator[Event | None]:
    """Yield each event until the engine ends the stream, and None for lines that are not an event or too long.

    Exceptions of `stream` are not caught.
    """
    count = 0
    async for line in _lines(stream):
        count += 1
        if count % LINES_A_TURN == 0:
            await asyncio.sleep(0)
        if line is None:
            yield None
        elif line.strip():
            try:
                event = _event(line)
            except AnswerError:
                yield None
            else:
                if event is not None:
                    yield event


async def _lines(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes | None]:
    """Yield each line; None for one that is longer than MAX_LINE."""
    rest, too_long = bytearray(), False
    async for part in stream:
        start = 0
        while (end := part.find(b"\n", start)) >= 0:
            rest += part[start:end]
            yield None if too_long or len(rest) > MAX_LINE else bytes(rest)
            rest.clear()
            start, too_long = end + 1, False
        if not too_long:
            rest += part[start:]
        if len(rest) > MAX_LINE:
            too_long = True
            rest.clear()


def _event(line: bytes) -> Event | None:
    """Parse an event; None for one that only concerns a network. Raises AnswerError."""
    told = Part(decoded(line))
    action, actor, at = told.text("Action").partition(":")[0], told.part("Actor"), told.whole("timeNano")
    if not action or at is None:
        raise AnswerError("is not an event")
    action = _SAME.get(action, action)
    if told.text("Type") == "container":
        return Event(action, container_id(actor.text("ID")), at)
    container = actor.part("Attributes").text("container")
    return Event(action, container_id(container), at) if container and action == "disconnect" else None
