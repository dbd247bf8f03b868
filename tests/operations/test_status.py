"""`exporter status`: one row per service that the catalog wants, running or not; a missing one is never healthy."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from exporter.cli import app
from exporter.host.containers import container_of
from exporter.operations.rows import ServiceRow, Wanted, rows
from exporter.releases.ending import release_of
from tests.host.fake_engine import FakeEngine, described, fake_engine
from tests.host.places import make_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.host.site import Site

UP = ("db", "migrate", "web", "gateway")
MONITORING = ("exporter", "docker-proxy", "prometheus", "alertmanager", "grafana")


def healthy(service: str, number: int = 1, **state: Any) -> dict[str, Any]:
    return described(f"{service}-{number}", service, Health={"Status": "healthy"}, **state)


class Environment:
    """The environment staging of shop on an engine that answers as the test says."""

    def __init__(self, folder: Path, engine: FakeEngine) -> None:
        self.site: Site = make_site(folder)
        self.engine = engine
        self.containers = {(name, 1): healthy(name) for name in (*UP, *MONITORING)}
        self.containers |= {("api", number): healthy("api", number) for number in (1, 2, 3)}

    def status(self, *arguments: str) -> Result:
        self.engine.holds(*self.containers.values())
        words = ["status", "-c", str(self.site.config), "-e", "staging", *arguments]
        return CliRunner().invoke(app, words, env={"DOCKER_HOST": self.engine.where})

    def json(self) -> dict[str, Any]:
        done = self.status("--json")
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["good"] is (done.exit_code == 0)
        return found

    def mark(self, **parts: Any) -> None:
        marker = {"format": 1, "name": "db", "kind": "store", "environment": "staging", **parts}
        folder = self.site.backup_folder / "staging/markers"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "db.json").write_text(json.dumps(marker))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    with fake_engine() as engine:
        environment = Environment(tmp_path, engine)
        now = time.time()
        good = {"started": now - 60, "finished": now - 50, "size_bytes": 70 * 1024**2, "backup": "B"}
        environment.mark(last_success=good)
        yield environment


def test_all_is_as_wanted(environment: Environment) -> None:
    done = environment.status()
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    [api] = [line for line in lines if line[:1] == ["api"]]
    assert api[:5] == ["api", "3", "3", "v1", "healthy"]
    assert "everything matches the catalog" in done.stdout
    [backup] = [line for line in lines if "MiB" in line]
    assert (backup[0], backup[2:]) == ("db", ["s", "ago", "70.0", "MiB", "never"])


def gone(environment: Environment) -> None:
    del environment.containers["web", 1]


def everything_gone(environment: Environment) -> None:
    environment.containers.clear()


def a_replica_gone(environment: Environment) -> None:
    del environment.containers["api", 2]


def all_replicas_gone(environment: Environment) -> None:
    for number in (1, 2, 3):
        del environment.containers["api", number]


def unhealthy(environment: Environment) -> None:
    environment.containers["api", 2] = described("api-2", "api", Health={"Status": "unhealthy"})


def out_of_memory(environment: Environment) -> None:
    environment.containers["web", 1] = described(
        "web-1", "web", Status="exited", ExitCode=137, OOMKilled=True
    )


def no_monitoring(environment: Environment) -> None:
    del environment.containers["prometheus", 1]


def killed(environment: Environment) -> None:
    environment.site.state.write_fields("current", {"step": "verify"})


def half_restored(environment: Environment) -> None:
    environment.site.state.write_fields(
        "restoring", {"backup": "B", "names": "db", "user": "eve", "since": "now"}
    )


def stale(environment: Environment) -> None:
    old = {"started": 1e9, "finished": 1e9, "size_bytes": 1, "backup": "B"}
    environment.mark(last_success=old)


def failed(environment: Environment) -> None:
    environment.mark(
        last_run={"started": 1.0, "finished": 2.0, "success": False, "error": "the disk is full"}
    )


def no_marker(environment: Environment) -> None:
    environment.mark(format=2)


def no_backup(environment: Environment) -> None:
    (environment.site.backup_folder / "staging/markers/db.json").unlink()
    environment.containers["db", 1] = healthy("db", StartedAt="2020-01-01T00:00:00Z")


def bad_drill(environment: Environment) -> None:
    now = time.time()
    drill = {"started": now, "finished": now, "success": False, "error": "rows differ", "backup": "B"}
    good = {"started": now, "finished": now, "size_bytes": 1, "backup": "B"}
    environment.mark(last_success=good, last_drill=drill)


DEPLOY = "exporter deploy -e staging --tag TAG"
FAULTS: dict[str, tuple[Callable[[Environment], None], str, str]] = {
    "one gone": (gone, "web has no container", DEPLOY),
    "all gone": (everything_gone, "nothing is running", DEPLOY),
    "a replica gone": (
        a_replica_gone,
        "api has 2 of 3 replicas",
        "exporter compose -e staging -- logs --tail 50 api",
    ),
    "all replicas gone": (all_replicas_gone, "api has no container", DEPLOY),
    "unhealthy": (unhealthy, "api is unhealthy (api-2)", "exporter compose -e staging -- logs --tail 50 api"),
    "memory": (
        out_of_memory,
        "web is exited 137 (out of memory)",
        "exporter compose -e staging -- logs --tail 50 web",
    ),
    "monitoring": (no_monitoring, "prometheus has no container", DEPLOY),
    "killed": (killed, 'a deploy was killed at the step "verify"', DEPLOY),
    "restore": (half_restored, "a restore was interrupted", "exporter restore -e staging B db"),
    "stale": (stale, "the last backup of db is too old", "exporter backup -e staging db"),
    "failed": (failed, "the last backup of db failed: the disk is full", "exporter backup -e staging db"),
    "marker": (no_marker, "db.json cannot be used", "exporter backup -e staging db"),
    "never": (no_backup, "db has no backup", "exporter backup -e staging db"),
    "drill": (
        bad_drill,
        "the last drill of db failed: rows differ",
        "exporter restore -e staging latest db --drill",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_is_said_with_the_next_command(environment: Environment, case: str) -> None:
    change, sentence, command = FAULTS[case]
    change(environment)
    found = environment.json()
    assert sentence in found["problems"][0]
    assert found["next"] == command
    done = environment.status()
    assert done.exit_code == 1
    assert sentence in done.stdout
    assert done.stdout.splitlines()[-1] == f"next: {command}"


def test_json_keeps_the_keys_of_the_script(environment: Environment) -> None:
    environment.site.state.write("releases/1/tag", "v7\n")
    environment.site.state.point_to("running", "releases/1")
    found = environment.json()
    assert (found["tag"], found["lock"], found["step"], found["restore"]) == ("v7", None, None, None)
    [web] = [row for row in found["containers"] if row["service"] == "web"]
    assert (web["name"], web["state"], web["health"], web["image"]) == (
        "web-1",
        "running",
        "healthy",
        "shop/web:v1",
    )
    assert found["deploys"] == []
    assert {row["name"] for row in found["services"]} >= {*UP, *MONITORING, "api"}
    [db] = found["stores"]
    assert (db["name"], db["size"], db["drilled"]) == ("db", 70 * 1024**2, None)


def test_a_young_store_may_have_no_backup_yet(environment: Environment) -> None:
    (environment.site.backup_folder / "staging/markers/db.json").unlink()
    started = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for key, container in environment.containers.items():
        environment.containers[key] = {**container, "State": {**container["State"], "StartedAt": started}}
    assert environment.json()["problems"] == []


def test_a_container_that_the_catalog_does_not_have_is_a_note(environment: Environment) -> None:
    environment.containers["evil", 1] = described(
        "evil", "x\x1b[2J\nproblem: all", Health={"Status": "healthy"}
    )
    done = environment.status()
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "x\\x1b[2J\\nproblem: all is not in the catalog; the next deploy removes it" in done.stdout


@pytest.mark.parametrize("hostile", ["\x1b[2J", "[red]x[/red]", "\u202e", "a\nb"])
@pytest.mark.parametrize("state", ["running", None])
def test_what_a_container_says_of_itself_is_shown_as_text(
    environment: Environment, hostile: str, state: str | None
) -> None:
    said = {"Status": state or hostile, "image": f"shop/web:{hostile}", "Health": {"Status": hostile}}
    environment.containers["web", 1] = described("web-1", "web", **said)
    done = environment.status()
    assert done.exit_code == 1
    assert not {"\x1b", "\u202e"} & set(done.stdout)
    assert "[red]x" in done.stdout or "[red]" not in hostile


def test_a_lost_engine_is_not_known(environment: Environment) -> None:
    done = CliRunner().invoke(
        app,
        ["status", "-c", str(environment.site.config), "-e", "staging"],
        env={"DOCKER_HOST": "unix:///nowhere.sock"},
    )
    assert done.exit_code == 3
    assert done.stderr == (
        "status: the Docker engine at unix:///nowhere.sock does not answer. Next: exporter status -e staging\n"
    )


def row(service: Wanted, *containers: dict[str, Any]) -> ServiceRow:
    [found] = rows([service], map(container_of, containers), lambda each: each.image_name)
    return found


JOB = Wanted("a", "service", 1, job=True)
ROWS: list[tuple[Wanted, list[dict[str, Any]], str, bool]] = [
    (JOB, [described("1", "a", Status="exited", policy="no")], "completed", True),
    (JOB, [described("1", "a", Status="exited", policy="no", ExitCode=2)], "exited 2", False),
    (JOB, [], "missing", False),
    (Wanted("a", "service", 1), [described("1", "a")], "running", True),
    (Wanted("a", "service", 1), [described("1", "a", Status="paused")], "paused", False),
    (Wanted("a", "service", 1), [described("1", "a", Status="created")], "created", False),
    (Wanted("a", "service", 1), [described("1", "a", Health={"Status": "starting"})], "starting", False),
    (
        Wanted("a", "service", 1),
        [described("1", "a", Status="restarting", ExitCode=3)],
        "restarting (last exit 3)",
        False,
    ),
    (
        Wanted("a", "service", 2),
        [described("1", "a"), described("2", "a", Status="dead")],
        "1 of 2 healthy",
        False,
    ),
    (Wanted("a", "service", 0), [], "off", True),
    (Wanted("a", "service", 0), [described("1", "a")], "running", True),
]


@pytest.mark.parametrize(("service", "containers", "health", "good"), ROWS)
def test_rows(service: Wanted, containers: list[dict[str, Any]], health: str, good: bool) -> None:
    found = row(service, *containers)
    assert found.health.startswith(health)
    assert (not found.problem) is good


TAGS = {
    "shop/web:v1": "v1",
    "registry:5000/shop/web": "latest",
    "registry:5000/shop/web:v1@sha256:" + "a" * 64: "v1",
    "shop/web@sha256:" + "a" * 64: "a" * 12,
    "sha256:" + "a" * 64: "a" * 12,
    "shop/web:\x1b": "\\x1b",
    "shop-staging/web:rollback-20260102T030405Z-2": "v0",
    "shop-staging/web:rollback-20260102T030405Z-9": "rollback-20260102T030405Z-9",
    "x/../../y:rollback-..-etc": "rollback-..-etc",
}


@pytest.mark.parametrize(("image", "tag"), TAGS.items())
def test_the_release_is_a_tag_and_after_a_rollback_that_of_before(
    image: str, tag: str, tmp_path: Path
) -> None:
    site = make_site(tmp_path)
    site.state.write("rollback/20260102T030405Z-2/before", f"web sha256:{1:064} shop/web:v0\n")
    assert release_of(site.state, container_of(described("1", "web", image=image))) == tag
