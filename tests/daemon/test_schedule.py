"""Targets are spread, keep their schedule, never overlap with their own runs, and never wait for one another."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.plan import Target
from exporter.catalog.planning.specs import HttpSpec
from exporter.daemon.schedule import fraction_of, slot_of, slot_seconds
from tests.components import require
from tests.daemon.running import running_daemon
from tests.daemon.services import services
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


def target(name: str, interval: float = 15.0) -> Target:
    return Target(name, "page", "http://x/", interval, 1.0, HttpSpec("http://x/"))


def test_targets_are_spread_evenly_by_a_hash_that_is_the_same_in_every_process() -> None:
    fractions = [fraction_of(target(f"service-{n}")) for n in range(3000)]
    assert [round(fraction, 2) for fraction in fractions[:5]] == [0.55, 0.1, 0.75, 0.99, 0.64]
    twentieths = [int(fraction * 20) for fraction in fractions]
    assert all(120 < twentieths.count(part) < 180 for part in range(20))


@pytest.mark.parametrize("interval", [0.1, 1.0, 15.0, 3600.0])
def test_a_slot_holds_the_turns_of_its_targets(interval: float) -> None:
    for n in range(200):
        _, slot = slot_of(target(f"service-{n}", interval))
        delay = fraction_of(target(f"service-{n}")) * interval - slot * slot_seconds(interval)
        assert 0 <= delay < slot_seconds(interval)


def test_probes_keep_their_pace_without_drift(tmp_path: Path) -> None:
    with services() as server:
        text = f"""
project: test
defaults: {{probe: {{interval: 200ms, timeout: 150ms}}}}
services: {{web: {{probes: [{{name: page, http: {{url: "http://127.0.0.1:{server.port}/health"}}}}]}}}}
"""
        with running_daemon(tmp_path, text):
            until(lambda: len(server.requests) > 25, "25 rounds")
        times = [at for at, _ in server.requests[1:25]]
        # Rounds may be late on a busy machine, but lateness must not add up: each round keeps to the same grid.
        grid = [(at - times[0]) % 0.2 for at in times]
        off = sorted(min(rest, 0.2 - rest) for rest in grid)
        assert off[len(off) // 2] < 0.05
        assert min(after - before for before, after in pairwise(times)) > 0.05


def test_a_hanging_target_misses_its_turns_and_delays_nobody(tmp_path: Path) -> None:
    with services() as hanging, services() as healthy:
        hanging.answering.clear()
        text = f"""
project: test
services:
  hanging: {{probes: [{{name: page, interval: 10s, timeout: 10s, http: "http://127.0.0.1:{hanging.port}/health"}}]}}
  healthy: {{probes: [{{name: page, interval: 500ms, timeout: 400ms, http: "http://127.0.0.1:{healthy.port}/health"}}]}}
"""
        with running_daemon(tmp_path, text) as daemon:
            until(
                lambda: daemon.value("exporter_probes_running") >= 1 and len(hanging.requests) == 1,
                "the hang",
            )
            before = len(healthy.requests)
            until(lambda: len(healthy.requests) >= before + 5, "the healthy target's turns")
            assert len(hanging.requests) == 1, "a run started while another was running"
            assert daemon.service("hanging")["state"] == "unknown"
            assert daemon.lines("probe_success", 'service="hanging"') == []
            assert daemon.http.get("/-/ready").status_code == 503
            hanging.answering.set()
            until(lambda: daemon.lines("probe_success", 'service="hanging"'), "the late answer")


def test_a_clock_that_is_set_stops_nobody(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    # Ask `faketime` what it preloads, because the path differs between machines.
    asked = [require("faketime"), "-f", "+0", "printenv", "LD_PRELOAD"]
    preload = subprocess.run(asked, text=True, capture_output=True, check=True).stdout.strip()
    fake = {
        "LD_PRELOAD": preload,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with services() as server:
        text = f"""
project: test
services:
  web: {{probes: [{{name: page, interval: 500ms, timeout: 400ms, http: "http://127.0.0.1:{server.port}/health"}}]}}
"""
        with running_daemon(tmp_path, text, env=fake) as daemon:
            for step in ("-1h", "+1d", "+0"):
                daemon.wait_until_ready()
                clock.write_text(step)
                server.requests.clear()
                until(lambda: len(server.requests) >= 5, f"probes after a step to {step}")
            assert daemon.log.count("the system clock changed by") == 3
            # A busy machine may miss one run; following the clock would mean 172,800 for a day.
            assert daemon.value("exporter_probes_missed_total") < 10
