"""A drill without an engine: it uses images and places of the catalog or the running containers, and
writes markers."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from exporter.backups.drill import Drill, marked
from exporter.backups.encryption import Encryption
from exporter.backups.engines.shape import Compared, Restored
from exporter.backups.finding import Found
from exporter.backups.marks import begin, end
from exporter.backups.places import Settings
from exporter.backups.restore_plan import WrongNameError, choose
from exporter.backups.subjects import BackupsError, backups_folder, subjects
from exporter.host.failures import EngineLost, Refused
from exporter.host.screen import Screen
from exporter.storage.backup_marker import Outcome, parse_marker
from tests.backups.restores import CATALOG, ID, manifest
from tests.outputs.catalogs import catalog_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporter.backups.engines.shape import Place
    from exporter.catalog.catalog import Catalog

NAMES = ("db", "cache", "files")


@dataclass
class FakeEngine:
    """A Docker engine on which a drill starts its containers."""

    started: list[tuple[str, Mapping[str, str], tuple[str, ...]]] = field(default_factory=list)
    pulled: list[str] = field(default_factory=list)
    here: bool = True
    refuses: bool = False

    def image(self, name: str) -> object | None:
        return name if self.here else None

    def pull(self, name: str) -> None:
        if self.refuses:
            raise Refused("the engine reports an error for the image")
        self.pulled.append(name)

    def create_store(
        self,
        image: str,
        labels: Mapping[str, str],
        environment: Mapping[str, str],
        volumes: Sequence[str] = (),
    ) -> str:
        assert labels == {"exporter.drill": "shop-staging"}
        self.started.append((image, environment, tuple(volumes)))
        return f"container-{len(self.started)}"

    def create_volume(self, labels: Mapping[str, str]) -> str:
        assert labels == {"exporter.drill": "shop-staging"}
        return "a-volume"

    def start(self, id_: str) -> None: ...

    def remove(self, *ids: str, volumes: bool = False) -> None: ...


class FakeHost:
    """The DockerHost of a drill."""

    project = "shop-staging"

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.cleared = 0

    def remove_left(self, *labels: str) -> None:
        assert labels == ("exporter.drill",)
        self.cleared += 1


class Loads:
    """The engine for all kinds of data. `fail`: the exception to raise, by name."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.fail: dict[str, BaseException] = {}

    def load(self, place: Place, source: object) -> Restored:  # noqa: ARG002
        self.places[place.name] = place
        if place.name in self.fail:
            raise self.fail[place.name]
        return Restored((Compared("sales", 6, 6),))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = catalog_of(tmp_path, CATALOG.format(backups=tmp_path))
    them = [subjects(made)[name] for name in NAMES]
    begin(made, them, 60)
    end(made, them, backup=None, error="no matter")
    return made


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    loads = Loads()
    monkeypatch.setattr("exporter.backups.drill.engine_of", lambda _: loads)
    monkeypatch.setattr("exporter.backups.drill.data_folder_of", lambda _: "/data")
    return loads


def drill_of(catalog: Catalog, host: Any, said: io.StringIO | None = None) -> Drill:
    folder = backups_folder(catalog)
    screen = Screen(Console(file=said or io.StringIO(), width=200))
    found = Found(folder / ID, manifest(*NAMES))
    return Drill(
        host, screen, found, Settings(), Encryption(), folder, lambda service: f"{service}:of-the-catalog"
    )


def run(catalog: Catalog, host: Any, *names: str) -> dict[str, Restored]:
    drill = drill_of(catalog, host)
    items = choose(drill.found.manifest, subjects(catalog), names, configuration=True)
    with marked(catalog, subjects(catalog), NAMES, "latest") as marker:
        return drill.run(items, marker)


def last_drill(catalog: Catalog, name: str) -> Outcome | None:
    return parse_marker((backups_folder(catalog) / "markers" / f"{name}.json").read_text(), name).last_drill


