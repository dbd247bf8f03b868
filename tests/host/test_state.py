"""The state folder: formats of the scripts, complete files or none, refusals as one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.host.failures import OperationError
from exporter.host.state import KEPT_LOGS, StateFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "not there" / "state")


def test_what_lib_sh_wrote_is_read(state: StateFolder) -> None:
    state.make()
    (state.path / "current").write_text(
        "step=verify\nDEPLOY_ID=1-2\nDEPLOY_TAG=a=b\nDEPLOY_SERVICE=\nstep=record\nodd\n"
    )
    assert state.fields("current") == {
        "step": "record",
        "DEPLOY_ID": "1-2",
        "DEPLOY_TAG": "a=b",
        "DEPLOY_SERVICE": "",
    }


def test_nothing_is_there_before_the_first_deploy(state: StateFolder) -> None:
    assert state.fields("current") == {}
    assert state.running is None
    assert state.running_tag is None
    assert state.restore_left("staging") is None
    state.remove("current")
    assert not state.path.exists()


def test_a_file_is_replaced_and_nothing_is_left_beside_it(state: StateFolder) -> None:
    state.write_fields("current", {"step": "up", "DEPLOY_USER": "a\nstep=forged"})
    assert state.fields("current") == {"step": "up", "DEPLOY_USER": "a step=forged"}
    state.write("rollback/1/before", "web sha256:1 shop/web:v1\n", mode=0o600)
    assert (state.path / "rollback/1/before").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in state.path.iterdir()) == ["current", "rollback"]


def test_running_is_a_link_that_moves_in_one_step(state: StateFolder) -> None:
    for release in ("1", "2"):
        state.write(f"releases/{release}/tag", f"v{release}\n")
        state.point_to("running", f"releases/{release}")
    assert (state.path / "running").is_symlink()
    assert state.running_tag == "v2"
    state.remove("running")
    assert (state.path / "releases/2/tag").exists()


def test_what_a_write_that_was_cut_off_left_is_removed(state: StateFolder) -> None:
    state.write("current", "step=up\n")
    (state.path / "current.new.99").write_text("st")
    state.clear_unfinished()
    assert [path.name for path in state.path.iterdir()] == ["current"]


def test_a_restore_that_was_interrupted_names_the_command(state: StateFolder) -> None:
    state.write_fields(
        "restoring", {"backup": "20260101T000000Z", "names": "db \x1b[2J", "user": "eve", "since": "2026"}
    )
    sentence = state.restore_left("staging")
    assert sentence is not None
    assert "Run exporter restore -e staging 20260101T000000Z db \\x1b[2J to complete it" in sentence
    assert "\x1b" not in sentence


def test_logs_do_not_pile_up_and_are_closed_to_others(state: StateFolder) -> None:
    logs = state.path / "logs"
    logs.mkdir(parents=True)
    for number in range(KEPT_LOGS + 5):
        (logs / f"20250101T0000{number:02d}Z-deploy-1.log").touch()
    log = state.new_log("deploy")
    assert log.stat().st_mode & 0o777 == 0o600
    assert len(list(logs.iterdir())) == KEPT_LOGS
    assert log.exists()


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = StateFolder(tmp_path / "file" / "state")
    with pytest.raises(
        OperationError, match="cannot create the folder; run as a user with write access, or set STATE_FOLDER"
    ):
        state.make()
    assert state.fields("current") == {}
