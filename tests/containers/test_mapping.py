"""The service of a container, from its labels only; `test_discovery.py` has labels written by a real Compose."""

from __future__ import annotations

import pytest

from exporter.catalog.planning.plan import Claim
from exporter.containers.mapping import MAX_VALUE, ServiceMapping

PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
ONEOFF = "com.docker.compose.oneoff"
SWARM, STACK = "com.docker.swarm.service.name", "com.docker.stack.namespace"


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({}, None),
        ({"exporter.service": "web"}, "web"),
        ({"exporter.service": "web", PROJECT: "other", SERVICE: "db"}, "web"),
        ({"exporter.service": "unknown", PROJECT: "shop", SERVICE: "db"}, "db"),
        ({PROJECT: "shop", SERVICE: "web"}, "web"),
        ({PROJECT: "shop", SERVICE: "web", ONEOFF: "False"}, "web"),
        ({PROJECT: "shop", SERVICE: "web", ONEOFF: "True"}, None),
        ({PROJECT: "shop", SERVICE: "unknown"}, None),
        ({PROJECT: "other", SERVICE: "web"}, None),
        ({SERVICE: "web"}, "web"),
        ({SWARM: "shop_web", STACK: "shop"}, "web"),
        ({SWARM: "shop_unknown", STACK: "shop"}, None),
        ({SWARM: "other_web", STACK: "other"}, None),
        ({SWARM: "web"}, "web"),
        ({SWARM: "shop_web"}, None),
    ],
)
def test_the_service_of_a_container(labels: dict[str, str], service: str | None) -> None:
    place = ServiceMapping(["web", "db"], ["shop"]).place(labels, "c")
    assert place is not None
    assert place.service == service
    assert place.project == (labels.get(PROJECT) or labels.get(STACK))
    kept = ServiceMapping(["web", "db"], ["shop"], strangers=False).place(labels, "c")
    assert (kept is not None) == (service is not None)


def test_a_service_that_the_catalog_does_not_have_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    mapping = ServiceMapping(["web"])
    for container in ("one", "two"):
        mapping.place({"exporter.service": "wbe"}, container)
    assert [record.getMessage() for record in caplog.records] == [
        "the label exporter.service of the container one is ignored: the catalog has no service or store 'wbe'"
    ]


def test_labels_of_series_are_in_a_fixed_order_and_short() -> None:
    mapping = ServiceMapping([], labels=["team", "a.b/c-d"])
    labels = {"a.b/c-d": "x" * 300, "team": "one", "secret": "no", PROJECT: "shop", SERVICE: "web"}
    place = mapping.place(labels, "c")
    assert place is not None
    assert place.labels == (
        ("container_label_com_docker_compose_project", "shop"),
        ("container_label_com_docker_compose_service", "web"),
        ("container_label_team", "one"),
        ("container_label_a_b_c_d", "x" * MAX_VALUE),
    )


def test_of_two_names_that_make_one_label_the_first_wins(caplog: pytest.LogCaptureFixture) -> None:
    mapping = ServiceMapping([], labels=["team", "a.b", "a-b", "team"])
    place = mapping.place({"a.b": "first", "a-b": "second", "team": "one"}, "c")
    assert place is not None
    assert place.labels == (("container_label_team", "one"), ("container_label_a_b", "first"))
    assert [record.getMessage() for record in caplog.records] == [
        "the container label a-b is left out: a.b already has the name container_label_a_b"
    ]


NODE = "mjpbw3hjsw6r3aggwo1lbu8h0"
TASK, TASK_ID = "com.docker.swarm.task.name", "com.docker.swarm.task.id"
NUMBER = "com.docker.compose.container-number"


@pytest.mark.parametrize(
    ("labels", "slot"),
    [
        ({}, None),
        ({PROJECT: "shop", SERVICE: "web", NUMBER: "12"}, "shop/web/12"),
        ({SERVICE: "web", NUMBER: "1"}, "/web/1"),
        ({PROJECT: "shop", SERVICE: "web"}, None),
        ({PROJECT: "shop", SERVICE: "web", NUMBER: "one"}, None),
        ({PROJECT: "shop", SERVICE: "web", NUMBER: "1" * 7}, None),
        ({PROJECT: "shop", SERVICE: "web", NUMBER: "1\n"}, None),
        ({SWARM: "shop_web", TASK: "shop_web.2.wo0d0x30", TASK_ID: "wo0d0x30"}, "shop_web/2"),
        ({SWARM: "shop_web", TASK: f"shop_web.{NODE}.wo0d0x30", TASK_ID: "wo0d0x30"}, f"shop_web/{NODE}"),
        ({SWARM: "a.b", TASK: "a.b.1.x", TASK_ID: "x"}, "a.b/1"),
        ({SWARM: "web"}, None),
        ({SWARM: "web", TASK: "web.1.x"}, None),
    ],
)
def test_the_slot_that_a_container_fills(labels: dict[str, str], slot: str | None) -> None:
    place = ServiceMapping([]).place(labels, "c")
    assert place is not None
    assert place.slot == slot


CLAIMS = {
    "web": Claim("Web_1"),
    "db": Claim("db", "infra"),
    "seed": Claim(project="infra"),
    "cache": Claim(name="redis-old"),
}


@pytest.mark.parametrize(
    ("labels", "name", "service"),
    [
        ({PROJECT: "shop", SERVICE: "Web_1"}, "c", "web"),
        ({PROJECT: "other", SERVICE: "Web_1"}, "c", None),
        ({PROJECT: "shop", SERVICE: "web"}, "c", None),
        ({PROJECT: "infra", SERVICE: "db"}, "c", "db"),
        ({PROJECT: "shop", SERVICE: "db"}, "c", None),
        ({PROJECT: "infra", SERVICE: "seed"}, "c", "seed"),
        ({PROJECT: "infra", SERVICE: "api"}, "c", None),
        ({PROJECT: "shop", SERVICE: "api"}, "c", "api"),
        ({}, "redis-old", "cache"),
        ({}, "redis-new", None),
        ({PROJECT: "other", SERVICE: "x"}, "redis-old", "cache"),
        ({PROJECT: "infra", SERVICE: "db", ONEOFF: "True"}, "c", None),
        ({"exporter.service": "api"}, "redis-old", "api"),
        ({SWARM: "infra_db", STACK: "infra"}, "c", "db"),
    ],
)
def test_containers_that_a_service_says_are_its_own(
    labels: dict[str, str], name: str, service: str | None
) -> None:
    mapping = ServiceMapping([*CLAIMS, "api"], ["shop"], claims=CLAIMS)
    assert mapping.service_of(labels, name) == service
