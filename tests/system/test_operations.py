"""status, doctor, compose and destroy on a real engine, with the installed versions of Compose."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docker_engine import DockerEngine
from tests.system.deploying import ENVIRONMENT, PROJECT, Application
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def app() -> Iterator[Application]:
    with tempfile.TemporaryDirectory(prefix="ops") as folder, DockerEngine(Path(folder)) as engine:
        made = Application(Path(folder) / "an app's `folder`", engine)
        made.build_images()
        try:
            with made.connected():
                yield made
        finally:
            made.clear()


def exporter(app: Application, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command from a folder that is unrelated to the catalog."""
    command = words[0]
    location = ("-c", str(app.folder / "config.yaml"), "-e", ENVIRONMENT)
    return subprocess.run(
        [Path(sys.executable).with_name("exporter"), command, *location, *words[1:]],
        cwd="/",
        env=app.environment | {"TAG": "v1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
    )


def status(app: Application) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(exporter(app, "status", "--json").stdout)
    return found


def test_a_day_of_an_environment(app: Application) -> None:
    before = exporter(app, "status")
    assert before.returncode == 1
    assert "problem: nothing is running" in before.stdout
    assert before.stdout.splitlines()[-1] == f"next: exporter deploy -e {ENVIRONMENT} --tag TAG"

    up = exporter(app, "compose", "--", "up", "-d")
    assert up.returncode == 0, up.stderr
    until(lambda: status(app)["good"], "all to be healthy", 60)
    text = exporter(app, "status")
    assert text.returncode == 0, text.stdout
    rows = {line.split()[0]: line.split()[1:5] for line in text.stdout.splitlines() if line[:1].isalpha()}
    assert rows["api"] == ["2", "2", "v1", "healthy"]
    assert rows["web"] == ["1", "1", "v1", "healthy"]

    # A removed container is missing, not healthy.
    [web] = app.engine.docker("ps", "--quiet", "--filter", "label=com.docker.compose.service=web").split()
    app.engine.remove(web)
    gone = status(app)
    assert gone["problems"] == ["web has no container"]
    one = app.engine.docker("ps", "--quiet", "--filter", "label=com.docker.compose.service=api").split()[0]
    app.engine.docker("kill", one)
    assert "api is exited 137" in exporter(app, "status").stdout

    asked = exporter(app, "compose", "--", "exec", "-T", "data", "sh", "-c", "echo $((6 * 7)); exit 7")
    assert (asked.returncode, asked.stdout) == (7, "42\n")

    doctor = exporter(app, "doctor", "--json")
    findings = {each["check"]: each["state"] for each in json.loads(doctor.stdout)["findings"]}
    assert doctor.returncode == 0, doctor.stdout
    assert (findings["engine"], findings["compose"], findings["secrets"]) == ("good", "good", "good")
    (app.folder / "secrets/token").chmod(0o644)
    bad = exporter(app, "doctor")
    assert bad.returncode == 1
    assert "has mode 644 instead of 400 or 440" in bad.stdout
    (app.folder / "secrets/token").chmod(0o400)

    kept = exporter(app, "destroy")
    assert kept.returncode == 1
    assert f"  network {PROJECT}_default" in kept.stderr
    assert "nothing was removed" in kept.stderr
    assert app.running()
    done = exporter(app, "destroy", "--yes", "--volumes")
    assert done.returncode == 0, done.stderr
    assert app.engine.docker("ps", "--all", "--quiet") == ""
    assert PROJECT not in app.engine.docker("network", "ls")
    assert "there is nothing of" in exporter(app, "destroy").stderr


def test_a_lost_engine_says_so(app: Application) -> None:
    app.engine.stop()
    try:
        for command in ("status", "destroy"):
            lost = exporter(app, command)
            assert lost.returncode == 3
            assert f"the Docker engine at {app.engine.host} does not answer" in lost.stderr
            assert lost.stderr.count("\n") == 1
        doctor = exporter(app, "doctor")
        assert doctor.returncode == 1
        assert "problem  the Docker engine at" in doctor.stdout
    finally:
        app.engine.start()
