"""Deploys and rollbacks on a host in memory: interrupted at every call, and what they print and keep."""

from __future__ import annotations

import copy
import io
import json
import os
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from exporter.host.failures import EngineLost, OperationError
from exporter.host.screen import Screen
from exporter.host.site import load_site
from exporter.host.tools import Done
from exporter.releases import context as context_module
from exporter.releases import putting_on, replicas, verification, waiting
from exporter.releases.context import Context
from exporter.releases.deploying import Mode, Wish, planned, release
from exporter.releases.journal import Deploy
from exporter.releases.repairing import Repaired, repair
from exporter.releases.rolling_back import go_back, target_for
from exporter.releases.rolling_back import planned as planned_back
from tests.releases.world import BROKEN, FakeCompose, FakeEngine, Killed, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.host.engine import Engine

CATALOG = """
project: shop
services:
  web: {image: shop/web, port: 80, depends_on: api}
  api: {image: shop/api, port: 80, replicas: 2}
gateway: {host: shop.example.com, routes: {/: api}}
environments: {live: {publish: edge, address: "{service}:{port}", verify: {deadline: 20s}}}
"""
COMPOSE = """
services:
  gateway: {image: "nginx:1", networks: [edge]}
  web: {image: "shop/web:${TAG}"}
  api: {image: "shop/api:${TAG}", deploy: {replicas: 2}, networks: [internal, edge]}
"""
NGINX = "server api:80 resolve max_fails=3;\n"


