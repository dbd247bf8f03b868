"""The log of one container, followed line by line: none lost and none twice when the connection breaks.

The engine gives each line's time. After a break it is asked for everything since the last line's, and those of that
very time that were taken before are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from exporter.containers.engine import EngineError, endpoint_of
from exporter.containers.log_lines import STAMP, BrokenLogError, LineSplitter
from exporter.containers.model import ACTIVE

if TYPE_CHECKING:
    from exporter.containers.engine import Engine
    from exporter.containers.model import Container

MATCHED_LINES = 2_000
"""A second, of one container."""
READ_BYTES = 4 * 1024 * 1024
"""A second, of one container. Of short lines this is a third of a core, so all logs together have a limit too."""
MAX_BACKLOG = 20_000
"""Lines of the time before a connection, but for the first one to a container that is new. Without a limit the engine
reads the whole log to find where to begin, which took it 2.8 s for 170 MB; so many lines take it 0.09 s."""
TURN_SECONDS = 0.001
"""After so much work, probes and others have their turn."""
GATHER_SECONDS = 0.05
"""After a wait for lines, so that a busy log wakes up the process 20 times a second and not for each line."""
GATHER_SECONDS_BUSY = 0.005
"""When there are more lines than are matched: in 50 ms a socket's buffer would be full, and reading fall behind."""
WAITED_SECONDS = 0.0003
"""What is there already takes less."""
DRAIN_SECONDS = 2.0
"""For the last lines of a container that is gone."""
FIRST_DELAY = 0.5
LAST_DELAY = 15.0
STEADY_SECONDS = 5.0
"""A connection that lasted so long begins the delays anew."""

clock = time.perf_counter
log = logging.getLogger(__name__)


class Sink(Protocol):
    """Who is told of lines. `take` may be slow: it is the matching."""

    def take(self, service: str, text: bytes) -> None: ...
    def skip(self, service: str) -> None: ...
    def max_line(self, service: str) -> int: ...
    def refused(self, service: str, why: str) -> None: ...


@dataclass(slots=True)
class Mark:
    """How far a log was read: the newest time of a line, and how many lines of that time were taken."""

    stamp: bytes = b""
    lines: int = 0

    def reached(self, stamp: bytes) -> None:
        """A line of this time was taken."""
        if stamp > self.stamp:
            self.stamp, self.lines = stamp, 1
        elif stamp == self.stamp:
            self.lines += 1


class Allowance:
    """So much in each second."""

    __slots__ = ("_amount", "_ends", "_left")

    def __init__(self, amount: int) -> None:
        self._amount = amount
        self._left = amount
        self._ends = 0.0

    def spend(self, amount: int) -> bool:
        """Whether anything was left of this second's."""
        now = clock()
        if now >= self._ends:
            self._left, self._ends = self._amount, now + 1
        had = self._left
        self._left -= amount
        return had > 0

    def wait(self) -> float:
        """Seconds until there is something again; 0 while there is."""
        return max(self._ends - clock(), 0.0) if self._left <= 0 else 0.0


