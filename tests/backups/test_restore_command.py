"""`exporter restore` and `exporter backups` as commands: exit statuses and final messages, without an engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from exporter.backups.keys import KEY_FILE, install_key
from exporter.cli import app
from tests.backups.folders import KEY, NAMES, catalog, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

ID = "20260102T030000Z"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    catalog(tmp_path)
    place = tmp_path / "deploy" / "staging"
    place.mkdir(parents=True)
    (place / "compose.yaml").write_text("services: {web: {image: web}}\n")
    for name, value in (
        ("EXPORTER_CONFIG", str(tmp_path / "config.yaml")),
        ("STATE_FOLDER", str(tmp_path / "state")),
        ("SECRETS_FOLDER", str(tmp_path / "secrets")),
        ("BACKUP_FOLDER", str(tmp_path / "backups")),
        ("DOCKER_HOST", f"unix://{tmp_path}/gone.sock"),
    ):
        monkeypatch.setenv(name, value)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ((), 2, "say which backup to restore"),
        ((ID, "--bare", "--drill"), 2, "cannot be used together"),
        ((ID, "--nonsense"), 2, "No such option"),
        ((ID, "-e", "nowhere"), 2, "nowhere"),
        ((ID, "--yes"), 3, "does not answer"),
        (("--drill",), 3, "does not answer"),
    ],
)
@pytest.mark.usefixtures("site")
def test_how_it_ends(words: tuple[str, ...], status: int, sentence: str) -> None:
    done = run("restore", *words)
    assert done.exit_code == status, done.output
    assert sentence in done.output


def test_a_table_and_its_json(site: Path) -> None:
    done = run("backups", "list")
    assert done.exit_code == 0
    assert "make one with: exporter backup -e staging" in done.output
    install_key(KEY, site / "secrets" / KEY_FILE)
    sealed(catalog(site), site / "backups" / "staging", ID)
    done = run("backups", "list")
    assert done.output.splitlines()[1].startswith(ID)
    told = json.loads(run("backups", "list", "--json").stdout)
    assert [row["id"] for row in told["backups"]] == [ID]
    assert told["backups"][0]["names"] == list(NAMES)


def test_verify_says_what_is_wrong(site: Path) -> None:
    place = sealed(catalog(site), site / "backups" / "staging", ID)
    assert run("backups", "verify", str(place)).exit_code == 1, "the host must not have a key"
    (site / "key").write_text(KEY.text())
    assert run("backups", "verify", str(place), "--key", str(site / "key")).exit_code == 0
    (site / "key").write_text("0" * 64)
    done = run("backups", "verify", str(place), "--key", str(site / "key"))
    assert done.exit_code == 1
    assert "was made with the key" in done.output
    install_key(KEY, site / "secrets" / KEY_FILE)
    (place / "more").touch()
    done = run("backups", "verify", str(place))
    assert done.exit_code == 1
    assert "'more' was added" in done.output
