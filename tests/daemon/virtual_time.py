"""An event loop and clocks whose time passes immediately: hours of schedule in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from apscheduler.schedulers import base

from exporter.daemon import schedule, watch

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import pytest

EPOCH = 1_800_000_000.0


class Times:
    """The time. `now`: of the monotonic clock. `step`: how far the wall clock was moved since the start."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.step = 0.0

    def clock(self) -> float:
        return self.now

    def time(self) -> float:
        return EPOCH + self.now + self.step


class _Selector(selectors.SelectSelector):
    """A selector that advances the time instead of waiting."""

    def __init__(self, times: Times) -> None:
        super().__init__()
        self._times = times

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self._times.now += timeout
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop on the clock of `times`."""

    def __init__(self, times: Times) -> None:
        super().__init__(_Selector(times))
        self._times = times

    def time(self) -> float:
        return self._times.now


def run(monkeypatch: pytest.MonkeyPatch, times: Times, main: Coroutine[Any, Any, None]) -> None:
    """Run `main` with the loop, the schedule, the watches and APScheduler all on the clock of `times`."""

    class Moment(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # not of its own class, as wanted
            return datetime.fromtimestamp(times.time(), tz or UTC)

    for module in (schedule, watch):
        monkeypatch.setattr(module, "clock", times.clock)
        monkeypatch.setattr(module, "time", times)
    monkeypatch.setattr(base, "datetime", Moment)
    with asyncio.Runner(loop_factory=lambda: Loop(times)) as runner:
        runner.run(main)