class Tail:
    """Follows one log until it is closed, or the container has ended and all of it was read.

    `mark` is the caller's, who keeps it for the next tail of this container. `since`: seconds since the epoch, from
    which lines are taken as long as there is no mark. `shared`: bytes that all tails may read together.
    """

    def __init__(
        self, engine: Engine, container: Container, mark: Mark, since: float, sink: Sink, shared: Allowance
    ) -> None:
        self._engine = engine
        self._container = container
        self._mark = mark
        self._since = since
        self._sink = sink
        self._lines = Allowance(MATCHED_LINES)
        self._bytes = (Allowance(READ_BYTES), shared)
        self._changed = asyncio.Event()
        self._cancel: asyncio.TimerHandle | None = None
        self.refusal = ""
        """Why the engine does not give this log; empty if it does."""
        self._start()

    @property
    def service(self) -> str:
        """Lines count as its."""
        return self._container.identity.service or ""

    @property
    def _path(self) -> str:
        return f"/containers/{self._container.identity.id}/logs"

    @property
    def closing(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancel is not None

    def update(self, container: Container) -> None:
        """The container as it is now: it may have ended, or have been started again. Undoes `close`."""
        again = self.closing or container.status.started_at != self._container.status.started_at
        if self._cancel is not None:
            self._cancel.cancel()
            self._cancel = None
        self._container = container
        if again:
            self._changed.set()
            if self.task.done() or self.task.cancelling():
                self._start()

    def close(self) -> None:
        """End soon. The engine ends the log of a container that is gone by itself, after its last line."""
        if self._cancel is None:
            self._cancel = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self.task.cancel)
            self._changed.set()

    async def stop(self) -> None:
        """End now."""
        if self._cancel is not None:
            self._cancel.cancel()
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def _start(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self._run())
        self.task.add_done_callback(_say_why)

    async def _run(self) -> None:
        delay = FIRST_DELAY
        while True:
            self._changed.clear()
            began = clock()
            ended = await self._attempt()
            over = ended and self._container.status.state not in ACTIVE and not self._changed.is_set()
            if over or self.closing:
                return
            if clock() - began > STEADY_SECONDS:
                delay = FIRST_DELAY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
                    await self._changed.wait()
            delay = min(delay * 2, LAST_DELAY)

    async def _attempt(self) -> bool:
        """Whether the log was read to its end, or there is none: False if the connection failed."""
        try:
            await self._read()
        except EngineError as error:
            if error.status is None:
                return False
            if error.status not in (404, 409):  # the container is gone, or about to be
                self._refused(str(error).replace(f" to {endpoint_of(self._path)}", ""))
        except BrokenLogError as error:
            self._refused(str(error))
            return False
        return True

    def _refused(self, why: str) -> None:
        self.refusal = why
        self._sink.refused(self.service, why)

    async def _read(self) -> None:
        lines = LineSplitter(tty=self._container.tty, max_line=self._sink.max_line(self.service))
        known = self._mark.lines if self._mark.stamp else 0
        known_stamp = self._mark.stamp
        async with self._engine.stream(self._path, self._question()) as chunks:
            self.refusal = ""
            asked = clock()
            async for chunk in chunks:
                waited = clock() - asked > WAITED_SECONDS
                found = lines.feed(chunk)
                known = await self._take(found, known, known_stamp)
                await self._pace(len(chunk), waited)
                asked = clock()
        await self._take(lines.end(), known, known_stamp)

    def _question(self) -> dict[str, str]:
        wanted = {"follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1"}
        if (reached := _seconds(self._mark.stamp)) is not None:
            return {**wanted, "since": reached, "tail": str(MAX_BACKLOG)}
        created = self._container.status.created_at
        new = created is not None and created >= self._since
        return {**wanted, "since": f"{self._since:.6f}", "tail": "all" if new else str(MAX_BACKLOG)}

    async def _take(self, lines: list[bytes], known: int, known_stamp: bytes) -> int:
        """Count lines. `known`: how many of `known_stamp` were counted in an earlier connection; what remains of it."""
        turn_ends = clock() + TURN_SECONDS
        for line in lines:
            stamp, _, text = line.partition(b" ")
            if not STAMP.fullmatch(stamp):  # the engine's own words, which it adds to a terminal's log
                continue
            if known and stamp == known_stamp:
                known -= 1
                continue
            self._mark.reached(stamp)
            if self._lines.spend(1):
                self._sink.take(self.service, text.rstrip(b"\r"))
            else:
                self._sink.skip(self.service)
            if clock() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = clock() + TURN_SECONDS
        return known

    async def _pace(self, size: int, waited: bool) -> None:
        for allowance in self._bytes:
            allowance.spend(size)
        pause = max(allowance.wait() for allowance in self._bytes)
        if waited:
            pause = max(pause, GATHER_SECONDS_BUSY if self._lines.wait() else GATHER_SECONDS)
        if pause:
            await asyncio.sleep(pause)


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a log is no longer counted because of an error in the exporter", exc_info=error)


def _seconds(stamp: bytes) -> str | None:
    """The engine's form of a time in a question, `1704164645.000000001`, of its form in an answer; None of no time."""
    try:
        moment = datetime.fromisoformat(stamp.decode("ascii"))
    except ValueError:
        return None
    fraction = stamp[20:].rstrip(b"Z").partition(b"+")[0].partition(b"-")[0] if stamp[19:20] == b"." else b""
    return f"{int(moment.timestamp())}.{fraction.decode():0<9}"
