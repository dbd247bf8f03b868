"""The number of containers of a service that must run on this engine, as far as one engine knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.plan import Endpoint, Plan, ServicePlan
from exporter.containers.engine_info import info_of
from exporter.daemon.container_services import ContainerServices
from exporter.metrics.exposition import blocks
from tests.containers.making import container

if TYPE_CHECKING:
    from exporter.containers.model import Container, EngineInfo

PLAN = Plan(
    "shop",
    "test",
    "127.0.0.1",
    1,
    (ServicePlan("web", "service", replicas=2, wanted=2), ServicePlan("other", "service", deployed=False)),
    (),
)
MACHINE = {"ServerVersion": "28.0", "NCPU": 2, "MemTotal": 4096}


def engine(swarm: Any = None) -> EngineInfo:
    info = MACHINE if swarm is None else {**MACHINE, "Swarm": swarm}
    return info_of(info, "1.41", Endpoint("unix:///x", socket="/x"))


def lines(services: ContainerServices, info: EngineInfo | None, *, known: bool = True) -> list[str]:
    services.show(info, lambda _: known)
    text = b"".join(blocks([], "text", services.tables)).decode()
    return [line for line in text.splitlines() if line.startswith("service_containers_")]


def of_swarm(name: str) -> Container:
    made = container(name)
    labels = (("container_label_com_docker_swarm_service_name", "shop_web"),)
    return replace(made, identity=replace(made.identity, labels=labels))


ONE = {"LocalNodeState": "active", "ControlAvailable": True, "Nodes": 1}
SEVERAL = {"LocalNodeState": "active", "ControlAvailable": True, "Nodes": 3}
WORKER = {"LocalNodeState": "active", "ControlAvailable": False}


@pytest.mark.parametrize(
    ("swarm", "containers", "wanted"),
    [
        (None, [], 2),
        ({"LocalNodeState": "inactive", "Nodes": 0}, [], 2),
        (ONE, [], 2),
        (ONE, [of_swarm("a")], 2),
        # Its tasks may run on another node, so having none here is no fault.
        (SEVERAL, [], None),
        (SEVERAL, [of_swarm("a")], None),
        (WORKER, [of_swarm("a")], None),
        (SEVERAL, [container("a")], 2),
    ],
)
def test_wanted(swarm: Any, containers: list[Container], wanted: int | None) -> None:
    services = ContainerServices(PLAN)
    for each in containers:
        services.seen(each)
    expected = [f'service_containers_running{{service="web"}} {len(containers)}']
    if wanted is not None:
        expected.insert(0, f'service_containers_wanted{{service="web"}} {wanted}')
    assert lines(services, engine(swarm)) == expected


def test_nothing_is_said_while_not_all_containers_are_known() -> None:
    services = ContainerServices(PLAN)
    services.seen(container("a"))
    assert lines(services, None) == []
    assert lines(services, engine(), known=False) == []
    assert services.wanted("web", None) is None


def test_who_is_old_changes_with_the_others() -> None:
    services = ContainerServices(PLAN)
    a, b, c = (container(name, "exited", created=at, exit_code=1) for at, name in enumerate("abc"))
    assert services.seen(a) == (True, [])
    assert services.seen(b) == (True, [])
    newborn, others = services.seen(c)
    assert (newborn, others) == (True, [a])
    assert services.old == {a.identity.id}
    assert services.lost(c, removed=True) == [a]
    assert services.old == set()


def test_what_the_engine_says_of_its_machine() -> None:
    assert (engine().cores, engine().memory) == (2, 4096)
    silent = info_of({"ServerVersion": "1", "NCPU": 0}, "1.41", Endpoint("x", socket="/x"))
    assert (silent.cores, silent.memory) == (None, None)
    with pytest.raises(ValueError, match="NCPU"):
        info_of({"ServerVersion": "1", "NCPU": "two"}, "1.41", Endpoint("x", socket="/x"))


THEIRS: dict[str, tuple[dict[str, Any], list[Container], tuple[int | None, int | None]]] = {
    # A plan of what somebody else runs; its containers; how many are wanted and run. None: no series.
    "none here": ({}, [], (None, None)),
    "some that run": ({}, [container("a", slot="p/w/1"), container("b", slot="p/w/2")], (2, 2)),
    "one that was stopped": (
        {},
        [container("a", slot="p/w/1"), container("b", "exited", slot="p/w/2", exit_code=137)],
        (2, 1),
    ),
    "all stopped": (
        {},
        [container(name, "exited", slot=f"p/w/{name}", exit_code=137) for name in "abc"],
        (3, 0),
    ),
    "one that was replaced": (
        {},
        [container("a", "exited", slot="p/w/1", exit_code=1), container("b", slot="p/w/1", created=1.0)],
        (1, 1),
    ),
    "a finished job, perhaps": (
        {"may_end": True},
        [container("a", "exited", slot="p/w/1", exit_code=0)],
        (None, 0),
    ),
    "not a job": (
        {"may_end": True},
        [container("a", "exited", slot="p/w/1", exit_code=0, kept_running=True)],
        (1, 0),
    ),
    "a failed job": ({"may_end": True}, [container("a", "exited", slot="p/w/1", exit_code=1)], (1, 0)),
    "fewer than the catalog says": ({"wanted": 3, "replicas": 3}, [container("a")], (3, 1)),
    "removed": ({"least": 1}, [], (1, 0)),
    "more than the least": ({"least": 1}, [container("a"), container("b")], (2, 2)),
    "elsewhere": ({"contained": False}, [], (None, None)),
}


@pytest.mark.parametrize("case", THEIRS)
def test_containers_that_somebody_else_runs(case: str) -> None:
    keys, containers, (wanted, runs) = THEIRS[case]
    plan = ServicePlan("web", "service", deployed=False, **keys)
    services = ContainerServices(replace(PLAN, services=(plan,)))
    for each in containers:
        services.seen(each)
    numbers = (("wanted", wanted), ("running", runs))
    assert lines(services, engine()) == [
        f'service_containers_{name}{{service="web"}} {number}'
        for name, number in numbers
        if number is not None
    ]
    for each in containers:
        services.lost(each, removed=True)
    if not (plan.wanted or plan.least):
        assert lines(services, engine()) == []


def test_nothing_is_wanted_of_what_is_started_on_demand() -> None:
    seed = ServicePlan("web", "service", deployed=False, least=1, on_demand=True)
    services = ContainerServices(replace(PLAN, services=(seed,)))
    stopped = container("a", state="exited")
    services.seen(stopped)
    assert (services.wanted("web", engine()), services.runs("web")) == (None, False)
    services.seen(container("a"))
    assert services.runs("web")
