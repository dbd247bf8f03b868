"""The engine's events without gaps, across streams, for as long as the engine answers.

When a stream ends, the engine may still be running: proxies cut idle connections. So a new stream is opened at once,
starting at the last event received.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from exporter.containers.engine import EngineError
from exporter.containers.events import Event, events, params

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.containers.engine import Engine

PING_SECONDS = 3.0
QUIET_SECONDS = 10.0
"""After this time without events, the engine is pinged."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds between attempts to open a stream. The first attempt is made at once."""
STEADY_SECONDS = 1.0
"""A stream that lasted this long resets these waits."""
RENEW_SECONDS = 300.0
"""A stream is reopened after this time, because it can fall silent without an error."""
STALE_SECONDS = 60.0
"""An engine that answers pings but sends no events for this long counts as lost."""
_OVERLAP = 1_000_000_000
"""Nanoseconds requested twice: the engine's events are not strictly in order of time."""
_AHEAD = 3600 * 1_000_000_000
"""Nanoseconds. An event dated further in the future is ignored; it would keep later requests from returning events."""

log = logging.getLogger(__name__)


class EventStream:
    """The stream of the engine's events.

    `happened` is called for each event, `missed` when events may have been lost. Both must be quick.
    """

    def __init__(self, engine: Engine, happened: Callable[[Event], None], missed: Callable[[], None]) -> None:
        self.lost = 0
        """Streams that ended while the engine answered."""
        self.skipped = 0
        """Events that could not be parsed."""
        self._engine = engine
        self._happened = happened
        self._missed = missed
        self._told_until = 0
        self._clock: tuple[int, float] = (0, 0.0)
        self._heard_at = 0.0

    def set_clock(self) -> None:
        """Store the engine's time of its last hello. The first stream starts there."""
        self._clock = self._engine.clock, time.monotonic()

    async def follow(self, subscribed: asyncio.Event) -> None:
        """Follow the events, including those since an earlier call; set `subscribed` when the first stream is open.

        Raises:
            EngineError: always, once the engine does not answer or sends no events.
        """
        since = self._since()
        self._told_until = self._told_until or self._clock[0]
        short, open_at = 0, time.monotonic()
        while True:
            began, opened = time.monotonic(), False
            try:
                async with (
                    asyncio.timeout(RENEW_SECONDS),
                    self._engine.stream("/events", params(since)) as stream,
                ):
                    opened = True
                    subscribed.set()
                    await self._read(stream)
            except TimeoutError:
                short, open_at = 0, time.monotonic()
            except EngineError as error:
                if not subscribed.is_set():
                    raise
                await self._engine.ping(PING_SECONDS)
                now = time.monotonic()
                open_at = now if opened else open_at
                if now - open_at > STALE_SECONDS:
                    raise
                short = 1 if now - began >= STEADY_SECONDS else short + 1
                self.lost += 1
                self._missed()
                log.debug("%s; reopening the stream", error)
            since = self._since()
            if short > 1:
                await asyncio.sleep(min(FIRST_WAIT * 2 ** min(short - 2, 10), LONGEST_WAIT))

    async def watch_quiet(self) -> None:
        """Ping the engine while no events arrive, since it may hang. Raises EngineError if it does not answer."""
        self._heard_at = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, self._heard_at + QUIET_SECONDS - time.monotonic()))
            if time.monotonic() - self._heard_at >= QUIET_SECONDS:
                await self._engine.ping(PING_SECONDS)
                self._heard_at = time.monotonic()

    async def _read(self, stream: AsyncIterator[bytes]) -> None:
        async for event in events(stream):
            self._note(event)
        raise EngineError(f"the Docker engine at {self._engine.endpoint.shown} closed the event stream")

    def _since(self) -> int | None:
        return max(0, self._told_until - _OVERLAP) if self._told_until else None

    def _note(self, event: Event | None) -> None:
        self._heard_at = time.monotonic()
        if event is None or self._is_ahead(event.at):
            self.skipped += 1
            self._missed()
            return
        self._told_until = max(self._told_until, event.at)
        self._happened(event)

    def _is_ahead(self, at: int) -> bool:
        clock, read_at = self._clock
        return clock > 0 and at > clock + int((time.monotonic() - read_at) * 1e9) + _AHEAD
