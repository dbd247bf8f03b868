"""Messages while a deploy waits and after it has failed, and requests that are refused at once."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from exporter.cli import app
from exporter.host.containers import container_of
from exporter.host.screen import Screen
from exporter.releases.failing import described, show
from exporter.releases.waiting import next_check
from tests.releases.containers import container
from tests.releases.world import FakeEngine, World

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CHECK = {"Config": {"Healthcheck": {"Interval": 30_000_000_000}}}


def health(*ends: str) -> dict[str, Any]:
    return {
        "State": {"StartedAt": "2026-01-01T11:59:58.5Z", "Health": {"Log": [{"End": end} for end in ends]}}
    }


@pytest.mark.parametrize(
    ("inspected", "expected"),
    [
        ({}, None),
        (CHECK | {"State": {}}, None),
        (CHECK | health("2026-01-01T11:59:42.123456789Z"), 12),
        (CHECK | health("2026-01-01T11:50:00Z", "2026-01-01T12:59:42.123456789+01:00"), 12),
        (CHECK | health(), 28),
        (CHECK | health("2026-01-01T11:00:00Z"), 0),
        (CHECK | health("soon"), None),
        (health("2026-01-01T11:59:50Z"), 20),
    ],
)
def test_the_next_check_is_as_far_away_as_the_engine_makes_it(
    inspected: dict[str, Any], expected: int | None
) -> None:
    assert next_check(inspected, NOW) == expected


def failed(**state: Any) -> list[str]:
    return described(container_of({"Name": "/shop_web_1", "RestartCount": 3, "State": state}))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            {
                "Status": "running",
                "Health": {"Status": "unhealthy", "Log": [{"Output": "HTTP\x1b[2J 500\nbye\n"}]},
            },
            "-- shop_web_1 is unhealthy; its health check reports: HTTP\\x1b[2J 500; bye",
        ),
        (
            {"Status": "running", "Health": {"Status": "starting", "Log": []}},
            "-- shop_web_1 is starting; its health check reports: no output",
        ),
        (
            {"Status": "exited", "ExitCode": 3},
            "-- shop_web_1 exited with status 3, and was restarted 3 times",
        ),
        ({"Status": "exited", "OOMKilled": True}, "-- shop_web_1 was killed: out of memory"),
        (
            {"Status": "created", "Error": "no such\x07 file"},
            "-- shop_web_1 could not be started: no such\\x07 file",
        ),
    ],
)
def test_a_failing_container_is_shown_with_its_last_answer(state: dict[str, Any], expected: str) -> None:
    assert failed(**state) == [expected]
    assert failed(Status="running") == []


def test_a_container_that_has_gone_meanwhile_is_passed_over() -> None:
    said = io.StringIO()
    engine: Any = FakeEngine(World())
    show(Screen(Console(file=said)), engine, [container()])
    assert said.getvalue() == ""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "deploy/live").mkdir(parents=True)
    (tmp_path / "deploy/live/compose.yaml").write_text("services: {}\n")
    (tmp_path / "deploy/live/.env").write_text(f"STATE_FOLDER={tmp_path}/state\n")
    (tmp_path / "config.yaml").write_text(
        "project: shop\nservices: {web: {image: web}}\nenvironments: {live: {}}\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("deploy", "-e", "lvie"), "lvie"),
        (("deploy", "wbe"), "unknown service wbe; live has web"),
        (("rollback", "wbe"), "unknown service wbe; live has web"),
        (("deploy", "--build", "--pull"), "--build and --pull cannot be used together"),
        (("deploy", "--tag", "a b"), "a b is not a valid image tag"),
        (("deploy", "--tag", "$(id)\x1b"), "$(id)\\x1b is not a valid image tag"),
        (("deploy",), "there is no git commit to take the tag from"),
    ],
)
def test_wrong_usage_touches_nothing(
    site: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.delenv("TAG", raising=False)
    done = CliRunner().invoke(app, [words[0], "-c", str(site / "config.yaml"), *words[1:]])
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not (site / "state").exists()


def test_an_engine_that_does_not_answer_changes_nothing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{site}/nowhere.sock")
    for command in ("deploy", "rollback"):
        words = [command, "-c", str(site / "config.yaml"), *(["--tag=v1"] if command == "deploy" else [])]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 3
        assert "nowhere.sock does not answer" in done.stderr
        assert not (site / "state").exists()


def test_what_can_be_gone_back_to_is_listed_without_an_engine(site: Path) -> None:
    done = CliRunner().invoke(app, ["rollback", "-c", str(site / "config.yaml"), "--list"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "there is nothing to roll back to in live" in done.stderr
