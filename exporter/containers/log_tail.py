"""Reader of one container's log, line by line. No line is lost or repeated when the connection breaks.

The engine sends the time of each line. After a break the exporter asks for everything since the time of the last line,
and skips the lines of exactly that time that it already has.
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
"""Per second and container."""
READ_BYTES = 4 * 1024 * 1024
"""Per second and container. With short lines this uses a third of a core, so there is also a limit for all logs."""
MAX_BACKLOG = 20_000
"""Lines read from before a connection, except for the first one to a new container. Without a limit the engine reads
the whole log to find the start, which took 2.8 s for 170 MB; this many lines take 0.09 s."""
TURN_SECONDS = 0.001
"""After this much work, probes and other tasks get their turn."""
GATHER_SECONDS = 0.05
"""Pause after a wait for lines, so that a busy log wakes up the process 20 times a second instead of for each line."""
GATHER_SECONDS_BUSY = 0.005
"""Pause while there are more lines than are matched: in 50 ms a socket's buffer would fill and reading fall behind."""
WAITED_SECONDS = 0.0003
"""Reading data that has already arrived takes less."""
DRAIN_SECONDS = 2.0
"""Time to read the last lines of a container that is gone."""
FIRST_DELAY = 0.5
LAST_DELAY = 15.0
STEADY_SECONDS = 5.0
"""A connection that lasted this long resets the delays."""

clock = time.perf_counter
log = logging.getLogger(__name__)


class Sink(Protocol):
    """A receiver of log lines. `take` may be slow: it matches the patterns."""

    def take(self, service: str, text: bytes) -> None: ...
    def skip(self, service: str) -> None: ...
    def max_line(self, service: str) -> int: ...
    def refused(self, service: str, why: str) -> None: ...


@dataclass(slots=True)
class Mark:
    """A position in a log: the newest time of a line, and how many lines of that time were taken."""

    stamp: bytes = b""
    lines: int = 0

    def reached(self, stamp: bytes) -> None:
        """Record that a line of this time was taken."""
        if stamp > self.stamp:
            self.stamp, self.lines = stamp, 1
        elif stamp == self.stamp:
            self.lines += 1


class Allowance:
    """An amount that can be used in each second."""

    __slots__ = ("_amount", "_ends", "_left")

    def __init__(self, amount: int) -> None:
        self._amount = amount
        self._left = amount
        self._ends = 0.0

    def spend(self, amount: int) -> bool:
        """Use `amount`. True if anything was left for this second."""
        now = clock()
        if now >= self._ends:
            self._left, self._ends = self._amount, now + 1
        had = self._left
        self._left -= amount
        return had > 0

    def wait(self) -> float:
        """Return the seconds until something is left again; 0 if something is left now."""
        return max(self._ends - clock(), 0.0) if self._left <= 0 else 0.0


class Tail:
    """A reader that follows one log until it is closed, or the container has ended and its log is read completely.

    `mark` belongs to the caller, who keeps it for the next tail of this container. `since`: seconds since the epoch;
    without a mark, lines from this time on are taken. `shared`: bytes that all tails together may read.
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
        """The reason why the engine refuses this log; empty if it does not."""
        self._start()

    @property
    def service(self) -> str:
        """Return the service that the lines are counted for."""
        return self._container.identity.service or ""

    @property
    def _path(self) -> str:
        return f"/containers/{self._container.identity.id}/logs"

    @property
    def closing(self) -> bool:
        """True once `close` was called."""
        return self._cancel is not None

    def update(self, container: Container) -> None:
        """Take the current state of the container: it may have ended or started again. Undoes `close`."""
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
        """Stop soon. The engine itself ends the log of a removed container after its last line."""
        if self._cancel is None:
            self._cancel = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self.task.cancel)
            self._changed.set()

    async def stop(self) -> None:
        """Stop now."""
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
        """Read the log. True if it was read to its end or there is none, False if the connection failed."""
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
        """Count lines. `known`: lines of `known_stamp` that an earlier connection counted. Return the rest of them."""
        turn_ends = clock() + TURN_SECONDS
        for line in lines:
            stamp, _, text = line.partition(b" ")
            if not STAMP.fullmatch(stamp):  # a message that the engine itself adds to the log of a terminal
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
        log.error("an error in the exporter; the log of a container is no longer counted", exc_info=error)


def _seconds(stamp: bytes) -> str | None:
    """Convert a time from the form in answers to that in requests, `1704164645.000000001`; None if it is not a time."""
    try:
        moment = datetime.fromisoformat(stamp.decode("ascii"))
    except ValueError:
        return None
    fraction = stamp[20:].rstrip(b"Z").partition(b"+")[0].partition(b"-")[0] if stamp[19:20] == b"." else b""
    return f"{int(moment.timestamp())}.{fraction.decode():0<9}"