def succeeded(catalog: Catalog) -> dict[str, bool]:
    drills = {name: last_drill(catalog, name) for name in NAMES}
    return {name: drill.success for name, drill in drills.items() if drill}


def test_images_and_places_are_those_of_the_catalog_and_not_of_the_backup(
    catalog: Catalog, loads: Loads
) -> None:
    """Use a backup that says that Redis kept its data in /:/host."""
    host = FakeHost()
    assert list(run(catalog, host)) == list(NAMES)
    images = [image for image, _, _ in host.engine.started]
    assert images == ["db:of-the-catalog", "cache:of-the-catalog", "cache:of-the-catalog"]
    assert host.engine.started[0][1] == {"POSTGRES_USER": "postgres", "POSTGRES_HOST_AUTH_METHOD": "trust"}
    assert host.engine.started[2][2] == ("/data",), "the place must be the data folder of the image"
    assert loads.places["cache"].path == "/data"
    assert loads.places["files"].volume == "a-volume"
    assert all(place.secret == "" for place in loads.places.values())
    for name in NAMES:
        drill = last_drill(catalog, name)
        assert drill is not None
        assert (drill.success, drill.backup) == (True, ID)
    assert host.cleared == 3


def test_on_a_fresh_host_images_are_pulled_or_the_drill_says_which_is_missing(
    catalog: Catalog, loads: Loads
) -> None:
    host = FakeHost()
    host.engine.here = False
    shutil.rmtree(backups_folder(catalog))
    run(catalog, host, "db")
    assert host.engine.pulled == ["db:of-the-catalog"]
    host.engine.refuses = True
    with pytest.raises(BackupsError, match=f"the backup {ID} cannot be restored: db"):
        run(catalog, host, "db")
    drill = last_drill(catalog, "db")
    assert drill is not None
    assert "the image of db is not on this host and cannot be pulled" in drill.error
    assert loads.places


def test_one_that_cannot_be_restored_fails_alone(catalog: Catalog, loads: Loads) -> None:
    loads.fail["db"] = BackupsError("db differs from what was saved")
    host = FakeHost()
    with pytest.raises(BackupsError, match=r"cannot be restored: db$"):
        run(catalog, host)
    drills = {name: last_drill(catalog, name) for name in NAMES}
    assert {name: drill.success for name, drill in drills.items() if drill} == {
        "db": False,
        "cache": True,
        "files": True,
    }
    assert host.cleared == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineLost("the engine is gone")])
def test_one_that_is_stopped_has_failed_for_what_is_left(
    catalog: Catalog, loads: Loads, error: BaseException
) -> None:
    loads.fail["cache"] = error
    with pytest.raises(type(error)):
        run(catalog, FakeHost())
    drills = {name: last_drill(catalog, name) for name in NAMES}
    assert {name: drill.success for name, drill in drills.items() if drill} == {
        "db": True,
        "cache": False,
        "files": False,
    }


def test_a_backup_that_is_not_found_has_failed_for_all(catalog: Catalog) -> None:
    with (
        pytest.raises(BackupsError, match="forged"),
        marked(catalog, subjects(catalog), NAMES, ID),
    ):
        raise BackupsError("its manifest was altered or forged")
    for name in NAMES:
        drill = last_drill(catalog, name)
        assert drill is not None
        assert (drill.success, drill.backup) == (False, ID)
        assert "forged" in drill.error


def test_a_wrong_name_is_no_failure_of_a_drill(catalog: Catalog) -> None:
    with pytest.raises(WrongNameError), marked(catalog, subjects(catalog), NAMES, ID):
        raise WrongNameError("it has nothing of x")
    assert last_drill(catalog, "db") is None


def test_without_markers_nothing_is_tried(catalog: Catalog, loads: Loads) -> None:
    shutil.rmtree(backups_folder(catalog) / "markers")
    (backups_folder(catalog) / "markers").touch()
    with pytest.raises(BackupsError, match="the drill was not started"):
        run(catalog, FakeHost())
    assert loads.places == {}
