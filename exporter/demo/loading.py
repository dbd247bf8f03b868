"""A plan whose services are stand-ins, made anew when a reload changes it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.demo.stand_ins import Demo, start_stand_ins

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.catalog.planning.plan import Plan

log = logging.getLogger(__name__)


class StandInLoader:
    """Loads a plan by `load`, starts stand-ins for what it names, and gives out the plan that watches those."""

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
        """End the stand-ins."""
        if self._demo is not None:
            await self._demo.stop()
            self._demo = None
