"""The life of a generated application on a real engine, by its generated scripts and each version of Compose:
released, released again under load, rolled back when it is bad, backed up, destroyed, and restored.

application.py describes what runs and what is replaced by a substitute.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.application import OURS, Application
from tests.system.application_images import import_images
from tests.system.application_sources import BROKEN, HOST, LIVE
from tests.system.separate_engine import SeparateEngine
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(600)

EVERYTHING = {*OURS, "docker-proxy", "prometheus", "alertmanager", "grafana"}
# Sends requests until its input ends, each on a new connection; then prints the responses.
_CLIENT = f"""
import collections, http.client, itertools, json, select, sys
answers, methods = collections.Counter(), itertools.cycle(["GET", "POST"])
while not select.select([sys.stdin], [], [], 0.02)[0]:
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
    try:
        connection.request(next(methods), "/version", headers={{"Host": "{HOST}"}})
        answer = connection.getresponse()
        answers[f"{{answer.status}} {{answer.read().decode()[:100]}}"] += 1
    except OSError as error:
        answers[repr(error)] += 1
    finally:
        connection.close()
print(json.dumps(answers))
"""


# The gateway's response to a body of 2 KiB.
_SEND = f"""
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
connection.request("POST", "/version", body=b"x" * 2048, headers={{"Host": "{HOST}"}})
print(connection.getresponse().status)
"""


@pytest.fixture(scope="module", params=[1, 2], ids=["compose-1", "compose-2"])
def application(request: pytest.FixtureRequest) -> Iterator[Application]:
    with (
        tempfile.TemporaryDirectory(prefix="rel-") as folder,  # must be short: it holds sockets
        tempfile.TemporaryDirectory() as images,
        tempfile.TemporaryDirectory() as site,
        SeparateEngine(Path(folder)) as engine,
    ):
        application = Application(Path(site), engine, LIVE, request.param)
        import_images(engine, Path(images))
        application.generate()
        application.make_secrets()
        try:
            yield application
        finally:
            engine.remove_all()
            application.down()


def release(application: Application, version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run deploy.sh with this version of `web`, which is built first."""
    application.write(version)
    return application.script("deploy", "--tag", version, "--build", "--yes", *arguments)


def version(application: Application) -> str:
    return application.ask("/version")


def what_follows_the_catalog(application: Application) -> tuple[int, int]:
    """Return the gateway's response to 2 KiB, and how many seconds a service is down before Prometheus fires."""
    answer = application.engine.host_command(sys.executable, "-c", _SEND)
    rules = ("wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/rules?type=alert")
    groups = json.loads(application.inside("prometheus", *rules).stdout)["data"]["groups"]
    [seconds] = {
        rule["duration"] for group in groups for rule in group["rules"] if rule["name"] == "ServiceDown"
    }
    return int(answer), seconds


