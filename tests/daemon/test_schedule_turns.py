"""The start times of each target, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import Target
from exporter.catalog.planning.specs import HttpSpec, TcpSpec, TlsSpec
from exporter.daemon.schedule import FIRST_ROUND_SECONDS, GRID_SECONDS, Executor, Schedule, fraction_of
from exporter.daemon.watch import Watch
from exporter.metrics.own import OwnMetrics
from exporter.metrics.series import Series
from exporter.probes.base import ProbeResult, Reason
from tests.daemon.virtual_time import EPOCH, Times, run

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import ProbeSpec

OK = ProbeResult(True, Reason.OK, 0.0)
PRECISION = 0.002
"""Seconds. APScheduler counts in microseconds, and event loops round."""


class Noted:
    """A probe that takes no time and records its start times."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self.starts: list[float] = []
        self.seconds = 0.0

    async def run(self, deadline: float) -> ProbeResult:
        self.starts.append(self._times.now)
        await asyncio.sleep(min(self.seconds, deadline - self._times.now))
        return OK


class Table:
    """Watches of targets, by name."""

    def __init__(self) -> None:
        self.times = Times()
        self.own = OwnMetrics()
        self.schedule = Schedule()
        self.probes: dict[str, Noted] = {}

    def watch(self, name: str, interval: float, spec: ProbeSpec | None = None, timeout: float = 0.1) -> Watch:
        target = Target(name, "page", "x", interval, timeout, spec or TcpSpec("x", 1, tls=TlsSpec()))
        self.probes[name] = Noted(self.times)
        return Watch(target, self.probes[name], Series(name, "page", "x", "tcp", (1.0,)), self.own)

    def turns(self, name: str, since: float) -> list[float]:
        return [start for start in self.probes[name].starts if start >= since]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    # The schedule reads both clocks when it is created.
    monkeypatch.setattr("exporter.daemon.schedule.clock", made.times.clock)
    monkeypatch.setattr("exporter.daemon.schedule.time", made.times)
    made.schedule = Schedule()
    return made


def own_time(watch: Watch, wall: float) -> float:
    """Return the distance in seconds between `wall` and the nearest time of the target's own in its interval."""
    interval = watch.target.interval
    off = (wall - fraction_of(watch.target) * interval) % interval
    return min(off, interval - off)


