"""A single target: its state, since when, its log and its end, with a probe and a clock that the test controls."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import Plan, ServicePlan, Target
from exporter.catalog.planning.specs import HttpSpec
from exporter.daemon import watch as watch_module
from exporter.daemon.state import snapshot
from exporter.daemon.watch import AGAIN_SECONDS, STALE_SECONDS, STOP_SECONDS, Watch
from exporter.metrics.own import OwnMetrics
from exporter.metrics.series import Series
from exporter.probes.base import VOID_MEANINGS, ProbeResult, Reason, Void
from tests.daemon.virtual_time import Times, run

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = 1_800_000_000.0

UP = ProbeResult(True, Reason.OK, 0.01, {"connect": 0.01}, {"status_code": 200})
DOWN = ProbeResult(False, Reason.STATUS, 0.01, detail="status 503")
REFUSED = ProbeResult(False, Reason.CONNECT, 0.01, detail="refused")
VOID = ProbeResult(False, Reason.INTERNAL, 0.01, detail="void", void=Void.STALL)

STALLED, NO_PORTS = (
    f"runs are void: {VOID_MEANINGS[void]}; exporter_probes_void_total counts them"
    for void in (Void.STALL, Void.PORTS)
)


class Clock:
    """The monotonic and wall-clock time of `exporter.daemon.watch`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def time(self) -> float:
        return EPOCH + self.now


class ScriptedProbe:
    """A probe that returns the given results at the given times."""

    def __init__(self) -> None:
        self.runs = 0
        self.deadline = 0.0
        self.answer: asyncio.Future[ProbeResult] | None = None
        self.closed = 0

    async def run(self, deadline: float) -> ProbeResult:
        self.runs += 1
        self.deadline = deadline
        self.answer = asyncio.get_running_loop().create_future()
        try:
            return await self.answer
        finally:
            self.closed += 1


class Bench:
    """A watch of a scripted probe."""

    def __init__(
        self,
        clock: Clock,
        name: str = "web",
        probe: str = "page",
        *,
        interval: float = 15.0,
        own: OwnMetrics | None = None,
        on_demand: bool = False,
    ) -> None:
        self.clock = clock
        self.running = {name}
        self.probe = ScriptedProbe()
        self.own = own or OwnMetrics()
        target = Target(name, probe, "http://x/", interval, 5.0, HttpSpec("http://x/"), on_demand)
        series = Series(name, probe, "http://x/", "http", (0.1, 1.0))
        self.watch = Watch(target, self.probe, series, self.own, lambda service: service in self.running)

    async def run(self, result: ProbeResult, seconds: float = 15.0) -> None:
        """Do one run that ends `seconds` later with `result`."""
        self.watch.start(self.clock.now)
        await asyncio.sleep(0)
        self.clock.now += seconds
        assert self.probe.answer is not None
        self.probe.answer.set_result(result)
        await self.settled()

    async def settled(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def value(self, name: str) -> float:
        lines = self.own.render("text").decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(name))


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what a log in JSON has besides the message."""
    usual = logging.makeLogRecord({}).__dict__.keys() | {"message"}
    return {key: value for key, value in record.__dict__.items() if key not in usual}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch_module, "clock", clock)
    monkeypatch.setattr(watch_module, "time", clock)
    monkeypatch.setattr(watch_module, "_told", {})
    return clock


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what was logged since the last call."""
    caplog.set_level(logging.INFO)

    def since() -> list[str]:
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    return since


