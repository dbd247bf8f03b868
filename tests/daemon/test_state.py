"""The API's view of a service with its probes and containers, of the engine, of volumes and backups."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.plan import BackupsPlan, Plan, ServicePlan, Target, VolumePlan
from exporter.catalog.planning.specs import HttpSpec
from exporter.containers.model import Container, Identity, Limits, Reading, Status
from exporter.daemon.page import render_page
from exporter.daemon.state import snapshot
from exporter.daemon.surroundings import ContainerView, DockerState, Surroundings
from exporter.daemon.watch import Watch
from exporter.metrics.own import OwnMetrics
from exporter.metrics.series import Series
from exporter.probes.base import ProbeResult, Reason
from exporter.storage.backup_marker import begin_drill, begin_run, end_drill, end_run, parse_marker
from exporter.storage.volumes import read_space

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.storage.backup_marker import BackupMarker

UP = DockerState(True, "unix:///var/run/docker.sock", version="20.10.24", sources={"cgroup": 1})
AWAY = DockerState(False, "unix:///var/run/docker.sock", error="the Docker engine at x has no socket there")
WORKER = Plan("pageforge", "testing", "127.0.0.1", 9877, (ServicePlan("worker", "service"),), ())


def view(name: str = "worker-1", service: str | None = "worker", **status: Any) -> ContainerView:
    """Return a running container, except for the fields in `status`."""
    values: dict[str, Any] = {"state": "running", "started_at": 1000.0} | status
    identity = Identity(name.ljust(64, "0"), name, "worker:1", "sha256:0", "/docker/0", service)
    return ContainerView(Container(identity, Status(**values)))


def judged(*views: ContainerView, docker: DockerState | None = UP, plan: Plan = WORKER) -> tuple[Any, ...]:
    """Return the state, detail and since of the only service of `plan`, which has no probe."""
    (service,) = snapshot(plan, [], Surroundings(docker, views))["services"]
    assert service["reason"] is None
    return service["state"], service["detail"], service["since"]


def test_without_surroundings_nothing_is_said_of_them() -> None:
    given = snapshot(WORKER, [])
    assert (given["docker"], given["strangers"], given["volumes"]) == (None, [], [])
    assert given["services"][0]["containers"] == []
    assert given["services"][0]["backup"] is None


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([view()], ("up", "", 1000.0)),
        ([view(health="healthy")], ("up", "", 1000.0)),
        ([view(), view("worker-2", started_at=500.0)], ("up", "", 500.0)),
        ([view(state="exited", exit_code=1, finished_at=2000.0), view("worker-2")], ("up", "", 1000.0)),
        ([view(health="unhealthy"), view("worker-2", health="healthy")], ("up", "", 1000.0)),
        ([view(health="starting")], ("unknown", "starting, no health check has passed yet", 1000.0)),
        ([view(health="unhealthy")], ("down", "unhealthy, its health check fails", None)),
        ([view(state="paused")], ("down", "paused manually", None)),
        ([view(state="created", started_at=None)], ("down", "never started", None)),
        (
            [view(state="created", started_at=None, error="exec:\n no such file")],
            ("down", "could not be started: 'exec:\\n no such file'", None),
        ),
        ([view(state="exited", exit_code=0, finished_at=2000.0)], ("down", "exited with code 0", 2000.0)),
        ([view(state="exited", exit_code=137)], ("down", "exited with code 137 (SIGKILL)", None)),
        (
            [view(state="exited", exit_code=137, oom_killed=True)],
            ("down", "exited with code 137, out of memory", None),
        ),
        (
            [view(state="exited", exit_code=127)],
            ("down", "exited with code 127 (the command was not found)", None),
        ),
        ([view(state="exited", exit_code=255)], ("down", "exited with code 255", None)),
        (
            [view(state="restarting", exit_code=1, finished_at=2000.0)],
            ("down", "exited with code 1, waiting to be restarted", 2000.0),
        ),
        (
            [view(f"worker-{n}", state="exited", exit_code=n, finished_at=2000.0 + n) for n in range(1, 6)],
            (
                "down",
                (
                    "all 5 containers are down: worker-1 exited with code 1; worker-2 exited with code 2; "
                    "worker-3 exited with code 3; and 2 more"
                ),
                2005.0,
            ),
        ),
        ([], ("unwatched", "", None)),
    ],
)
def test_a_service_without_a_probe_is_judged_by_its_containers(
    views: list[ContainerView], expected: tuple[Any, ...]
) -> None:
    assert judged(*views) == expected


ENDED = view(state="exited", exit_code=0, finished_at=2000.0)
FAILED = view(state="exited", exit_code=1, finished_at=2000.0)
OLD = ContainerView(FAILED.container, old=True)


@pytest.mark.parametrize(
    ("views", "wanted", "ends", "expected"),
    [
        ([], {"worker": 1}, False, ("down", "it has no containers", 1, 0)),
        ([], {"worker": 0}, False, ("unwatched", "", 0, 0)),
        ([], {}, False, ("unwatched", "", None, 0)),
        ([ENDED], {"worker": 1}, False, ("down", "exited with code 0", 1, 0)),
        ([view()], {"worker": 3}, False, ("up", "", 3, 1)),
        ([view(state="paused")], {"worker": 1}, False, ("down", "paused manually", 1, 0)),
        ([ENDED], {}, True, ("up", "", None, 0)),
        ([FAILED], {}, True, ("down", "exited with code 1", None, 0)),
        ([view()], {}, True, ("up", "", None, 1)),
        ([OLD, view("worker-2")], {"worker": 1}, False, ("up", "", 1, 1)),
        ([OLD], {"worker": 1}, False, ("down", "it has no containers", 1, 0)),
    ],
)  # fmt: skip
def test_how_many_run_and_must(
    views: list[ContainerView], wanted: dict[str, int], ends: bool, expected: tuple[Any, ...]
) -> None:
    plan = Plan("p", "e", "127.0.0.1", 1, (ServicePlan("worker", "service", ends=ends),), ())
    (told,) = snapshot(plan, [], Surroundings(UP, tuple(views), wanted=wanted))["services"]
    numbers = told["containers_wanted"], told["containers_running"]
    assert (told["state"], told["detail"], *numbers) == expected
    assert len(told["containers"]) == len(views), "old ones must be shown"


def test_how_many_run_is_not_known_without_the_engine_or_of_what_is_deployed_elsewhere() -> None:
    elsewhere = Plan("p", "e", "127.0.0.1", 1, (ServicePlan("worker", "service", deployed=False),), ())
    for plan, docker in ((WORKER, AWAY), (WORKER, None), (elsewhere, UP)):
        (told,) = snapshot(plan, [], Surroundings(docker))["services"]
        assert (told["containers_wanted"], told["containers_running"]) == (None, None)


def test_nobody_knows_while_docker_does_not_answer() -> None:
    assert judged(docker=AWAY) == ("unknown", AWAY.error, None)
    given = snapshot(WORKER, [], Surroundings(AWAY))
    assert given["docker"] == {
        "up": False,
        "address": AWAY.address,
        "error": AWAY.error,
        "version": "",
        "refused": [],
        "sources": {},
    }
    assert given["summary"] == {"up": 0, "down": 0, "unknown": 1, "unwatched": 0}


def test_what_is_not_watched_or_not_deployed_is_unwatched() -> None:
    assert judged(docker=None) == ("unwatched", "", None)
    elsewhere = Plan("p", "e", "127.0.0.1", 1, (ServicePlan("login", "service", deployed=False),), ())
    assert judged(plan=elsewhere) == ("unwatched", "", None)


def test_what_is_started_on_demand_is_not_down_while_it_does_not_run() -> None:
    seed = Plan("p", "e", "127.0.0.1", 1, (ServicePlan("worker", "service", on_demand=True),), ())
    resting = ("unwatched", "it is started on demand, and does not run", None)
    assert judged(plan=seed) == resting
    assert judged(view(state="exited", exit_code=0), plan=seed) == resting
    assert judged(docker=None, plan=seed) == resting
    assert judged(docker=AWAY, plan=seed) == ("unknown", AWAY.error, None)
    assert judged(view(), plan=seed) == ("up", "", 1000.0)
    assert judged(view(health="unhealthy"), plan=seed)[0] == "down"


class _Never:
    async def run(self, deadline: float) -> ProbeResult:
        raise NotImplementedError


def test_probes_have_the_last_word_and_containers_stand_beside() -> None:
    target = Target("worker", "health", "http://127.0.0.1:1/", 15.0, 5.0, HttpSpec("http://127.0.0.1:1/"))
    watch = Watch(target, _Never(), Series("worker", "health", target.target, "http", ()), OwnMetrics())
    watch.result = ProbeResult(False, Reason.CONNECT, 0.1, {}, {}, "nobody listens at 127.0.0.1:1")
    watch.since = watch.finished_at = time.time()
    ended = view(state="exited", exit_code=137, oom_killed=True, finished_at=2000.0)
    given = snapshot(WORKER, [watch], Surroundings(UP, (ended,)))
    service = given["services"][0]
    assert (service["state"], service["reason"], service["detail"]) == (
        "down",
        "connect",
        watch.result.detail,
    )
    assert service["containers"][0]["detail"] == "exited with code 137, out of memory"
    html = render_page(given)
    assert "nobody listens" in html
    assert "exited with code 137, out of memory" in html


def test_a_container_is_told_of_with_what_it_uses_and_may() -> None:
    identity = Identity("ab" * 32, "worker-1", "worker:1", "sha256:0", "/docker/0", "worker", project="shop")
    status = Status("running", "healthy", restarts=2, started_at=1000.0, finished_at=900.0)
    limits = Limits(memory=2**29, cpu_period=100_000, cpu_quota=50_000)
    reading = Reading(2000.0, "cgroup", memory_usage=2**28, memory_working_set=2**27)
    container = Container(identity, status, limits, oom_events=3)
    given = snapshot(WORKER, [], Surroundings(UP, (ContainerView(container, reading, 0.25),)))
    assert given["services"][0]["containers"] == [
        {
            "id": "abababababab",
            "name": "worker-1",
            "image": "worker:1",
            "project": "shop",
            "old": False,
            "state": "running",
            "health": "healthy",
            "detail": "",
            "exit_code": None,
            "restarts": 2,
            "oom_killed": False,
            "oom_events": 3,
            "started": 1000.0,
            "finished": 900.0,
            "error": "",
            "source": "cgroup",
            "measured": 2000.0,
            "cpu_cores": 0.25,
            "cpu_limit_cores": 0.5,
            "memory_bytes": 2**27,
            "memory_limit_bytes": 2**29,
        }
    ]
    json.dumps(given)


def test_what_was_not_measured_and_limits_that_are_not_there_are_null() -> None:
    (told,) = snapshot(WORKER, [], Surroundings(UP, (view(),)))["services"][0]["containers"]
    for key in ("source", "cpu_cores", "cpu_limit_cores", "memory_bytes", "memory_limit_bytes", "exit_code"):
        assert told[key] is None


def test_containers_of_no_service_are_strangers() -> None:
    views = (view("prometheus", None), view("worker-1"), view("gone-1", "gone"))
    given = snapshot(WORKER, [], Surroundings(UP, views))
    assert [each["name"] for each in given["strangers"]] == ["prometheus", "gone-1"]
    assert [each["name"] for each in given["services"][0]["containers"]] == ["worker-1"]


def test_volumes_are_told_of_whether_seen_or_not(tmp_path: Path) -> None:
    seen, unseen = VolumePlan("seen", str(tmp_path)), VolumePlan("unseen", str(tmp_path / "nowhere"))
    plan = Plan("p", "e", "127.0.0.1", 1, (), (), volumes=(seen, unseen))
    found = {"seen": read_space(seen), "unseen": read_space(unseen)}
    one, other = snapshot(plan, [], Surroundings(volumes=found))["volumes"]
    assert one["path"] == str(tmp_path)
    assert one["available_bytes"] is not None
    assert one["size_bytes"] is not None
    assert 0 <= one["available_bytes"] <= one["size_bytes"]
    assert other == {
        "name": "unseen",
        "path": unseen.path,
        "available_bytes": None,
        "size_bytes": None,
        "files": None,
        "files_free": None,
        "backup": None,
    }


def _marker(*, run_error: str | None = None, drill_error: str | None = None, drilled: bool = False) -> str:
    """Return a marker: a successful run at 100 s, optionally a drill at 200 s, optionally a failed run at 300 s."""
    text = begin_run(None, name="db", kind="store", environment="testing", now=90.0, time_limit=60.0)
    text = end_run(text, now=100.0, backup="1", size_bytes=4096)
    if drilled:
        text = begin_drill(text, now=190.0, time_limit=60.0)
        text = end_drill(text, now=200.0, error=drill_error, backup="1")
    if run_error is not None:
        text = begin_run(text, name="db", kind="store", environment="testing", now=290.0, time_limit=60.0)
        text = end_run(text, now=300.0, error=run_error)
    return text


def _only_cut_off() -> str:
    return begin_run(None, name="db", kind="store", environment="testing", now=90.0, time_limit=60.0)


def backup_of(found: dict[str, BackupMarker | str | None]) -> Mapping[str, Any]:
    services = (ServicePlan("db", "store"), ServicePlan("cache", "store"))
    plan = Plan("p", "e", "127.0.0.1", 1, services, (), backups=BackupsPlan("/backups", ("db",)))
    asked, not_asked = snapshot(plan, [], Surroundings(backups=found))["services"]
    assert not_asked["backup"] is None
    assert asked["backup"] is not None
    return asked["backup"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_marker(), {"state": "ok", "detail": "", "last_success": 100.0, "last_run": 100.0}),
        (
            _marker(),
            {"last_run_success": True, "size_bytes": 4096, "last_drill": None, "drill_success": None},
        ),
        (_marker(drilled=True), {"state": "ok", "last_drill": 200.0, "drill_success": True}),
        (
            _marker(run_error="disk full"),
            {
                "state": "failed",
                "detail": "the last run failed: disk full",
                "last_success": 100.0,
                "last_run": 300.0,
            },
        ),
        (
            _marker(drilled=True, drill_error="3 rows are gone"),
            {
                "state": "drill_failed",
                "detail": "the last restore drill failed: 3 rows are gone",
                "drill_success": False,
            },
        ),
        (
            _only_cut_off(),
            {
                "state": "failed",
                "detail": "the last run failed: it was interrupted before it ended",
                "last_run": None,
                "last_success": None,
            },
        ),
    ],
)
def test_a_backup_is_told_of_as_its_marker_says(text: str, expected: dict[str, Any]) -> None:
    told = backup_of({"db": parse_marker(text)})
    assert {key: told[key] for key in expected} == expected


def test_a_backup_without_a_marker_is_told_of_too() -> None:
    assert backup_of({"db": None})["state"] == "missing"
    assert backup_of({})["state"] == "unknown"
    unreadable = backup_of({"db": "/backups/db.json is not JSON"})
    assert unreadable["state"] == "unreadable"
    assert "/backups/db.json is not JSON" in unreadable["detail"]
    assert unreadable["last_success"] is None