@pytest.mark.parametrize("interval", [0.1, 1.0, 15.0, 60.0, 300.0, 3600.0])
def test_each_target_has_its_own_time_in_its_interval(
    interval: float, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = [table.watch(f"service-{n}", interval, timeout=interval / 10) for n in range(30)]

    async def main() -> None:
        table.schedule.start()
        table.schedule.add(watches)
        await asyncio.sleep(interval * 6)
        table.schedule.stop()

    run(monkeypatch, table.times, main())
    for watch in watches:
        starts = table.probes[watch.target.service].starts
        first, turns = starts[0], starts[1:]
        assert first <= 1000 + min(interval, FIRST_ROUND_SECONDS)
        assert 4 <= len(turns) <= 6
        assert all(own_time(watch, EPOCH + turn) < PRECISION for turn in turns), watch.target.service
        assert all(
            after - before == pytest.approx(interval, abs=2 * PRECISION) for before, after in pairwise(turns)
        )
        assert watch.missed == 0


def test_cheap_targets_share_a_grid(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that cheap targets share a grid, because waking up for each costs more than the probe. Not all start
    together."""
    watches = [table.watch(f"service-{n}", 15.0, HttpSpec("http://x/")) for n in range(200)]

    async def main() -> None:
        table.schedule.start()
        table.schedule.add(watches)
        await asyncio.sleep(45)
        table.schedule.stop()

    run(monkeypatch, table.times, main())
    turns = {round(turn, 2) for noted in table.probes.values() for turn in noted.starts[1:]}
    assert len(turns) > 150
    for watch in watches:
        for turn in table.probes[watch.target.service].starts[1:]:
            early = (fraction_of(watch.target) * 15 - (EPOCH + turn)) % 15
            assert early < GRID_SECONDS + PRECISION or 15 - early < PRECISION


@pytest.mark.parametrize("step", [-86400.0, -3600.0, -0.4, 0.04, 7.3, 3600.0, 86400.0])
def test_after_a_step_of_the_clock_turns_go_on_at_the_new_time(
    step: float, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = [table.watch(f"service-{n}", 15.0) for n in range(20)]

    async def main() -> None:
        table.schedule.start()
        table.schedule.add(watches)
        await asyncio.sleep(40)
        table.times.step = step
        await asyncio.sleep(80)
        table.schedule.stop()

    run(monkeypatch, table.times, main())
    for watch in watches:
        name = watch.target.service
        later = table.turns(name, 1000 + 40 + 17)
        assert len(later) >= 4
        if abs(step) > 0.05:  # a smaller step does not need a new schedule
            assert all(own_time(watch, EPOCH + turn + step) < PRECISION for turn in later)
        gaps = [after - before for before, after in pairwise(table.probes[name].starts[1:])]
        assert max(gaps) < 2 * 15 + 2, "a run was lost"
        assert watch.missed <= 1


def test_a_reload_changes_the_turns_of_what_changed_alone(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone, new = table.watch("kept", 15.0), table.watch("gone", 15.0), table.watch("new", 10.0)
    moved = table.watch("moved", 15.0)

    async def main() -> None:
        schedule = table.schedule
        schedule.start()
        schedule.add([kept, gone, moved])
        await asyncio.sleep(50)
        schedule.remove([gone, moved])
        await asyncio.gather(gone.stop(), moved.stop())
        schedule.add([new])
        await asyncio.sleep(50)
        schedule.stop()
        await asyncio.sleep(50)

    run(monkeypatch, table.times, main())
    assert len(table.turns("kept", 1000)) in (7, 8)
    assert all(own_time(kept, EPOCH + turn) < PRECISION for turn in table.probes["kept"].starts[1:])
    for name in ("gone", "moved"):
        assert not table.turns(name, 1050)
    assert table.probes["new"].starts[0] <= 1050 + FIRST_ROUND_SECONDS
    assert all(own_time(new, EPOCH + turn) < PRECISION for turn in table.probes["new"].starts[1:])
    assert not table.turns("kept", 1100 + PRECISION), "a run started after the end"


def test_a_slow_target_is_never_stacked_and_loses_only_the_turns_it_slept_through(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = table.watch("slow", 1.0, timeout=3.5), table.watch("quick", 1.0)
    table.probes["slow"].seconds = 2.5

    async def main() -> None:
        table.schedule.start()
        table.schedule.add([slow, quick])
        await asyncio.sleep(31)
        table.schedule.stop()
        await asyncio.gather(slow.stop(), quick.stop())

    run(monkeypatch, table.times, main())
    gaps = [after - before for before, after in pairwise(table.probes["slow"].starts[1:])]
    assert gaps == pytest.approx([3.0] * len(gaps), abs=2 * PRECISION)
    assert slow.missed == pytest.approx(20, abs=3)
    assert quick.missed == 0


def test_a_process_that_was_held_counts_what_it_missed_and_takes_up_its_turns(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = [table.watch(f"service-{n}", 2.0) for n in range(10)]

    async def main() -> None:
        table.schedule.start()
        table.schedule.add(watches)
        await asyncio.sleep(9)
        table.times.now += 21
        await asyncio.sleep(10)
        table.schedule.stop()

    run(monkeypatch, table.times, main())
    for watch in watches:
        assert watch.missed in (8, 9, 10)
        turns = table.turns(watch.target.service, 1000 + 9 + 21 + 2)
        assert len(turns) >= 3
        assert all(own_time(watch, EPOCH + turn) < PRECISION for turn in turns)


def test_stopping_as_a_round_begins_is_no_error(
    table: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    submit = Executor._do_submit_job

    def stop_first(executor: Executor, *of: object) -> None:
        asyncio.get_running_loop().call_soon(table.schedule.stop)
        submit(executor, *of)

    monkeypatch.setattr(Executor, "_do_submit_job", stop_first)
    watch = table.watch("service", 1.0)

    async def main() -> None:
        table.schedule.start()
        table.schedule.add([watch])
        await asyncio.sleep(5)

    run(monkeypatch, table.times, main())
    assert len(table.probes["service"].starts) < 3  # it was stopped
    assert not caplog.records
