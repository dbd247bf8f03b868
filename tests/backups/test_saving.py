"""A backup run: what is kept if something fails, what is marked, what is shown."""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from exporter.backups import saving
from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.docker_host import DRILL_LABEL, HELPER_LABEL
from exporter.backups.frame import TimeIsUpError
from exporter.backups.keys import read_key
from exporter.backups.outcome import Outcome, summary
from exporter.backups.saving import Saving, Settings
from exporter.backups.subjects import BackupsError, Subject, chosen
from exporter.host.failures import EngineLost
from exporter.host.screen import Screen
from tests.backups.folders import catalog as catalog_in
from tests.backups.local_host import LocalHost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.catalog.catalog import Catalog


class StandIn(LocalHost):
    """An engine with two volumes and nothing else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.project = "shop-staging"
        self.removed: list[str] = []
        for name in ("first", "second"):
            self.volumes[name] = folder / name
            self.volumes[name].mkdir()
            (self.volumes[name] / "file").write_text(f"in {name}")

    def need_image(self, image: str) -> None:
        """Accept any image."""
        assert image == "helper:1"

    def volume_of(self, name: str) -> str | None:
        """Return the name itself as the volume."""
        return name if name in self.volumes else None

    def remove_left(self, *labels: str) -> None:
        """Record the removal."""
        self.removed += labels


class Scene:
    """A catalog's environment and one run in it."""

    def __init__(self, folder: Path) -> None:
        self.catalog: Catalog = catalog_in(folder)
        self.folder = folder / "backups" / "staging"
        self.host = StandIn(folder / "host")
        self.said: list[str] = []
        self.lost = False
        self.half: dict[str, str] = {}

    @contextmanager
    def connect(self) -> Iterator[Any]:
        if self.lost:
            raise EngineLost("the Docker engine does not answer")
        yield self.host

    def saving(self, *names: str) -> Saving:
        screen = Screen(Console(width=1000, file=Lines(self.said)))  # type: ignore[arg-type] # it is only written to
        settings = Settings(time_limit=60, helper_image="helper:1", half_restored=self.half)
        return Saving(self.catalog, chosen(self.catalog, names), self.connect, screen, settings)

    def marker(self, name: str) -> dict[str, Any]:
        marker: dict[str, Any] = json.loads((self.folder / "markers" / f"{name}.json").read_text())
        return marker

    def backups(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and path.name != "markers")