def test_states_their_beginnings_and_one_line_for_each_change(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    steps: list[tuple[ProbeResult, str, float, list[str]]] = [
        (UP, "up", 1015, []),
        (UP, "up", 1015, []),
        (DOWN, "down", 1045, ["web/page is down (status): status 503"]),
        (DOWN, "down", 1045, []),
        (REFUSED, "down", 1045, []),
        (VOID, "down", 1045, [STALLED]),
        (DOWN, "down", 1045, []),
        (UP, "up", 1120, ["web/page is up again after 1 min"]),
        (UP, "up", 1120, []),
        (DOWN, "down", 1150, ["web/page is down (status): status 503"]),
        (UP, "up", 1165, ["web/page is up again after 15 s"]),
    ]  # fmt: skip

    async def main() -> None:
        bench = Bench(clock)
        assert (bench.watch.state, bench.watch.since, bench.watch.finished_at) == ("unknown", None, None)
        for number, (result, state, since, lines) in enumerate(steps):
            await bench.run(result)
            assert (bench.watch.state, bench.watch.since, told()) == (state, EPOCH + since, lines), number
            if result is not VOID:
                assert bench.watch.finished_at == clock.time()
                assert bench.watch.result is result

    asyncio.run(main())


def test_a_target_that_is_down_from_the_start_says_so(clock: Clock, told: Callable[[], list[str]]) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(REFUSED, 1)
        await bench.run(UP, 3 * 3600)

    asyncio.run(main())
    assert told() == ["web/page is down (connect): refused", "web/page is up again after 3 h"]


def test_void_runs_leave_everything_as_it_was(clock: Clock) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(UP)
        series = bench.watch.series
        before = (bench.watch.result, series.chunks, series.successes, series.failures, bench.watch.since)
        for _ in range(2):
            await bench.run(VOID)
        after = (bench.watch.result, series.chunks, series.successes, series.failures, bench.watch.since)
        assert after == before
        assert bench.value('exporter_probes_void_total{reason="stall"}') == 2
        assert bench.value('exporter_probes_void_total{reason="ports"}') == 0

    asyncio.run(main())


def test_what_was_not_measured_for_long_is_unknown(clock: Clock, told: Callable[[], list[str]]) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(DOWN)
        told()
        while clock.now < 1015 + STALE_SECONDS - 15:
            await bench.run(VOID)
            assert bench.watch.state == "down"
        told()
        await bench.run(VOID)
        assert (bench.watch.state, bench.watch.since, bench.watch.series.chunks) == ("unknown", None, None)
        assert told() == ["web/page is unknown: no valid run for 5 min"]
        await bench.run(VOID)
        assert told() == [STALLED]
        await bench.run(UP)
        assert bench.watch.state == "up"
        assert bench.watch.series.chunks
        assert (bench.watch.series.successes, bench.watch.series.failures) == (1, 1)
        assert told()[-1] == "web/page is up again after 5 min"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("interval", "seconds", "states"),
    [
        (15.0, 100.0, ["up", "up", "unknown"]),
        (15.0, 99.0, ["up", "up", "up", "unknown"]),
        (15.0, 1000.0, ["up", "up", "unknown"]),
        (3600.0, 3600.0, ["up", "up", "unknown"]),
        (3600.0, 1800.0, ["up", "up", "up", "up", "up", "unknown"]),
    ],
)
def test_a_target_is_unknown_after_three_runs_and_five_minutes_or_three_intervals(
    interval: float, seconds: float, states: list[str], clock: Clock
) -> None:
    async def main() -> None:
        bench = Bench(clock, interval=interval)
        await bench.run(UP)
        seen = []
        for _ in states:
            await bench.run(VOID, seconds)
            seen.append(bench.watch.state)
        assert seen == states

    asyncio.run(main())


def test_one_void_run_after_a_long_stop_is_not_enough(clock: Clock) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(UP)
        bench.watch.miss(240)
        await bench.run(VOID, 3600)
        assert bench.watch.state == "up"

    asyncio.run(main())


def test_a_run_that_never_ends_makes_its_target_unknown(clock: Clock) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(UP)
        bench.watch.start(clock.now)
        await bench.settled()
        for _ in range(25):
            clock.now += 15
            bench.watch.start(clock.now)
        assert bench.probe.runs == 2
        assert bench.watch.missed == 25
        assert bench.watch.state == "unknown"
        await bench.watch.stop()

    asyncio.run(main())


def test_a_run_is_given_its_whole_time_and_its_lateness_is_told(clock: Clock) -> None:
    async def main() -> None:
        other = Bench(clock, "other")
        bench = Bench(clock, own=other.own)
        bench.watch.start(clock.now - 0.2)
        await bench.settled()
        assert bench.probe.deadline == clock.now + 5.0
        assert bench.value("exporter_probe_lateness_seconds_sum") == pytest.approx(0.2)
        assert bench.value("exporter_probes_running") == 1
        bench.watch.start(clock.now)
        assert (bench.probe.runs, bench.watch.missed) == (1, 1)
        assert bench.value("exporter_probes_missed_total") == 1
        other.watch.start(clock.now)
        await bench.settled()
        assert bench.value("exporter_probes_running") == 2
        await other.watch.stop()
        assert bench.value("exporter_probes_running") == 1
        await bench.watch.stop()
        assert bench.value("exporter_probes_running") == 0

    asyncio.run(main())


def test_after_stop_nothing_runs_and_nothing_is_open(clock: Clock, told: Callable[[], list[str]]) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(UP)
        bench.watch.start(clock.now)
        await bench.settled()
        await bench.watch.stop()
        assert bench.probe.closed == bench.probe.runs == 2
        bench.watch.start(clock.now)
        await bench.settled()
        assert bench.probe.runs == 2
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await bench.watch.stop()
        assert bench.watch.series.successes == 1

    asyncio.run(main())
    assert told() == []