@contextlib.contextmanager
def clients(application: Application) -> Iterator[dict[str, int]]:
    """Count each response of the gateway; the counts are available after the block."""
    answers: dict[str, int] = {}
    asking = subprocess.Popen(
        application.engine.on_host(sys.executable, "-c", _CLIENT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield answers
    finally:
        said, _ = asking.communicate(timeout=20)
    answers.update(json.loads(said))


def contents(application: Application) -> dict[str, Any]:
    """Return everything that the application has stored, in full."""
    notes = application.engine.folder / f"data/volumes/{application.project}_notes/_data/drafts.db"
    dump = ("pg_dump", "--username=postgres", "--dbname=shop")
    cache = "REDISCLI_AUTH=$(cat /run/secrets/cache_password) redis-cli get hits"
    with contextlib.closing(sqlite3.connect(notes)) as base:
        drafts = list(base.iterdump())
    return {
        "rows": [
            line for line in application.inside("db", *dump).stdout.splitlines() if "restrict " not in line
        ],
        "numbers": application.inside("cache", "sh", "-c", cache).stdout,
        "drafts": drafts,
    }


def records(application: Application) -> list[str]:
    file = application.state / "deploys.jsonl"
    return [json.loads(line)["result"] for line in file.read_text().splitlines()] if file.exists() else []


def step(application: Application) -> str:
    """Return the current step of the deploy; empty if there is none."""
    with contextlib.suppress(FileNotFoundError):
        for line in (application.state / "current").read_text().splitlines():
            if line.startswith("step="):
                return line.partition("=")[2]
    return ""


def test_a_first_release_brings_up_everything(application: Application) -> None:
    done = release(application, "v1")
    assert done.returncode == 0, done.stderr
    assert "verified" in done.stderr
    assert set(application.containers()) == EVERYTHING
    assert version(application) == "v1"
    assert json.loads(application.ask("/visits")) == {"postgresql": 1, "redis": 1, "sqlite": 1}
    status = application.script("status")
    assert status.returncode == 0, status.stdout + status.stderr


def test_a_good_release_goes_out_without_a_failed_request_and_after_a_backup(
    application: Application,
) -> None:
    kept = contents(application)
    assert what_follows_the_catalog(application) == (200, 60)
    application.change_catalog("max_body: 1Mi", "max_body: 1Ki")
    application.change_catalog("ServiceDown: {for: 1m}", "ServiceDown: {for: 2m}")
    with clients(application) as answers:
        done = release(application, "v2")
        assert done.returncode == 0, done.stderr
        until(lambda: version(application) == "v2", "the new version to answer")
    assert set(answers) == {"200 v1", "200 v2"}
    assert [path.name for path in application.backups.glob("*Z")] != []
    assert contents(application) == kept
    changed = (413, 120)
    until(lambda: what_follows_the_catalog(application) == changed, "changed files to be read")
    marked = 'exporter_deploy_timestamp_seconds{version="v2"}'
    until(lambda: marked in application.exporter("/metrics"), "the daemon to mark the deploy", 60)


def test_a_bad_release_is_taken_back_with_its_log_shown(application: Application) -> None:
    before = {name: each["Id"] for name, each in application.containers().items()}
    with clients(application) as answers:
        done = release(application, BROKEN)
    assert done.returncode == 1
    assert f"tag {BROKEN} was rolled back" in done.stderr
    assert f"web of version {BROKEN} begins" in done.stderr
    assert set(answers) == {"200 v2"}
    after = {name: each["Id"] for name, each in application.containers().items()}
    unchanged = EVERYTHING - {"web", "api"}  # their images are built again, with the tag
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_a_roll_back_goes_further_back(application: Application) -> None:
    done = application.script("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert version(application) == "v1"
    before = (200, 60)
    until(lambda: what_follows_the_catalog(application) == before, "the files of before to be read")
    assert records(application) == ["ok", "ok", "rolled_back", "reverted"]


def test_a_deploy_that_was_killed_during_its_backup_has_changed_nothing(application: Application) -> None:
    application.write("v2")
    script = subprocess.Popen(
        application.command("deploy", "--tag", "v2", "--yes"),
        env=application.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: step(application) == "backup", "the backup to begin", 60)
    until(lambda: list(application.backups.glob("*.partial")), "the backup to be under way", 60)
    script.send_signal(signal.SIGKILL)
    script.wait()
    done = release(application, "v2")
    assert done.returncode == 0, done.stderr
    assert 'was killed at the step "backup"' in done.stderr
    assert records(application)[-2:] == ["interrupted", "ok"]
    assert version(application) == "v2"


def test_all_that_was_kept_is_there_again_after_everything_was_destroyed(application: Application) -> None:
    for _ in range(20):
        application.ask("/visits")
    kept = contents(application)
    done = application.script("backup")
    assert done.returncode == 0, done.stderr
    drill = application.script("restore", "--drill")
    assert drill.returncode == 0, drill.stderr
    assert contents(application) == kept
    application.engine.remove_all()
    application.down()
    assert not [
        name
        for name in application.engine.docker("volume", "ls", "-q").split()
        if application.project in name
    ]
    done = application.script("restore", "latest", "--yes")
    assert done.returncode == 0, done.stderr
    assert "healthy" in done.stderr
    assert contents(application) == kept
    assert version(application) == "v2"
    assert set(application.containers()) == EVERYTHING
