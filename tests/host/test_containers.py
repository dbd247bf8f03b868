"""A container as an honest and as a lying engine describe it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.host.containers import container_of, moment

DESCRIBED: dict[str, Any] = {
    "Id": "a" * 64,
    "Name": "/shop-staging-web-1",
    "RestartCount": 2,
    "Image": "sha256:" + "b" * 64,
    "State": {
        "Status": "running",
        "ExitCode": 0,
        "OOMKilled": False,
        "Pid": 7,
        "StartedAt": "2026-11-30T16:00:00.123456789Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Health": {"Status": "starting", "Log": [{"Output": "first"}, {"Output": "last"}]},
    },
    "Config": {
        "Image": "shop/web:v1",
        "User": "65532",
        "Labels": {
            "com.docker.compose.service": "web",
            "com.docker.compose.container-number": "1",
            "com.docker.compose.config-hash": "h",
        },
    },
    "HostConfig": {"RestartPolicy": {"Name": "on-failure"}},
    "NetworkSettings": {"Networks": {"shop_edge": {"IPAddress": "10.0.0.2"}, "odd": None}},
    "Mounts": [{"Type": "volume", "Name": "v", "Source": "/x", "Destination": "/data", "RW": True}],
}


def test_what_is_taken_from_a_description() -> None:
    container = container_of(DESCRIBED)
    assert (container.name, container.service, container.number) == ("shop-staging-web-1", "web", 1)
    assert (container.state, container.health, container.healthy) == ("running", "starting", False)
    assert container.started == datetime(2026, 11, 30, 16, 0, 0, 123456, UTC)
    assert container.finished is None
    assert container.networks == {"shop_edge": "10.0.0.2", "odd": ""}
    assert [(each.name, each.destination, each.writable) for each in container.mounts] == [
        ("v", "/data", True)
    ]
    assert (container.config_hash, container.user, container.pid) == ("h", "65532", 7)
    assert container.health_output == "last"


NOT_AS_IT_SHOULD_BE: list[Any] = [None, 7, "text", [], [1], {"x": "y"}, True, -1, 1e400]


@pytest.mark.parametrize("value", NOT_AS_IT_SHOULD_BE, ids=repr)
def test_a_value_of_another_type_is_empty(value: object) -> None:
    for key in DESCRIBED:
        container_of({**DESCRIBED, key: value})
    for part in ("State", "Config", "HostConfig", "NetworkSettings"):
        for key in DESCRIBED[part]:
            container = container_of({**DESCRIBED, part: {**DESCRIBED[part], key: value}})
            assert isinstance(container.state, str)
            assert isinstance(container.exit_code, int)


@pytest.mark.parametrize(
    ("state", "code", "policy", "completed"),
    [
        ("exited", 0, "no", True),
        ("exited", 0, "on-failure", True),
        ("exited", 0, "always", False),
        ("exited", 1, "no", False),
        ("running", 0, "no", False),
    ],
)
def test_a_job_that_is_done(state: str, code: int, policy: str, completed: bool) -> None:
    described = {
        **DESCRIBED,
        "State": {"Status": state, "ExitCode": code},
        "HostConfig": {"RestartPolicy": {"Name": policy}},
    }
    assert container_of(described).completed is completed


@pytest.mark.parametrize(
    "text", ["", "0001-01-01T00:00:00Z", "yesterday", "2026-13-01T00:00:00Z", "Z", "9" * 100 + "Z"]
)
def test_what_is_no_time(text: str) -> None:
    assert moment(text) is None
