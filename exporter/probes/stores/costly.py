"""A query that is expensive for a server: sent rarely, and not waited for too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.probes.measure import clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.probes.measure import Run

SHARE = 0.01
"""Share of time that the server may spend on the answer: after one that took a second, the next query comes a hundred
seconds later; until then the measured fact is kept."""

PATIENCE = 0.5
"""Share of the remaining time of a run to wait for the answer."""


class Costly:
    """The query for `fact`, to one server."""

    __slots__ = ("_due", "_fact", "_value")

    def __init__(self, fact: str) -> None:
        self._fact = fact
        self._value: float | str | None = None
        self._due = 0.0

    async def note(self, run: Run, ask: Callable[[float], Awaitable[None]]) -> bool:
        """Have `ask` note the fact within the seconds that it is given, or note the last value again.

        Return False after a time-out: its answer may still arrive then, so no other query may follow.
        """
        began = clock()
        if began < self._due:
            if self._value is not None:
                run.facts[self._fact] = self._value
            return True
        patience = run.time_left() * PATIENCE
        self._value = None
        answered = True
        try:
            async with asyncio.timeout(patience) as limit:
                await ask(patience)
        except TimeoutError:
            if not limit.expired():
                raise
            answered = False
        self._value = run.facts.get(self._fact)
        self._due = clock() + (clock() - began) / SHARE
        return answered
