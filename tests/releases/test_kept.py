"""The journal, kept states and mounted files: the contents of a state folder, also one written by the scripts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.host.failures import OperationError
from exporter.host.state import StateFolder
from exporter.releases import kept
from exporter.releases.journal import Deploy, Journal, Step, Way
from exporter.releases.kept import ImageRow, images_of
from exporter.releases.mounted import Source, install
from exporter.releases.pruning import KEPT_ROLLBACKS, disposable
from exporter.releases.records import Record
from tests.releases.containers import container, image_id

if TYPE_CHECKING:
    from pathlib import Path

ID = "20260101T000000Z-7"
OF_SCRIPTS = f"""step=verify
DEPLOY_ID={ID}
DEPLOY_KIND=deploy
DEPLOY_TAG=v1
DEPLOY_BASE={ID}
DEPLOY_STARTED=1700000000
DEPLOY_SERVICE=
DEPLOY_USER=a b=c
"""
DEPLOY = Deploy(ID, Way.DEPLOY, "v1", ID, 1700000000, "", "a b=c")


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path / "a state")
    made.make()
    return made


def test_a_journal_of_the_scripts_is_taken_over_and_written_alike(state: StateFolder) -> None:
    journal = Journal(state)
    assert journal.interrupted() is None
    state.write("current", OF_SCRIPTS)
    assert journal.interrupted() == (DEPLOY, Step.VERIFY)
    journal.end()
    assert journal.interrupted() is None
    journal.enter(DEPLOY, Step.VERIFY)
    assert sorted((state.read("current") or "").splitlines()) == sorted(OF_SCRIPTS.splitlines())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OF_SCRIPTS, ""),
        ("step=verify", "step=dance"),
        (f"DEPLOY_BASE={ID}", "DEPLOY_BASE=../../etc"),
        ("DEPLOY_KIND=deploy\n", ""),
        ("1700000000", "yesterday"),
    ],
)
def test_a_damaged_journal_is_not_taken_for_none(state: StateFolder, old: str, new: str) -> None:
    state.write("current", OF_SCRIPTS.replace(old, new))
    with pytest.raises(OperationError, match="is damaged"):
        Journal(state).interrupted()


def test_an_id_is_a_time_and_a_process() -> None:
    begun = Deploy.begin(Way.ROLLBACK, "v1", "web", base=ID)
    assert (begun.base, begun.id.endswith(f"Z-{os.getpid()}")) == (ID, True)
    assert Deploy.begin(Way.DEPLOY, "v1", "").base.endswith(f"-{os.getpid()}")


def test_what_ran_is_kept_in_the_format_of_the_scripts(state: StateFolder) -> None:
    there = [
        container("web", 1, image="a", tag="v1", state="exited"),
        container("web", 2, image="b", tag="v2"),
        container("api", image="c", tag="v2"),
    ]
    rows = images_of(there)
    assert rows == [
        ImageRow("api", image_id("c"), "shop/api:v2"),
        ImageRow("web", image_id("b"), "shop/web:v2"),
    ]
    kept.write_rows(state, f"rollback/{ID}/before", rows)
    assert (state.read(f"rollback/{ID}/before") or "").splitlines()[0] == f"api {image_id('c')} shop/api:v2"
    assert kept.read_rows(state, f"rollback/{ID}/before") == rows
    assert kept.tag_before(state, ID) == ""
    state.write(f"rollback/{ID}/tag", "v2\n")
    assert kept.tag_before(state, ID) == "v2"
    assert kept.tag_before(state, "20260101T000000Z-8") is None


def test_a_container_that_compose_did_not_start_makes_no_row_that_cannot_be_read(state: StateFolder) -> None:
    odd = [container(service) for service in ("", "my web", "-x", "a\nb")]
    odd += [container("api", image_name=name) for name in ("", "a b")]
    rows = images_of([*odd, container("web")])
    kept.write_rows(state, "rows", rows)
    assert kept.read_rows(state, "rows") == rows == [ImageRow("web", image_id("a"), "shop/web:v1")]


def test_definitions_that_cannot_be_read_are_one_sentence(state: StateFolder, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").mkdir()
    with pytest.raises(OperationError, match=r"compose\.yaml cannot be read: Is a directory"):
        kept.copy_definitions(state, tmp_path, "releases/1")


@pytest.mark.parametrize(
    "line", ["web", "web sha256:1 a", f"../x {image_id('a')} a", f"web {image_id('a')} a b"]
)
def test_rows_that_are_none_are_an_error(state: StateFolder, line: str) -> None:
    state.write("rows", f"{line}\n")
    with pytest.raises(OperationError, match="is damaged"):
        kept.read_rows(state, "rows")


def test_images_are_laid_over_the_definitions_as_data(state: StateFolder) -> None:
    names = {"web": "shop/web:v1", "api": 'a"b: {x: $y'}
    kept.write_images(state, "running", names)
    read = yaml.safe_load(state.read("running/images.yaml") or "")
    assert {name: each["image"] for name, each in read["services"].items()} == names
    kept.write_images(state, "running", {})
    assert yaml.safe_load(state.read("running/images.yaml") or "") == {"services": {}}


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_mounted_files_change_in_place_and_only_those_that_differ(tmp_path: Path) -> None:
    source = Source(tmp_path / "deploy", tmp_path / "catalog.yaml", tmp_path)
    target = tmp_path / "state/files"
    files = {"gateway/nginx.conf": "1", "prometheus/rules/a.yml": "1", "prometheus/b.yml": "1"}
    for name, text in files.items():
        (source.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (source.folder / name).write_text(text)
    (source.folder / "compose.yaml").write_text("not mounted")
    source.catalog.write_text("1")
    assert set(install(source, target)) == {"gateway", "prometheus", "config.yaml"}
    assert tree(target) == files | {"config.yaml": "1"}
    assert install(source, target) == []
    inode = (target / "gateway/nginx.conf").stat().st_ino

    (source.folder / "gateway/nginx.conf").write_text("2")
    (source.folder / "prometheus/b.yml").unlink()
    (source.folder / "prometheus/b.yml").mkdir()
    (source.folder / "prometheus/b.yml/c").write_text("2")
    assert install(source, target, "web") == []
    assert install(source, target, "gateway") == ["gateway"]
    assert (target / "gateway/nginx.conf").stat().st_ino == inode
    assert install(source, target) == ["prometheus"]
    assert tree(target)["prometheus/b.yml/c"] == "2"

    (source.folder / "gateway/nginx.conf").unlink()
    (source.folder / "gateway").rmdir()
    assert install(source, target) == ["gateway"]
    assert not (target / "gateway").exists()


def test_the_first_deploy_of_one_service_installs_everything(tmp_path: Path) -> None:
    (tmp_path / "deploy/gateway").mkdir(parents=True)
    (tmp_path / "deploy/gateway/nginx.conf").write_text("1")
    changed = install(Source(tmp_path / "deploy", tmp_path / "none", tmp_path), tmp_path / "files", "web")
    assert changed == ["gateway"]


def test_what_environments_share_is_installed_next_to_what_is_their_own(tmp_path: Path) -> None:
    source = Source(tmp_path / "deploy/live", tmp_path / "none", tmp_path)
    for name in ("alert_rules/a.yml", "dashboards/b.json", "deploy/live/prometheus/prometheus.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    target = tmp_path / "state/files"
    assert set(install(source, target)) == {"alert_rules", "dashboards", "prometheus"}
    kept_by_release = Source(target, target / "none", target)
    assert set(install(kept_by_release, tmp_path / "again")) == {"alert_rules", "dashboards", "prometheus"}
    (tmp_path / "alert_rules/a.yml").write_text("2")
    assert install(source, target, "grafana") == []
    assert install(source, target, "prometheus") == ["alert_rules"]


def test_only_what_a_rollback_may_need_is_kept() -> None:
    ids = [f"2026010{day}T000000Z-1" for day in range(1, 9)]
    good = [Record(id_, "live", (), "", "", 0, 0, "ok", "") for id_ in ids]
    folders = [f"{kind}/{id_}" for kind in ("rollback", "releases") for id_ in ids]
    gone = disposable(folders, good, f"releases/{ids[0]}")
    old = ids[:-KEPT_ROLLBACKS]
    assert gone == sorted([f"rollback/{id_}" for id_ in old] + [f"releases/{id_}" for id_ in old[1:]])
    assert disposable(folders, [], None) == sorted(folders)
