"""Background requests for the engine's container statistics, so that no scrape waits for them.

The engine collects statistics once a second, so an answer takes up to a second (two before API 1.41), and many
requests at once take hardly longer than one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from exporter.containers.answers import AnswerError, decoded
from exporter.containers.engine import EngineError
from exporter.containers.stats import PARAMETERS, reading_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.containers.block_devices import BlockDevices
    from exporter.containers.engine import Engine
    from exporter.containers.model import Reading

log = logging.getLogger(__name__)

DEADLINE = 10.0
"""Seconds for one answer."""
_IN_FLIGHT = 64
"""Requests at once, each on its own connection. The client's pool is kept for quick requests: an inspect would have to
wait behind all of these."""
_MAX_ANSWER = 1024 * 1024
"""Bytes; a usual answer has two or three thousand."""
_NO_SUCH_CONTAINER = 404
_PATIENCE = 320.0
"""Seconds without a scrape after which the requests stop; no sensible scrape interval is five minutes."""


class StatsSampler:
    """A background task that requests statistics.

    `record(id, reading)` is called with each reading, and with None if the container is no longer running.
    """

    def __init__(
        self,
        engine: Engine,
        interval: float,
        devices: BlockDevices,
        record: Callable[[str, Reading | None], None],
    ) -> None:
        self._engine = engine
        self._interval = interval
        self._devices = devices
        self._record = record
        self.round_seconds = 0.0
        """Duration of the last round over all containers."""
        self.failures = 0
        """Requests that failed or whose answer could not be used."""
        self._wanted: frozenset[str] = frozenset()
        self._wanted_until = 0.0
        self._failing = False
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def want(self, containers: frozenset[str]) -> None:
        """Set the containers to request, by id. Call it again at each scrape."""
        self._wanted = containers
        self._wanted_until = time.monotonic() + _PATIENCE
        if containers and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="container statistics")

    def stop(self) -> None:
        """Stop recording until `want` is called again."""
        self._wanted = frozenset()
        if self._task is not None:
            self._task.cancel()
            self._ending.add(self._task)
            self._task.add_done_callback(self._ending.discard)
            self._task = None

    async def close(self) -> None:
        self.stop()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _run(self) -> None:
        while self._wanted and time.monotonic() < self._wanted_until:
            began = time.monotonic()
            await self._round()
            self.round_seconds = time.monotonic() - began
            await asyncio.sleep(self._interval - self.round_seconds)

    async def _round(self) -> None:
        failures: list[str] = []
        waiting = iter(sorted(self._wanted))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_IN_FLIGHT, len(self._wanted))):
                group.create_task(self._ask_each(waiting, failures))
        if failures and not self._failing:
            log.warning("could not read the statistics of %d containers: %s", len(failures), failures[0])
        self._failing = bool(failures)

    async def _ask_each(self, waiting: Iterator[str], failures: list[str]) -> None:
        for container in waiting:
            try:
                async with asyncio.timeout(DEADLINE):
                    answer = await self._ask(container)
                reading = (
                    None
                    if answer is None
                    else reading_of(answer, self._devices, time.time(), self._engine.product)
                )
            except EngineError as error:
                if error.status == _NO_SUCH_CONTAINER:
                    self._record(container, None)
                else:
                    self.failures += 1
                    failures.append(str(error))
            except TimeoutError:
                self.failures += 1
                failures.append(f"the engine did not answer within {DEADLINE:g} s")
            except AnswerError as error:
                self.failures += 1
                failures.append(f"the engine's answer to /containers/{{id}}/stats {error}")
            else:
                if container in self._wanted:
                    self._record(container, reading)

    async def _ask(self, container: str) -> Any:
        """Return the answer; None if the container ended meanwhile: engine 20.10 then sends 200 with an empty body."""
        body = bytearray()
        async with self._engine.stream(f"/containers/{container}/stats", PARAMETERS, DEADLINE) as parts:
            async for part in parts:
                body += part
                if len(body) > _MAX_ANSWER:
                    raise AnswerError(f"has more than {_MAX_ANSWER} bytes")
        return decoded(body) if body.strip() else None
