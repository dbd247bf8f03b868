"""The state of containers: healthy, not yet healthy, or failed for good."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.releases.judging import Verdict, judge, verdict
from tests.releases.containers import container


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Verdict.WELL),
        ({"health": "healthy"}, Verdict.WELL),
        ({"health": "starting"}, Verdict.WAITING),
        ({"health": "unhealthy"}, Verdict.FAILED),
        ({"state": "created"}, Verdict.WAITING),
        ({"state": "restarting"}, Verdict.WAITING),
        ({"state": "paused"}, Verdict.WAITING),
        ({"state": "dead"}, Verdict.FAILED),
        ({"state": "exited"}, Verdict.WAITING),
        ({"state": "exited", "exit_code": 1}, Verdict.WAITING),
        ({"state": "exited", "exit_code": 1, "restart": "no"}, Verdict.FAILED),
        ({"state": "exited", "exit_code": 1, "restart": "on-failure"}, Verdict.WAITING),
        ({"state": "exited", "restart": "no"}, Verdict.WELL),
        ({"state": "exited", "restart": "on-failure"}, Verdict.WELL),
        ({"service": "migrate"}, Verdict.WAITING),
        ({"service": "migrate", "state": "exited", "restart": "on-failure"}, Verdict.WELL),
    ],
)
def test_one_container_is_judged(values: dict[str, Any], expected: Verdict) -> None:
    assert verdict(container(**values), {"migrate"}) is expected


def test_absence_does_not_count_as_health() -> None:
    there = [container("web", 1, health="healthy"), container("web", 2, health="starting"), container("api")]
    judged = judge(there, (), {"web": 3, "api": 1, "db": 1})
    assert not judged.good
    assert judged.decided, "waiting would not create the missing container"
    assert judged.rows() == ["db 0/1 healthy", "web 1/3 healthy"]
    assert judged.reason() == "not healthy: shop-live-web-2; not running: db (1 missing), web (1 missing)"
    assert judge([], (), {"db": 1}).reason() == "not running: db (1 missing)"
    assert judge(there[:1], (), {"web": 1}).good


def test_one_that_failed_ends_the_wait_and_is_blamed_alone() -> None:
    judged = judge([container("web", 1, health="starting"), container("api", health="unhealthy")], ())
    assert judged.decided
    assert [each.service for each in judged.bad] == ["api"]