class Host:
    """An environment on a host in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World()
        (folder / "deploy/live/gateway").mkdir(parents=True)
        (folder / "config.yaml").write_text(CATALOG)
        (folder / "deploy/live/compose.yaml").write_text(COMPOSE)
        (folder / "deploy/live/gateway/nginx.conf").write_text(NGINX)
        (folder / "deploy/live/.env").write_text(f"STATE_FOLDER={folder}/state\n")
        self.site = load_site(folder / "config.yaml", "live")
        for tag in ("v1", "v2", BROKEN):
            for name in ("web", "api"):
                self.world.add_image(f"shop/{name}:{tag}")
        self.world.add_image("nginx:1")
        self.said = io.StringIO()

    def context(self, tag: str = "v1") -> Context:
        engine = cast("Engine", FakeEngine(self.world))
        screen = Screen(Console(file=self.said, width=500, soft_wrap=True))
        self.site.state.make()
        return Context(replace(self.site, requested_tag=tag), engine, ("docker", "compose"), screen)

    def deploy(self, tag: str, service: str = "", mode: Mode = Mode.MISSING) -> None:
        context = self.context(tag)
        repair(context)
        release(context, Wish(tag, service, mode))

    def back(self, service: str = "", to: str = "") -> None:
        context = self.context()
        go_back(context, target_for(context, service, to))

    def records(self) -> list[dict[str, Any]]:
        file = self.site.state_folder / "deploys.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def results(self) -> list[str]:
        return [each["result"] for each in self.records()]

    def nginx(self) -> str:
        return (self.site.state_folder / "files/gateway/nginx.conf").read_text()

    def step(self) -> str:
        return self.site.state.fields("current").get("step", "")


def runs(tag: str, **others: str) -> dict[str, list[str]]:
    return {"api": [tag, tag], "gateway": ["1"], "web": [tag]} | {
        k: [v] * (2 if k == "api" else 1) for k, v in others.items()
    }


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(context_module, "Compose", FakeCompose)
    monkeypatch.setattr(verification, "run", lambda *_, **__: Done(0, b'{"probes": []}', ()))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock = SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    for module in (context_module, putting_on, replicas, verification, waiting):
        monkeypatch.setattr(module, "time", clock)
    ids = iter(range(1000))
    begin = Deploy.begin

    def numbered(*arguments: Any, **options: Any) -> Deploy:
        made = begin(*arguments, **options)
        id_ = f"20260101T000000Z-{next(ids)}"
        return replace(made, id=id_, base=id_ if made.base == made.id else made.base)

    monkeypatch.setattr(Deploy, "begin", numbered)
    return Host(tmp_path)


def test_a_release_goes_out_comes_back_when_it_is_bad_and_can_be_undone(host: Host) -> None:
    host.deploy("v1")
    assert host.world.running() == runs("v1")
    gateway = [id_ for id_, each in host.world.containers.items() if each["service"] == "gateway"]
    host.deploy("v2")
    assert host.world.running() == runs("v2")
    assert "HUP gateway" in host.world.calls
    assert host.nginx() == NGINX
    with pytest.raises(
        OperationError, match=r"tag broken was rolled back .* the previous release is running again"
    ):
        host.deploy(BROKEN)
    assert host.world.running() == runs("v2")
    assert "its health check reports: it answered \\x1b[31m500" in host.said.getvalue()
    assert re.search(r"^shop-live-api-[0-9] \| api says why$", host.said.getvalue(), re.MULTILINE)
    host.back()
    assert host.world.running() == runs("v1")
    assert host.results() == ["ok", "ok", "rolled_back", "reverted"]
    assert host.records()[1]["images"]["web"]["after_tag"] == "v2"
    assert [id_ for id_, each in host.world.containers.items() if each["service"] == "gateway"] == gateway
    with pytest.raises(OperationError, match="nothing ran before deploy"):
        host.back()
    assert not host.step()


@pytest.mark.parametrize(("first", "second"), [("v1", "v2"), ("v1", BROKEN), ("", "v1")])
def test_a_deploy_that_is_killed_at_any_call_is_repaired_by_the_next_run(
    host: Host, first: str, second: str
) -> None:
    if first:
        host.deploy(first)
    kept, world = host.folder / "kept", copy.deepcopy(host.world)
    shutil.copytree(host.site.state_folder, kept, symlinks=True) if first else kept.mkdir()

    def begin() -> None:
        host.world = copy.deepcopy(world)
        host.world.calls.clear()
        shutil.rmtree(host.site.state_folder, ignore_errors=True)
        shutil.copytree(kept, host.site.state_folder, symlinks=True)

    begin()
    _ends(host, second)
    count = len(host.world.calls)
    assert count > 15
    before = runs(first) if first else {}
    for number in range(1, count):
        begin()
        host.world.at = _at(host.world, number, Killed())
        with pytest.raises(Killed):
            host.deploy(second)
        host.world.at = lambda _: None
        step = host.step()
        known = len(host.records())
        repaired = repair(host.context())
        assert not host.step()
        expected = {
            "": (Repaired.NOTHING_LEFT, {}),
            "record": (Repaired.FINISHED, runs(second)),
        }.get(
            step,
            (
                Repaired.NOTHING_CHANGED if step in ("prepare", "backup", "images") else Repaired.TAKEN_BACK,
                before,
            ),
        )
        assert repaired is expected[0], (number, step)
        if step:
            assert host.world.running() == expected[1], (number, step)
            assert len(host.records()) == known + 1
            if first:
                assert host.nginx() == NGINX
        host.deploy("v1")
        assert host.world.running() == runs("v1"), (number, step)


def test_a_lost_engine_is_not_taken_for_a_bad_release(host: Host) -> None:
    host.deploy("v1")
    for what in ("up -d --no-deps --no-build web", "HUP gateway", "tag", "connect"):
        known = host.results()
        seen = len(host.world.calls)
        host.world.at = _lost_after(host.world, what, seen)
        with pytest.raises(EngineLost):
            host.deploy("v2")
        host.world.at = lambda _: None
        assert host.step(), what
        assert host.results() == known, what
        assert "was rolled back" not in host.said.getvalue()
        host.deploy("v1")
        assert host.world.running() == runs("v1")


def test_nothing_is_taken_back_where_nothing_changed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("v1")
    failing = b'{"probes": [{"service": "web", "probe": "page", "success": false, "reason": "auth", "detail": "no"}]}'
    monkeypatch.setattr(verification, "run", lambda *_, **__: Done(1, failing, ()))
    containers = dict(host.world.containers)
    with pytest.raises(
        OperationError, match=r"tag v1 was not deployed .*: web.*the running containers were not changed"
    ):
        host.deploy("v1")
    assert host.world.containers == containers
    assert host.results() == ["ok", "failed"]
    assert not host.step()


def test_a_stopped_gateway_is_started_and_then_reloaded(host: Host) -> None:
    host.deploy("v1")
    for each in host.world.containers.values():
        if each["service"] == "gateway":
            each["state"] = "exited"
    host.deploy("v2")
    assert host.world.running() == runs("v2")
    assert "the gateway is stopped; starting it" in host.said.getvalue()


def test_one_service_alone_goes_out_and_back(host: Host) -> None:
    host.deploy("v1")
    host.deploy("v2", "web")
    assert host.world.running() == runs("v1", web="v2")
    host.deploy("v2", "api")
    host.back("web")
    assert host.world.running() == runs("v2", web="v1")
    running = (host.site.state_folder / "running/images.yaml").read_text()
    assert '"api": {image: "shop/api:v2"}' in running
    assert '"web": {image: "shop/web:v1"}' in running


def test_several_deploys_are_undone_at_once(host: Host) -> None:
    for tag in ("v1", "v2", "v1", "v2"):
        host.deploy(tag)
    first = host.records()[0]["id"]
    host.back(to=first)
    assert host.world.running() == runs("v1")
    with pytest.raises(OperationError, match="nothing ran before deploy"):
        host.back()


def test_plans_say_what_would_change(host: Host) -> None:
    assert planned(host.context(), Wish("v1")).lines() == [
        "api v1, 2 replicas, new",
        "web v1, new",
        "gateway 1, new",
    ]
    host.deploy("v1")
    assert planned(host.context("v2"), Wish("v2")).lines() == [
        "api v1→v2, 2 replicas, rolling",
        "web v1→v2",
        "unchanged: gateway",
    ]
    host.deploy("v2")
    context = host.context()
    back = planned_back(context, target_for(context, "", ""))
    assert back.lines() == ["api v2→v1, 2 replicas, rolling", "web v2→v1", "unchanged: gateway"]
    host.back()
    assert planned(host.context("v2"), Wish("v2")).lines()[1] == "web v1→v2"


def test_probes_run_where_the_stores_are_and_only_for_what_the_daemon_knows(host: Host) -> None:
    """Check after a rollback: the daemon then has the old catalog, which may lack services of the current one."""
    (host.folder / "deploy/live/compose.monitoring.yaml").write_text(
        "services: {exporter: {image: 'nginx:1'}}\n"
    )
    host.deploy("v1")
    asked = "run --rm --no-deps -T exporter check --json --deadline 20 "
    assert [call for call in host.world.calls if call.startswith("run")] == [f"{asked}api web"]
    catalog = host.folder / "config.yaml"
    catalog.write_text(
        catalog.read_text().replace("services:", "services:\n  mailer: {image: 'shop/web:v2', port: 1}")
    )
    compose = host.folder / "deploy/live/compose.yaml"
    compose.write_text(compose.read_text() + "  mailer: {image: 'shop/web:v2'}\n")
    host.site = load_site(catalog, "live")
    host.deploy("v2")
    assert "HUP exporter" in host.world.calls
    host.back()
    assert [call for call in host.world.calls if call.startswith("run")][1:] == [
        f"{asked}mailer api web",
        f"{asked}api web",
    ]
    assert "mailer" not in host.world.running()


def test_what_the_catalog_no_longer_has_is_removed_and_comes_back(host: Host) -> None:
    host.deploy("v1")
    catalog, compose = host.folder / "config.yaml", host.folder / "deploy/live/compose.yaml"
    catalog.write_text(re.sub("  web: .*\n", "", catalog.read_text()))
    compose.write_text(re.sub("  web: .*\n", "", compose.read_text()))
    host.site = load_site(catalog, "live")
    assert planned(host.context(), Wish("v1")).lines() == ["web removed", "unchanged: api gateway"]
    host.deploy("v1")
    assert set(host.world.running()) == {"api", "gateway"}
    host.back()
    assert host.world.running() == runs("v1")


def test_fewer_replicas_go_without_a_lost_request(host: Host) -> None:
    host.deploy("v1")
    catalog, compose = host.folder / "config.yaml", host.folder / "deploy/live/compose.yaml"
    for file in (catalog, compose):
        file.write_text(file.read_text().replace("replicas: 2", "replicas: 3"))
    host.site = load_site(catalog, "live")
    host.deploy("v1")
    assert host.world.running()["api"] == ["v1"] * 3
    for file in (catalog, compose):
        file.write_text(file.read_text().replace("replicas: 3", "replicas: 2"))
    host.site = load_site(catalog, "live")
    assert planned(host.context(), Wish("v1")).lines()[0] == "api v1, 3→2 replicas"
    reloads = host.world.calls.count("HUP gateway")
    host.deploy("v1")
    assert host.world.running()["api"] == ["v1"] * 2
    assert host.world.calls.count("HUP gateway") == reloads + 2


def test_an_image_that_is_missing_is_found_before_anything_is_touched(host: Host) -> None:
    host.deploy("v1")
    host.deploy("v2")
    for name in [name for name in host.world.images if name.startswith(("shop/web:v1", "shop-live/web"))]:
        del host.world.images[name]
    with pytest.raises(OperationError, match="no longer on this host: web v1; nothing was changed"):
        host.back()
    assert host.world.running() == runs("v2")
    assert not host.step()


def test_what_no_rollback_needs_is_pruned(host: Host) -> None:
    for number in range(9):
        host.deploy(f"v{number % 2 + 1}")
    tags = {name for name in host.world.images if ":rollback-" in name}
    assert len(tags) == 5 * 3
    assert len(list((host.site.state_folder / "rollback").iterdir())) == 5


def _ends(host: Host, tag: str) -> None:
    try:
        host.deploy(tag)
    except OperationError:
        assert tag == BROKEN


def _at(world: World, number: int, failure: BaseException) -> Callable[[str], None]:
    def at(_: str) -> None:
        if len(world.calls) == number:
            raise failure

    return at


def _lost_after(world: World, what: str, seen: int) -> Callable[[str], None]:
    """Make the engine unreachable after the call `what`."""

    def at(_: str) -> None:
        if what in world.calls[seen:]:
            raise EngineLost("the engine does not answer")

    return at
