"""A loader of plans with simulated services, which are restarted when a reload changes the plan."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.demo.stand_ins import Demo, start_stand_ins

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.catalog.planning.plan import Plan

log = logging.getLogger(__name__)


class StandInLoader:
    """A loader that loads a plan with `load`, starts its simulated services, and returns the plan that watches them."""

    def __init__(self, load: Callable[[], Awaitable[Plan]]) -> None:
        self._load = load
        self._given: Plan | None = None
        self._demo: Demo | None = None

    async def __call__(self) -> Plan:
        plan = await self._load()
        if self._demo is not None and plan == self._given:
            return self._demo.plan
        await self.stop()
        self._given, self._demo = plan, await start_stand_ins(plan)
        for note in self._demo.notes:
            log.info("%s", note)
        return self._demo.plan

    async def stop(self) -> None:
        """Stop the simulated services."""
        if self._demo is not None:
            await self._demo.stop()
            self._demo = None
