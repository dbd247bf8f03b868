"""Simulated services for a plan, on loopback: `exporter run --demo` watches these instead of the real ones."""

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
"""Per simulated service: it runs in the daemon's process and must not use up its sockets."""
CANNOT_HAVE = {errno.EADDRINUSE, errno.EACCES}
"""The port is in use, or the user has no permission for low ports."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]


@dataclass(slots=True)
class Demo:
    """Running simulated services."""

    plan: Plan
    """The plan, with each target redirected to its simulated service."""
    notes: list[str]
    """Sentences for the user: what is simulated where, and what is left out."""
    _servers: list[asyncio.Server] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def stop(self) -> None:
        """Close all sockets, including those of active requests."""
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        for server in self._servers:
            await server.wait_closed()

    async def listen(self, serve: Serve, wanted: int) -> int:
        """Serve on the port `wanted`, or on a free port if that is not available. Return the port."""
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
    """Start a simulated service for each service and store that the plan deploys.

    Raises:
        OSError: no socket can be opened.
    """
    parts, left_out = cast_of(plan)
    chosen = moods([part.service.name for part in parts if part.speaks_http])
    demo = Demo(
        plan,
        [
            f"Demo: all services are simulated on loopback; the real services of {plan.project} are not probed."
        ],
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
    """Return the service with a description that says that it is simulated."""
    if not part.targets:
        return part.service
    description = f"Simulated: {part.service.description}".removesuffix(": ")
    return replace(part.service, description=description, on_demand=False)


async def _start(demo: Demo, part: Part, mood: Mood, clock: Clock, sleep: Sleep) -> list[Target]:
    """Serve one service on each of its ports. Return its targets, redirected to them."""
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
    """Return the answers by path. Add a note for each probe whose conditions are not met."""
    answers: dict[str, StandInAnswer] = {}
    for target in targets:
        spec = target.spec
        if not isinstance(spec, HttpSpec):
            continue
        path = parse_url(spec.url).path.partition("?")[0]
        answer = answers.setdefault(path, answer_for(spec))
        if path != service.metrics_path and (why := unmet(spec, answer)):
            demo.notes.append(
                f"{service.name}: probe {target.probe} will fail, because the service is simulated: {why}."
            )
    return answers


async def _accept(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Accept a connection and send nothing until the peer closes it."""
    async with asyncio.timeout(READ_SECONDS):
        while await reader.read(4096):
            pass


def _address_note(service: ServicePlan, wanted: int, port: int, *, http: bool) -> str:
    where = f"http://{LOOPBACK}:{port}" if http else f"{LOOPBACK}:{port}"
    what = "simulates it" if http else "accepts connections and sends nothing"
    if service.kind == "store":
        what += "; it is not a database"
    taken = f" (port {wanted} is not available)" if port != wanted else ""
    return f"{service.name}: {where} {what}{taken}."


def _mood_note(name: str, mood: Mood) -> str:
    if mood == "failing":
        lasts = FAILING_TO - FAILING_FROM
        return (
            f"{name} answers 503 for {lasts:.0f} s of every {FAILING_PERIOD:.0f} s, "
            f"first after {FAILING_FROM:.0f} s: on purpose."
        )
    lasts = SLOW_TO - SLOW_FROM
    return (
        f"{name} takes {SLOW:g} s or more to answer for {lasts:.0f} s of every {SLOW_PERIOD:.0f} s, "
        f"first after {SLOW_FROM:.0f} s: on purpose."
    )
