"""Stand-ins for a plan's services, on loopback: `python -m exporter run --demo` watches these, not the real ones."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from exporter.catalog.planning.plan import ContainersPlan
from exporter.catalog.planning.specs import HttpSpec
from exporter.demo.answers import StandInAnswer, answer_for, unmet
from exporter.demo.cast import LOOPBACK, Part, cast_of, moved_to, port_of
from exporter.demo.http_server import MAX_HEAD_BYTES, READ_SECONDS, HttpStandIn
from exporter.demo.moods import (
    FAILING_FROM,
    FAILING_PERIOD,
    FAILING_TO,
    SLOW,
    SLOW_FROM,
    SLOW_PERIOD,
    SLOW_TO,
    Mood,
    behaviour,
    moods,
)
from exporter.probes.http.request import parse_url

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import Plan, ServicePlan, Target

MAX_CONNECTIONS = 100
"""Of one stand-in at a time; it shares the daemon's process, so it must not use up its sockets."""
CANNOT_HAVE = {errno.EADDRINUSE, errno.EACCES}
"""Another program has the port, or ports this low are not for this user."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]


@dataclass(slots=True)
class Demo:
    """Stand-ins that are serving."""

    plan: Plan
    """The plan, with every target pointed at the stand-in that listens for it."""
    notes: list[str]
    """Sentences for a person: what stands in for what, and what is left out."""
    _servers: list[asyncio.Server] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def stop(self) -> None:
        """Close every socket, those of requests under way too."""
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        for server in self._servers:
            await server.wait_closed()

    async def listen(self, serve: Serve, wanted: int) -> int:
        """Serve on `wanted`, or on a free port if that cannot be had; the port."""
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = cast("asyncio.Task[None]", asyncio.current_task())
            connections.add(task)
            self._connections.add(task)
            try:
                if len(connections) <= MAX_CONNECTIONS:
                    with suppress(OSError, TimeoutError):
                        await serve(reader, writer)
            finally:
                connections.discard(task)
                self._connections.discard(task)
                writer.close()

        try:
            server = await asyncio.start_server(connected, LOOPBACK, wanted, limit=MAX_HEAD_BYTES)
        except OSError as error:
            if error.errno not in CANNOT_HAVE:
                raise
            server = await asyncio.start_server(connected, LOOPBACK, 0, limit=MAX_HEAD_BYTES)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port


async def start_stand_ins(plan: Plan, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> Demo:
    """Serve a stand-in for each service and store that the plan deploys.

    Raises:
        OSError: no socket can be opened.
    """
    parts, left_out = cast_of(plan)
    chosen = moods([part.service.name for part in parts if part.speaks_http])
    demo = Demo(
        plan,
        [f"These are stand-ins, served by this program on loopback: nothing of {plan.project} is measured."],
    )
    targets: list[Target] = []
    try:
        for part in parts:
            mood = chosen.get(part.service.name, "steady")
            targets += await _start(demo, part, mood, clock, sleep)
    except BaseException:
        await demo.stop()
        raise
    demo.notes += [_mood_note(name, mood) for name, mood in chosen.items() if mood != "steady"] + left_out
    demo.plan = replace(
        plan,
        services=tuple(_named(part) for part in parts),
        targets=tuple(targets),
        containers=ContainersPlan(source="off"),
        volumes=(),
        backups=None,
        deploys=None,
    )
    return demo


def _named(part: Part) -> ServicePlan:
    """What the page says of the service: that it is none."""
    if not part.targets:
        return part.service
    return replace(part.service, description=f"Stand-in: {part.service.description}".removesuffix(": "))


async def _start(demo: Demo, part: Part, mood: Mood, clock: Clock, sleep: Sleep) -> list[Target]:
    """Serve one service on each of its ports; its targets, pointed there."""
    by_port: dict[int, list[Target]] = {}
    for target in part.targets:
        by_port.setdefault(port_of(target), []).append(target)
    moved: list[Target] = []
    for wanted, targets in by_port.items():
        answers = _answers(demo, part.service, targets)
        how = behaviour(part.service.name, mood, min(target.timeout for target in targets))
        metrics = part.service.metrics_path or "/metrics"
        serve = (
            HttpStandIn(part.service.name, answers, how, metrics, clock, sleep).serve if answers else _accept
        )
        port = await demo.listen(serve, wanted)
        demo.notes.append(_address_note(part.service, wanted, port, http=bool(answers)))
        moved += [moved_to(target, port) for target in targets]
    return moved


def _answers(demo: Demo, service: ServicePlan, targets: list[Target]) -> dict[str, StandInAnswer]:
    """The answer by path; a note for each probe whose conditions it does not meet."""
    answers: dict[str, StandInAnswer] = {}
    for target in targets:
        spec = target.spec
        if not isinstance(spec, HttpSpec):
            continue
        path = parse_url(spec.url).path.partition("?")[0]
        answer = answers.setdefault(path, answer_for(spec))
        if path != service.metrics_path and (why := unmet(spec, answer)):
            demo.notes.append(
                f"{service.name}: probe {target.probe} will fail, for want of a real service: {why}."
            )
    return answers


async def _accept(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Take a connection and say nothing until the peer closes it."""
    async with asyncio.timeout(READ_SECONDS):
        while await reader.read(4096):
            pass


def _address_note(service: ServicePlan, wanted: int, port: int, *, http: bool) -> str:
    where = f"http://{LOOPBACK}:{port}" if http else f"{LOOPBACK}:{port}"
    what = "stands in for it" if http else "accepts connections and says nothing"
    if service.kind == "store":
        what += "; it is no database"
    taken = f" (port {wanted} cannot be had)" if port != wanted else ""
    return f"{service.name}: {where} {what}{taken}."


def _mood_note(name: str, mood: Mood) -> str:
    if mood == "failing":
        lasts = FAILING_TO - FAILING_FROM
        return (
            f"{name} answers 503 for {lasts:.0f} s in every {FAILING_PERIOD:.0f}, "
            f"first after {FAILING_FROM:.0f} s: on purpose."
        )
    lasts = SLOW_TO - SLOW_FROM
    return (
        f"{name} takes {SLOW:g} s and more to answer for {lasts:.0f} s in every {SLOW_PERIOD:.0f}, "
        f"first after {SLOW_FROM:.0f} s: on purpose."
    )
