"""Operators' commands on what somebody else runs: they show it, and refuse to touch it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from exporter.cli import app
from exporter.host.checks import watched
from exporter.host.engine import connected
from exporter.host.findings import Host
from exporter.host.preflight import Preflight
from exporter.operations.destroy import find
from tests.host.fake_engine import FakeEngine, described, fake_engine
from tests.host.places import make_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.host.site import Site

WATCHED = """
project: shop
managed: off
observe: {projects: old}
services:
  web: {image: "w:1", port: 80, depends_on: db}
  worker: {containers: {name: by-hand}}
  login: {probes: [{name: page, http: "https://login.example.com/"}]}
stores:
  db: {engine: postgresql, password: {secret: db_password}, volume: db-data, backup: "0 3 * * *"}
secrets: {db_password: {env: DB}}
environments: {staging: {}}
"""
PARTLY = WATCHED.replace("managed: off\n", "").replace(
    "engine: postgresql,", "engine: postgresql, managed: off,"
)
OUR_OWN = ("exporter", "docker-proxy", "prometheus", "alertmanager", "grafana")


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


def run(site: Site, engine: FakeEngine, *words: str) -> Result:
    return CliRunner().invoke(
        app, [*words, "-c", str(site.config), "-e", "staging"], env={"DOCKER_HOST": engine.where}
    )


def holds(engine: FakeEngine, **others: dict[str, Any]) -> None:
    everything = [described(f"{name}-1", name) for name in OUR_OWN]
    by_hand = described("by-hand", "", Status="exited", ExitCode=3)
    engine.holds(*everything, by_hand, *others.values())
    engine.answers["GET /containers/by-hand/json"] = 200, by_hand


def test_status_shows_what_is_watched(tmp_path: Path, engine: FakeEngine) -> None:
    site = make_site(tmp_path, catalog=WATCHED)
    holds(engine, db=described("db-1", "db", Health={"Status": "healthy"}))
    done = run(site, engine, "status", "--json")
    found = json.loads(done.stdout)
    rows = {row["name"]: row for row in found["services"]}
    assert {
        name: (rows[name]["managed"], rows[name]["health"]) for name in ("web", "worker", "login", "db")
    } == {
        "web": (False, "not here"),
        "worker": (False, "exited 3"),
        "login": (False, "not here"),
        "db": (False, "healthy"),
    }
    assert rows["exporter"]["managed"] is True
    assert found["problems"] == ["worker exited with status 3"]
    assert found["next"] == "exporter check -e staging worker"
    assert "only watched, never deployed or backed up from here: web, worker, login, db" in found["notes"]
    assert (found["stores"], done.exit_code) == ([], 1)
    assert "watched" in run(site, engine, "status").stdout


def test_status_says_how_the_stack_alone_is_started(tmp_path: Path, engine: FakeEngine) -> None:
    site = make_site(tmp_path, catalog=WATCHED)
    engine.holds()
    found = json.loads(run(site, engine, "status", "--json").stdout)
    assert (found["problems"][0], found["next"]) == (
        "nothing is running",
        "exporter compose -e staging -- up --detach",
    )


@pytest.mark.parametrize(
    ("catalog", "words", "sentence"),
    [
        (
            WATCHED,
            ("deploy", "--tag", "v1"),
            "shop in staging is only watched, so there is nothing to deploy",
        ),
        (WATCHED, ("rollback",), "shop in staging is only watched, so there is nothing to deploy"),
        (WATCHED, ("backup",), "shop in staging is only watched: those who run it back it up"),
        (PARTLY, ("deploy", "db", "--tag", "v1"), "db is only watched in staging: somebody else runs it"),
        (PARTLY, ("backup", "db"), "db is only watched: those who run it back it up"),
    ],
)
def test_what_is_only_watched_is_refused(
    tmp_path: Path, engine: FakeEngine, catalog: str, words: tuple[str, ...], sentence: str
) -> None:
    done = run(make_site(tmp_path, catalog=catalog), engine, *words)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not [each for each in engine.asked if not each.startswith("GET ")]


def test_doctor_says_what_is_only_watched(tmp_path: Path) -> None:
    site = make_site(tmp_path, catalog=PARTLY)
    [finding] = watched(Host(site))
    assert finding.sentence == "only watched, never deployed or backed up from here: worker, login, db"
    assert "watched" in {each.check for each in Preflight(site).findings(skip={"files"})}


def test_destroy_leaves_what_was_handed_over(tmp_path: Path, engine: FakeEngine) -> None:
    site = make_site(tmp_path, catalog=PARTLY)
    theirs = described("db-1", "db")
    theirs["NetworkSettings"] = {"Networks": {"shop-staging_stores": {}}}
    theirs["Mounts"] = [{"Type": "volume", "Name": "shop-staging_db-data"}]
    engine.holds(described("web-1", "web"), theirs)
    names = ("shop-staging_stores", "shop-staging_edge")
    engine.answers["GET /networks"] = 200, [{"Name": name, "Id": name} for name in names]
    engine.answers["GET /volumes"] = 200, {"Volumes": [{"Name": "shop-staging_db-data"}, {"Name": "x"}]}
    with connected(engine.where) as there:
        remains = find(site, there, volumes=True)
    assert [each.service for each in remains.containers] == ["web"]
    assert (len(remains.networks), remains.volumes) == (1, ("x",))