class Lines:
    """A file that collects its lines in a list."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def write(self, text: str) -> None:
        self.lines += text.splitlines()

    def flush(self) -> None:
        """Do nothing."""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("SECRETS_FOLDER", str(tmp_path / "secrets"))
    monkeypatch.delenv("BACKUP_FOLDER", raising=False)
    return Scene(tmp_path)


def test_all_is_saved_sealed_and_marked(scene: Scene, tmp_path: Path) -> None:
    outcome = scene.saving().run()
    assert outcome.verdict is None
    assert scene.backups() == [outcome.id]
    assert outcome.folder == scene.folder / outcome.id
    trust = Trust(read_key(tmp_path / "secrets" / "_backup_key"))
    manifest = read_manifest(outcome.folder, trust)
    assert [saved.name for saved in manifest.subjects] == ["first", "second"]
    assert [file.content for file in manifest.files] == ["volume", "counts"] * 2
    assert {name: scene.marker(name)["last_success"]["backup"] for name in outcome.saved} == dict.fromkeys(
        ("first", "second"), outcome.id
    )
    assert outcome.saved["first"] == {"files": 1, "folders": 1, "others": 0, "bytes": 8}
    assert any("packing the volume second" in line for line in scene.said)
    assert scene.host.removed == [HELPER_LABEL, DRILL_LABEL]
    assert (
        outcome.folder.stat().st_mode & 0o777,
        (outcome.folder / "first/counts").stat().st_mode & 0o777,
    ) == (
        0o700,
        0o600,
    )


def test_one_that_cannot_be_saved_does_not_keep_the_others_from_it(scene: Scene) -> None:
    good = scene.saving().run().id
    del scene.host.volumes["first"]
    outcome = scene.saving().run()
    assert outcome.verdict == f"not saved: first; everything else is in {outcome.folder}"
    assert outcome.failed == {"first": "there is no volume first on this host"}
    marker = scene.marker("first")
    assert (marker["last_run"]["success"], marker["last_run"]["error"]) == (
        False,
        "there is no volume first on this host",
    )
    assert marker["last_success"]["backup"] == good
    assert scene.marker("second")["last_success"]["backup"] == outcome.id


def test_when_nothing_can_be_saved_nothing_is_left(scene: Scene) -> None:
    scene.host.program("tar", "echo no such thing >&2; exit 3")
    outcome = scene.saving().run()
    assert outcome.verdict == "not saved: first second"
    assert outcome.failed["first"] == "packing the volume first failed"
    assert "no such thing" in scene.said
    assert scene.backups() == []


def test_what_a_restore_has_left_in_part_is_not_saved(scene: Scene) -> None:
    scene.half = {"second": "the restore from X did not restore: second"}
    outcome = scene.saving().run()
    assert outcome.failed == {
        "second": "the data of second is incomplete, so it was not saved: the restore from X did not restore: second"
    }


def test_a_docker_engine_that_does_not_answer_is_in_the_markers(scene: Scene) -> None:
    scene.lost = True
    with pytest.raises(EngineLost):
        scene.saving("first").run()
    marker = scene.marker("first")
    assert marker["last_run"]["error"] == "the Docker engine does not answer"
    assert marker.get("current_run") is None


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KeyboardInterrupt(), "it was interrupted before it finished"),
        (TimeIsUpError("the time limit of 5 s was reached"), "the time limit of 5 s was reached"),
    ],
)
def test_a_run_that_is_interrupted_leaves_nothing_and_says_so_in_its_markers(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: BaseException, why: str
) -> None:
    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr(saving, "seal", stop)
    monkeypatch.setattr(Saving, "_seal", stop)
    with pytest.raises(type(error)):
        scene.saving().run()
    assert scene.backups() == []
    assert scene.marker("first")["last_run"]["error"] == why


def test_what_killed_runs_have_left_goes_with_the_next(scene: Scene) -> None:
    for name in ("20200101T000000Z.partial", "20200101T000001Z.removed"):
        (scene.folder / name / "first").mkdir(parents=True)
    outcome = scene.saving().run()
    assert scene.backups() == [outcome.id]
    assert "removing 20200101T000000Z.partial, left by a run that was killed" in scene.said


def test_two_at_once_are_one(scene: Scene) -> None:
    scene.folder.mkdir(parents=True)
    with (scene.folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupsError, match="is running; try again"):
            scene.saving().run()
    assert not (scene.folder / "markers").exists()


def test_older_ones_go_by_their_keep_and_only_after_the_new_one_is_good(scene: Scene) -> None:
    made = [scene.saving("first").run().id for _ in range(3)]
    assert scene.backups() == made[1:]
    scene.host.program("tar", "exit 1")
    scene.saving("first").run()
    assert scene.backups() == made[1:]


def test_markers_that_cannot_be_written_keep_no_backup_from_being_made(scene: Scene) -> None:
    scene.folder.mkdir(parents=True)
    (scene.folder / "markers").touch()
    outcome = scene.saving("first").run()
    assert scene.backups() == [outcome.id]
    assert outcome.verdict == f"the backup {outcome.folder} is good, but its markers could not be written"


def test_a_dry_run_checks_and_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.saving().check()
    assert not (tmp_path / "backups").exists()
    scene.lost = True
    with pytest.raises(EngineLost):
        scene.saving().check()


@pytest.mark.parametrize(
    ("engine", "counts", "shown"),
    [
        ("postgresql", {"a.public.x": 1000, "a.public.y": 506}, "1,506 rows in 2 tables"),
        ("mongodb", {"a.b": 3}, "3 documents in 1 collections"),
        ("redis", {"keys": 12, "expires": 3}, "12 keys, 3 expires"),
        ("", {"files": 2, "bytes": 2048}, "2 files, 2.0 KiB"),
    ],
)
def test_what_was_saved_is_counted_for_a_person(engine: str, counts: dict[str, int], shown: str) -> None:
    assert summary(Subject("x", "store", 1, engine), counts) == shown


def test_an_outcome_without_a_failure_has_no_verdict() -> None:
    assert Outcome().verdict is None
