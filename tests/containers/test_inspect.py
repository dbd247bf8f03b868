"""Containers that not every machine's engine can run: cgroups of the systemd driver (recorded), and
rootless engines."""

from __future__ import annotations

import json

import pytest

from exporter.containers.inspect import cgroup_path, container_of, seconds_of
from exporter.containers.mapping import ServiceMapping
from exporter.containers.model import EngineInfo, Limits
from tests.containers.recorded import DATA, WEB

CGROUPFS = EngineInfo("28.2.2", "1.50", "cgroupfs", 2)
SYSTEMD = EngineInfo("28.2.2", "1.50", "systemd", 2)
ROOTLESS = EngineInfo("28.2.2", "1.50", "systemd", 2, rootless=True, user=1000)


@pytest.mark.parametrize(
    ("info", "parent", "path"),
    [
        (CGROUPFS, "", "/docker/ID"),
        (CGROUPFS, "/kubepods/pod1", "/kubepods/pod1/ID"),
        (CGROUPFS, "relative", "/relative/ID"),
        (SYSTEMD, "", "/system.slice/docker-ID.scope"),
        (SYSTEMD, "apps.slice", "/apps.slice/docker-ID.scope"),
        (SYSTEMD, "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice/docker-ID.scope"),
        (SYSTEMD, "-.slice", "/docker-ID.scope"),
        (ROOTLESS, "", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope"),
        (ROOTLESS, "a.slice", "/user.slice/user-1000.slice/user@1000.service/a.slice/docker-ID.scope"),
    ],
)
def test_paths_of_cgroups(info: EngineInfo, parent: str, path: str) -> None:
    assert cgroup_path("ID", parent, info) == path


def test_a_recorded_container_of_cgroup_v2() -> None:
    inspected = json.loads((DATA / "web.inspect.json").read_text())
    container = container_of(
        inspected[0] if isinstance(inspected, list) else inspected, SYSTEMD, ServiceMapping(())
    )
    assert container is not None
    assert container.identity.cgroup == WEB.cgroup, "must be the path that the kernel had"
    assert container.limits == Limits(
        memory=64 * 1024 * 1024, memory_swap=128 * 1024 * 1024, cpu_period=100_000, cpu_quota=50_000
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T02:12:49.690928155Z", 1795486369.690928),
        ("2026-11-24T02:12:49Z", 1795486369.0),
        ("2026-11-24T04:12:49.5+02:00", 1795486369.5),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_times(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_an_answer_that_is_no_container() -> None:
    with pytest.raises(ValueError, match="a state that is not known"):
        container_of({"Name": "/x", "Id": "a1"}, CGROUPFS, ServiceMapping(()))
