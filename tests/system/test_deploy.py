"""Deploys on a real engine: good and bad ones, killed at each step, two at once, and what they must not change."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker_engine import DockerEngine
from tests.system.deploying import ENVIRONMENT, NASTY, PROJECT, Application
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)

V1 = {"api": ["v1", "v1"], "web": ["v1"], "data": ["other"], "gateway": ["other"]}
V2 = V1 | {"api": ["v2", "v2"], "web": ["v2"]}


@pytest.fixture(scope="module")
def application() -> Iterator[Application]:
    with tempfile.TemporaryDirectory(prefix="deploy") as folder, DockerEngine(Path(folder)) as engine:
        # Compose cannot mount a path with a colon; it can handle the other characters.
        made = Application(Path(folder) / "an app's `folder`", engine)
        made.build_images()
        try:
            with made.connected():
                yield made
        finally:
            made.clear()


@pytest.fixture
def app(application: Application) -> Application:
    application.clear()
    return application


@pytest.fixture
def app_on_v1(application: Application) -> Application:
    """Return the application with v1 deployed and running; it is reused if the previous test left it that way."""
    if application.step() or not application.records() or application.running() != V1:
        application.clear()
        application.good("v1")
    return application


class Clients:
    """A client that sends requests to the gateway all the time, each on a new connection."""

    def __init__(self, port: int) -> None:
        self.answers: dict[str, int] = {}
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Clients:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.01):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status != 200:
                    self.failures.append(f"{answer.status} {text}")
                self.answers[text] = self.answers.get(text, 0) + 1
            except OSError as error:
                self.failures.append(repr(error))
            finally:
                connection.close()


def test_a_release_goes_out_comes_back_when_it_is_bad_and_can_be_undone(app: Application) -> None:
    said = app.good("v1")
    assert "verified" in said
    assert app.running() == V1
    assert not app.step()
    containers = app.engine.docker("ps", "--quiet", "--filter", "name=data").split()

    with Clients(app.edge) as clients:
        until(lambda: clients.answers, "the gateway to answer")
        app.good("v2")
        until(lambda: clients.answers.get("v2"), "v2 to answer")
    assert clients.failures == []
    assert set(clients.answers) == {"v1", "v2"}
    assert app.running() == V2

    bad = app.deploy("broken")
    assert bad.returncode == 1
    assert "api_" in bad.stderr
    assert "its health check reports: " in bad.stderr
    assert " | [::ffff:127.0.0.1]" in bad.stderr, "the log of the failing container"
    assert "tag broken was rolled back" in bad.stderr
    assert app.running() == V2

    one = app.deploy("broken", "web")
    assert one.returncode == 1
    assert "shop-staging_web_1 | " in one.stderr
    assert app.running() == V2

    status = json.loads(app.run("status", ENVIRONMENT, "--json").stdout)
    assert (status["tag"], status["lock"], status["step"]) == ("v2", None, None)
    assert {row["service"]: row["image"] for row in status["containers"]}["web"] == "shop/web:v2"
    assert [row["result"] for row in status["deploys"]] == ["ok", "ok", "rolled_back", "rolled_back"]

    back = app.run("rollback", ENVIRONMENT)
    assert back.returncode == 0, back.stderr
    assert app.running() == V1
    record = app.records()[-1]
    assert (record["result"], record["version"]) == ("reverted", "v1")
    assert record["images"]["web"]["before"] != record["images"]["web"]["after"]
    further = app.run("rollback", ENVIRONMENT)
    assert further.returncode == 1
    assert "nothing ran before deploy" in further.stderr
    assert app.engine.docker("ps", "--quiet", "--filter", "name=data").split() == containers, (
        "it was left alone"
    )


@pytest.mark.parametrize("step", ["prepare", "images", "up", "verify", "record"])
def test_a_killed_deploy_is_repaired_by_the_next_run(app_on_v1: Application, step: str) -> None:
    app = app_on_v1
    app.kill_at(step, ENVIRONMENT, "--tag", "v2", *(["--build"] if step == "images" else []))
    known = len(app.records())
    if step in ("up", "verify"):  # here the rollback is completed
        repaired = app.run("rollback", ENVIRONMENT)
        expected = ["rolled_back"]
    else:
        repaired = app.deploy("v1", "--dry-run")
        assert f'the deploy that was killed at the step "{step}"' in repaired.stderr
        repaired = app.deploy("v1")
        expected = ["ok" if step == "record" else "interrupted", "ok"]
    assert repaired.returncode == 0, repaired.stderr
    assert f'was killed at the step "{step}"' in repaired.stderr
    assert [record["result"] for record in app.records()[known:]] == expected
    assert app.running() == V1
    assert not app.step()


def test_a_roll_back_that_was_killed_is_finished_by_the_next_deploy(app_on_v1: Application) -> None:
    app = app_on_v1
    app.kill_at("rollback", ENVIRONMENT, "web", "--tag", "broken")
    known = len(app.records())
    said = app.good("v2", "web")
    assert 'was killed at the step "rollback"' in said
    assert [record["result"] for record in app.records()[known:]] == ["rolled_back", "ok"]
    assert app.running() == V1 | {"web": ["v2"]}


def test_the_second_of_two_says_who_holds_the_lock(app_on_v1: Application) -> None:
    app = app_on_v1
    first = app.start(ENVIRONMENT, "--tag", "v2")
    try:
        until(app.step, "the first to begin", 60)
        status = app.run("status", ENVIRONMENT)
        second = app.deploy("v1")
    finally:
        _, said = first.communicate()
    assert first.returncode == 0, said
    assert second.returncode == 1
    assert f"is locked by exporter deploy, process {first.pid} of " in second.stderr
    assert f"process {first.pid}" in status.stdout
    assert app.running() == V2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("prodction",), "prodction"),
        ((ENVIRONMENT, "wbe"), "unknown service wbe; staging has data api web gateway"),
        ((ENVIRONMENT, "--tag", "a b"), "a b is not a valid image tag"),
        ((ENVIRONMENT, "--tag", "$(id)"), "$(id) is not a valid image tag"),
        (("-x",), "name the environment first"),
        ((ENVIRONMENT, "-x"), "No such option"),
        (("../staging",), "../staging"),
        ((), "name an environment"),
    ],
)
def test_wrong_usage_touches_nothing(app: Application, arguments: tuple[str, ...], sentence: str) -> None:
    before = app.snapshot()
    done = app.run("deploy", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert app.snapshot() == before


def test_a_dry_run_touches_nothing(app: Application) -> None:
    before = app.snapshot()
    done = app.deploy("v1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would start all services of shop-staging with tag v1" in done.stderr
    assert app.snapshot() == before


def test_what_is_wrong_is_found_before_anything_is_touched(app: Application) -> None:
    token = app.folder / "secrets" / "token"
    compose = app.folder / "deploy" / ENVIRONMENT / "compose.yaml"
    good = compose.read_text()
    with contextlib.ExitStack() as stack:
        stack.callback(token.chmod, 0o400)
        stack.callback(compose.write_text, good)
        token.chmod(0o644)
        before = app.snapshot()
        absent = app.run("deploy", ENVIRONMENT, "--tag", "v1", EXPORTER="/nowhere/exporter")
        assert absent.returncode == 1
        assert "the command /nowhere/exporter does not work" in absent.stderr
        loose = app.run("deploy", ENVIRONMENT, "--tag", "v1", MIN_FREE_MIB="999999999")
        assert loose.returncode == 1
        for sentence in ("has mode 644", "MiB left"):
            assert sentence in loose.stderr
        assert "s3cr3t" not in loose.stderr
        compose.write_text(good.replace("command:", "comand:"))
        invalid = app.deploy("v1")
        assert invalid.returncode == 1
        assert f"the Compose files in {compose.parent} are not valid" in invalid.stderr
        compose.write_text(good)
        gone = app.run("deploy", ENVIRONMENT, "--tag", "v1", DOCKER_HOST="unix:///nowhere/docker.sock")
        assert gone.returncode == 3
        assert "the Docker engine at unix:///nowhere/docker.sock does not answer" in gone.stderr
        assert app.snapshot() == before


def test_a_protected_environment_asks(app: Application) -> None:
    before = app.snapshot()
    done = app.run("deploy", "production", "--tag", "v1")
    assert done.returncode == 1
    assert "production is protected and the deploy was not approved" in done.stderr
    assert app.snapshot() == before


def test_an_image_that_cannot_be_had_stops_the_deploy_with_all_as_it_was(app_on_v1: Application) -> None:
    app = app_on_v1
    known = len(app.records())
    done = app.deploy("v9", "api")
    assert done.returncode == 1
    assert "the images could not be built or pulled (" in done.stderr
    assert "; the running containers were not changed" in done.stderr
    assert f"the tools' output: {app.state}/logs/" in done.stderr
    assert [record["result"] for record in app.records()[known:]] == ["failed"]
    assert app.running() == V1


def test_values_are_data(app_on_v1: Application) -> None:
    app = app_on_v1
    [data] = app.engine.docker("ps", "--quiet", "--filter", "name=data").split()
    found = json.loads(app.engine.docker("inspect", "--format", "{{json .Config}}", data))
    assert f"NASTY={NASTY}" in found["Env"]
    assert found["Labels"]["nasty"] == NASTY
    assert found["Labels"]["com.docker.compose.project"] == PROJECT


def test_a_stopped_gateway_does_not_stop_a_deploy(app_on_v1: Application) -> None:
    app = app_on_v1
    [gateway] = app.engine.docker("ps", "--quiet", "--filter", "name=gateway").split()
    app.engine.docker("stop", gateway)
    app.good("v2")
    assert app.running() == V2


def test_ctrl_c_says_where_it_stopped_and_the_next_run_repairs(app_on_v1: Application) -> None:
    app = app_on_v1
    known = len(app.records())
    script = app.start(ENVIRONMENT, "--tag", "broken", "web")
    until(lambda: app.step() == "verify" or script.poll() is not None, "the verification", 60)
    script.send_signal(signal.SIGINT)
    _, said = script.communicate(timeout=60)
    assert script.returncode == 130, said
    assert 'at the step "verify": interrupted' in said
    assert "The journal was kept" in said
    assert "Running now: " in said
    assert "was rolled back" not in said
    assert len(app.records()) == known
    repaired = app.run("rollback", ENVIRONMENT)
    assert repaired.returncode == 0, repaired.stderr
    assert app.running() == V1


def test_a_lost_engine_is_not_taken_for_a_bad_release(app_on_v1: Application) -> None:
    app = app_on_v1
    known = len(app.records())
    script = app.start(ENVIRONMENT, "--tag", "broken")
    until(lambda: app.step() in ("up", "verify") or script.poll() is not None, "the release to be put on", 60)
    app.engine.stop()
    _, said = script.communicate(timeout=120)
    app.engine.start()
    assert script.returncode == 3, said
    assert "does not answer" in said
    assert "The journal was kept" in said
    assert "was rolled back" not in said
    assert len(app.records()) == known
    app.good("v2")
    assert app.running() == V2


def test_a_rollback_goes_to_a_tag_and_says_what_it_would_do(app: Application) -> None:
    for tag in ("v1", "v2", "v1"):
        app.good(tag)
    listed = app.run("rollback", ENVIRONMENT, "--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["v2", "v1"]
    plan = app.run("rollback", ENVIRONMENT, "--dry-run")
    assert "  web v1→v2" in plan.stderr
    assert "  api v1→v2, 2 replicas, rolling" in plan.stderr
    assert "  unchanged: data gateway" in plan.stderr
    assert app.running() == V1
    back = app.run("rollback", ENVIRONMENT, "--to", "v1")
    assert back.returncode == 0, back.stderr
    assert app.records()[-1]["version"] == "v1"
    assert app.run("rollback", ENVIRONMENT, "--list").stdout == ""