def test_before_the_first_run_there_is_nothing_to_stop(clock: Clock) -> None:
    asyncio.run(Bench(clock).watch.stop())


def test_what_does_not_cancel_is_left_behind_and_no_longer_counts(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        bench = Bench(clock)
        go = asyncio.Event()

        async def stubborn(_: float) -> ProbeResult:
            while not go.is_set():
                try:
                    await go.wait()
                except asyncio.CancelledError:
                    continue
            return DOWN

        monkeypatch.setattr(bench.probe, "run", stubborn)
        bench.watch.start(clock.now)
        await bench.settled()
        before = asyncio.get_running_loop().time()
        await bench.watch.stop()
        assert STOP_SECONDS * 0.9 < asyncio.get_running_loop().time() - before < STOP_SECONDS + 2
        go.set()
        await bench.settled()
        assert bench.watch.result is None
        assert bench.watch.series.chunks is None

    asyncio.run(main())
    [record] = caplog.records
    assert record.getMessage() == "web/page: the run does not stop; not waiting for it any longer"
    assert fields_of(record) == {"service": "web", "probe": "page"}


def test_two_results_with_the_same_facts_and_one_with_others(clock: Clock) -> None:
    """Check that text that depends only on the facts is rendered again only after a change, and the rest each time."""
    other = ProbeResult(True, Reason.OK, 0.03, {"connect": 0.03}, {"status_code": 204})
    again = ProbeResult(True, Reason.OK, 0.02, {"connect": 0.02}, {"status_code": 200})

    async def main() -> None:
        bench = Bench(clock)
        seen = []
        for result in (UP, again, again, other, DOWN, UP):
            await bench.run(result)
            text = b"".join(bench.watch.series.chunks or ()).decode()
            lines = dict(line.rsplit(" ", 1) for line in text.splitlines())
            labels = 'service="web",probe="page",target="http://x/"'
            seen.append(
                (
                    lines[f"probe_success{{{labels}}}"],
                    lines[f"probe_duration_seconds{{{labels}}}"],
                    lines.get(f"probe_http_status_code{{{labels}}}"),
                    lines[f'probe_results_total{{{labels},result="success"}}'],
                )
            )
        assert seen == [
            ("1", "0.01", "200", "1"),
            ("1", "0.02", "200", "2"),
            ("1", "0.02", "200", "3"),
            ("1", "0.03", "204", "4"),
            ("0", "0.01", None, "4"),
            ("1", "0.01", "200", "5"),
        ]

    asyncio.run(main())


def test_a_service_is_down_since_the_first_of_its_probes_that_is(clock: Clock) -> None:
    """Check also that it is up since its last probe came up, and unknown while a probe that is not down is unknown."""
    plan = Plan("p", "e", "127.0.0.1", 1, (ServicePlan("web", "service"),), ())

    async def main() -> None:
        first, second, third = (Bench(clock, probe=name) for name in ("a", "b", "c"))
        watches = [bench.watch for bench in (first, second, third)]

        def service() -> tuple[object, ...]:
            found = snapshot(plan, watches)["services"][0]
            return found["state"], found["reason"], found["detail"], found["since"]

        await first.run(UP, 1)
        await second.run(UP, 1)
        assert service() == ("unknown", None, "", None)
        await third.run(UP, 1)
        assert service() == ("up", "ok", "", EPOCH + 1003)
        await second.run(REFUSED, 1)
        await first.run(DOWN, 1)
        assert service() == ("down", "status", "status 503", EPOCH + 1004)
        await second.run(UP, 1)
        assert service() == ("down", "status", "status 503", EPOCH + 1005)
        await first.run(UP, 1)
        assert service() == ("up", "ok", "", EPOCH + 1007)

    asyncio.run(main())


def test_a_target_that_is_down_before_and_after_it_is_unknown_was_down_all_the_time(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(DOWN)
        for _ in range(3):
            await bench.run(VOID, STALE_SECONDS / 3)
        assert bench.watch.state == "unknown"
        await bench.run(DOWN, 300)
        told()
        await bench.run(UP, 600)
        assert told() == ["web/page is up again after 20 min"]

    asyncio.run(main())


def test_each_line_of_the_log_says_in_fields_what_it_is_about(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        bench = Bench(clock)
        await bench.run(DOWN, 1)
        await bench.run(UP, 1.23456)
        await bench.run(VOID, 99)
        bench.watch.miss(7)
        await bench.run(VOID, 300)

    asyncio.run(main())
    web = {"service": "web", "probe": "page"}
    lines = [(record.levelname, record.getMessage(), fields_of(record)) for record in caplog.records]
    assert lines == [
        ("WARNING", "web/page is down (status): status 503", web | {"reason": "status"}),
        ("INFO", "web/page is up again after 1 s", web | {"reason": "ok", "down_seconds": 1.235}),
        ("WARNING", STALLED, {"reason": "stall"}),
        ("WARNING", "web/page: missed 7 run(s)", web),
        ("WARNING", STALLED, {"reason": "stall"}),
        ("WARNING", "web/page is unknown: no valid run for 6 min", web),
    ]


def test_void_runs_are_told_of_once_a_minute_for_each_reason(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    ports = replace(VOID, void=Void.PORTS)
    steps: list[tuple[float, ProbeResult, list[str]]] = [
        (0, VOID, [STALLED]),
        (0, VOID, []),
        (30, ports, [NO_PORTS]),
        (29.9, VOID, []),
        (0.1, VOID, [STALLED]),
        (29.9, ports, []),
        (30, VOID, []),
        (0, ports, [NO_PORTS]),
        (0.1, VOID, [STALLED]),
    ]

    async def main() -> None:
        one, other = Bench(clock), Bench(clock, "api")
        for number, (seconds, result, lines) in enumerate(steps):
            await (one, other)[number % 2].run(result, seconds)
            assert told() == lines, number

    clock.now = 0.0
    asyncio.run(main())


def test_a_watch_of_a_new_catalog_carries_on(clock: Clock, told: Callable[[], list[str]]) -> None:
    async def main() -> None:
        old, new = Bench(clock), Bench(clock)
        await old.run(DOWN)
        old.watch.miss(2)
        told()
        new.watch.inherit(old.watch)
        assert new.watch.series is old.watch.series
        assert (new.watch.state, new.watch.since, new.watch.missed) == ("down", EPOCH + 1015, 2)
        await new.run(DOWN)
        assert told() == []
        await new.run(UP)
        assert told() == ["web/page is up again after 30 s"]

    asyncio.run(main())


@pytest.mark.parametrize(("interval", "again"), [(9.0, False), (10.0, False), (15.0, True), (3600.0, True)])
def test_a_void_run_is_made_up_for_soon_unless_the_next_turn_is_near(
    interval: float, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    results = [VOID, VOID, UP, UP]
    starts: list[float] = []

    class Probe:
        async def run(self, _: float) -> ProbeResult:
            starts.append(times.now)
            return results.pop(0)

    target = Target("web", "page", "http://x/", interval, 5.0, HttpSpec("http://x/"))
    series = Series("web", "page", "http://x/", "http", (0.1, 1.0))

    async def main() -> None:
        watch = Watch(target, Probe(), series, OwnMetrics())
        watch.start(times.now)
        await asyncio.sleep(100)
        assert watch.state == ("up" if again else "unknown")
        results.insert(0, VOID)
        watch.start(times.now)
        await asyncio.sleep(1)
        await watch.stop()
        await asyncio.sleep(100)

    run(monkeypatch, times, main())
    assert starts == ([1000.0, 1005.0, 1010.0, 1100.0] if again else [1000.0, 1100.0])


def test_after_a_void_run_was_made_up_for_it_can_be_stopped(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        bench = Bench(clock)
        await bench.run(VOID)
        await asyncio.sleep(AGAIN_SECONDS)
        assert bench.probe.runs == 2
        await bench.watch.stop()
        assert bench.probe.closed == 2

    run(monkeypatch, Times(), main())


def test_what_is_started_on_demand_is_probed_only_while_it_runs(
    clock: Clock, told: Callable[[], list[str]]
) -> None:
    async def main() -> None:
        bench = Bench(clock, on_demand=True)
        watch = bench.watch
        await bench.run(DOWN)
        assert (watch.state, watch.rests, bool(watch.series.chunks)) == ("down", False, True)
        bench.running.clear()
        watch.start(clock.now)
        watch.miss(3)
        await bench.settled()
        assert (watch.state, watch.since, watch.series.chunks) == ("unknown", None, None)
        assert (watch.rests, watch.missed, bench.probe.runs, watch.series.failures) == (True, 0, 1, 1)
        bench.running.add("web")
        told()
        await bench.run(UP)
        assert (watch.state, told()) == ("up", [])

    asyncio.run(main())


def test_a_result_that_arrives_after_it_was_stopped_does_not_count(clock: Clock) -> None:
    async def main() -> None:
        bench = Bench(clock, on_demand=True)
        bench.watch.start(clock.now)
        await asyncio.sleep(0)
        bench.running.clear()
        assert bench.probe.answer is not None
        bench.probe.answer.set_result(DOWN)
        await bench.settled()
        assert (bench.watch.state, bench.watch.series.failures) == ("unknown", 0)

    asyncio.run(main())
