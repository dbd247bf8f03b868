"""A backup in a folder: sealed only when complete, refused when changed, and kept as long as needed."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from exporter.backups.authentic import Trust, read_manifest
from exporter.backups.checks import check_room, findings, whole_backups
from exporter.backups.engines.configuration import pack, unpack
from exporter.backups.inventory import inventory
from exporter.backups.keys import Key
from exporter.backups.manifest import CODE, MANIFEST, PARTS
from exporter.backups.marks import begin, end
from exporter.backups.retention import DEAD_SECONDS, prune
from exporter.backups.sealing import seal
from exporter.backups.subjects import BackupsError, backups_folder, chosen, subjects
from exporter.storage.backup_marker import parse_marker
from tests.backups.folders import FILE, KEY, NAMES, TRUST, catalog, half_made, sealed
from tests.outputs.catalogs import EXAMPLE, catalog_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID = "20260102T030000Z"
IDS = [f"2026010{day}T030000Z" for day in range(1, 7)]


def test_what_was_sealed_is_whole_and_says_what_it_holds(tmp_path: Path) -> None:
    place = sealed(catalog(tmp_path), tmp_path, ID)
    assert place == tmp_path / ID
    assert findings(place, TRUST) == []
    saved = read_manifest(place, TRUST).of("second")
    assert saved is not None
    assert saved.facts == {"image": "a:1"}
    [file] = saved.files
    assert (file.path, file.object, file.bytes) == (f"second/{FILE}", "", len(f"second {ID}"))


def _truncate(place: Path) -> None:
    os.truncate(place / "first" / FILE, 3)


def _alter(place: Path) -> None:
    (place / "first" / FILE).write_text(f"First {ID}")


def _lose(place: Path) -> None:
    (place / "first" / FILE).unlink()


def _add(place: Path) -> None:
    (place / "first" / "more").touch()


def _link(place: Path) -> None:
    (place / "first" / FILE).rename(place.parent / "away")
    (place / "first" / FILE).symlink_to(place.parent / "away")


def _alter_manifest(place: Path) -> None:
    text = (place / "manifest.json").read_text()
    (place / "manifest.json").write_text(text.replace("staging", "Staging"))


def _lose_manifest(place: Path) -> None:
    (place / "manifest.json").unlink()


def _rename(place: Path) -> None:
    place.rename(place.with_name(IDS[0]))


HARMS = [_truncate, _alter, _lose, _add, _link, _alter_manifest, _lose_manifest]


@pytest.mark.parametrize("harm", HARMS)
def test_one_finding_for_each_harm(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    place = sealed(catalog(tmp_path), tmp_path, ID)
    harm(place)
    [sentence] = findings(place, TRUST)
    assert str(place) in sentence


def test_a_backup_under_another_name_or_half_made_is_refused(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    assert "never finished" in findings(half_made(there, tmp_path, IDS[2]), TRUST)[0]
    _rename(sealed(there, tmp_path, ID))
    assert ID in findings(tmp_path / IDS[0], TRUST)[0]
    assert "there is no backup" in findings(tmp_path / IDS[5], TRUST)[0]


@pytest.mark.parametrize("lack", ["stray", "missing", "unnoted", "empty", "name"])
def test_what_is_not_whole_is_not_sealed(tmp_path: Path, lack: str) -> None:
    there = catalog(tmp_path)
    partial = half_made(there, tmp_path, ID)
    if lack == "stray":
        (partial / "first" / "stray").touch()
    elif lack == "missing":
        (partial / "first" / FILE).unlink()
    elif lack == "unnoted":
        (partial / "first" / PARTS).unlink()
    elif lack == "empty":
        (partial / "first" / PARTS).write_bytes(b"")
    else:
        partial = partial.rename(tmp_path / "x.partial")
    with pytest.raises(BackupsError):
        seal(partial, subjects(there), project="a", environment="b", encryption="", exporter="0", key=KEY)
    assert partial.is_dir()


def test_a_database_that_the_catalog_names_must_be_there(tmp_path: Path) -> None:
    text = "project: a\nservices: {}\nstores: {db: {engine: postgresql, databases: [x], backup: true}}\n"
    there = catalog_of(tmp_path, text)
    partial = tmp_path / f"{ID}.partial"
    (partial / "db").mkdir(parents=True)
    (partial / "db" / "1").touch()
    (partial / "db" / PARTS).write_bytes(b"file\x001\0database\0y\0")
    with pytest.raises(BackupsError, match="no database 'x'"):
        seal(partial, subjects(there), project="a", environment="b", encryption="", exporter="0", key=KEY)


def test_the_newest_of_each_name_are_kept(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    for id in IDS[:4]:  # noqa: A001
        sealed(there, tmp_path, id)
    sealed(there, tmp_path, IDS[4], ("first",))
    removed = prune(tmp_path, {"first": 2, "second": 2}, TRUST)
    assert [path.name for path in removed.removed] == [IDS[1], IDS[0]]
    assert removed.findings == []
    prune(tmp_path, {"first": 1, "second": 1}, TRUST)
    assert [path.name for path in whole_backups(tmp_path)] == [IDS[4], IDS[3]]


@pytest.mark.parametrize("harm", [_truncate, _alter, _lose_manifest])
def test_the_last_good_one_stays_while_newer_ones_are_broken(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    there = catalog(tmp_path)
    places = [sealed(there, tmp_path, each) for each in IDS[:4]]
    for place in places[1:]:
        harm(place)
    pruned = prune(tmp_path, dict.fromkeys(NAMES, 1), TRUST)
    assert places[0].is_dir()
    assert pruned.findings
    for place in places[1:]:
        assert place.is_dir(), "a newer broken backup must be kept so that a person can examine it"


def test_broken_ones_go_when_good_ones_are_newer(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    _truncate(sealed(there, tmp_path, IDS[0]))
    sealed(there, tmp_path, IDS[1])
    assert [path.name for path in prune(tmp_path, dict.fromkeys(NAMES, 1), TRUST).removed] == [IDS[0]]


@pytest.mark.parametrize("trust", [Trust(Key(bytes(32))), Trust(None)], ids=["replaced", "missing"])
def test_backups_of_another_key_are_kept_as_long_as_others(tmp_path: Path, trust: Trust) -> None:
    there = catalog(tmp_path)
    for id in IDS[:3]:  # noqa: A001
        sealed(there, tmp_path, id)
    sealed(there, tmp_path, IDS[3], key=Key(bytes(32)))
    assert prune(tmp_path, dict.fromkeys(NAMES, 4), trust).removed == []
    assert [path.name for path in prune(tmp_path, dict.fromkeys(NAMES, 2), trust).removed] == [IDS[1], IDS[0]]


def test_a_link_to_a_backup_goes_and_what_it_points_to_stays(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    moved = sealed(there, tmp_path, IDS[0]).rename(tmp_path / "moved")
    (tmp_path / IDS[0]).symlink_to(moved)
    sealed(there, tmp_path, IDS[1])
    assert [path.name for path in prune(tmp_path, dict.fromkeys(NAMES, 1), TRUST).removed] == [IDS[0]]
    assert [path.name for path in whole_backups(tmp_path)] == [IDS[1]]
    assert (moved / NAMES[0]).is_dir()


def test_what_dead_runs_left_goes_after_a_day_and_names_that_are_unknown_stay(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    partial = half_made(there, tmp_path, IDS[3])
    for id in IDS[:3]:  # noqa: A001
        sealed(there, tmp_path, id)
    (tmp_path / f"{IDS[4]}.removed").mkdir()
    assert [path.name for path in prune(tmp_path, {}, TRUST).removed] == [f"{IDS[4]}.removed"]
    assert prune(tmp_path, {}, TRUST, now=time.time() + DEAD_SECONDS + 10).removed == [partial]
    assert len(whole_backups(tmp_path)) == 3


def test_room_is_asked_for_by_the_last_size(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    place = sealed(there, tmp_path, ID)
    check_room(tmp_path, NAMES, TRUST)
    text = (place / MANIFEST).read_text().replace(f'"bytes": {len(ID) + 6}', f'"bytes": {2**52}')
    (place / MANIFEST).write_text(text)
    (place / CODE).write_text(KEY.seal(text.encode()))
    with pytest.raises(BackupsError, match="MiB free"):
        check_room(tmp_path, NAMES, TRUST)


def test_markers_say_how_it_went(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    folder = backups_folder(there)
    them = chosen(there, ["first"])
    begin(there, them.values(), 60)
    place = sealed(there, folder, ID, ("first",))
    end(there, them.values(), backup=place, error=None, trust=TRUST)
    begin(there, them.values(), 60)
    end(there, them.values(), backup=None, error="it\x1b[31m \nbroke")
    marker = parse_marker((folder / "markers" / "first.json").read_text(), "first")
    assert marker.last_success is not None
    assert (marker.last_success.backup, marker.last_success.size_bytes) == (ID, len(f"first {ID}"))
    assert marker.last_run is not None
    assert marker.last_run.error == "it [31m broke"
    with pytest.raises(BackupsError, match="no run was begun"):
        end(there, them.values(), backup=place, error=None, trust=TRUST)


def test_what_is_saved_of_the_example() -> None:
    from exporter.catalog.loading import load_catalog

    found = subjects(load_catalog(EXAMPLE, "production"))
    assert list(found) == ["postgres", "mongodb", "redis", "forms-cache", "document-storage", "configuration"]
    assert found["postgres"].writers == ("form-version-processor", "layout-backend")
    assert found["postgres"].secret == "db_password"
    assert found["forms-cache"].service == "form-version-processor"
    assert found["document-storage"].writers == ("sys-version-processor",)


def test_a_store_on_a_volume_writes_to_it(tmp_path: Path) -> None:
    text = (
        "project: a\nservices: {web: {image: web, port: 80, depends_on: db}}\n"
        "stores: {db: {engine: postgresql, volume: data, backup: true}}\nvolumes: {data: {backup: true}}\n"
    )
    found = subjects(catalog_of(tmp_path, text))
    assert found["db"].writers == ("web",)
    assert found["data"].writers == ("db",)


def _tar(folder: Path, names: list[str]) -> bytes:
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        for name in names:
            archive.add(folder / name, name)
    return text.getvalue()


def test_an_inventory_is_of_the_tree_and_not_of_its_order(tmp_path: Path) -> None:
    (tmp_path / "a\n").write_text("a")
    os.link(tmp_path / "a\n", tmp_path / "-b")
    (tmp_path / "c").mkdir()
    passed = io.BytesIO()
    archive = _tar(tmp_path, ["a\n", "-b", "c"])
    first = inventory(io.BytesIO(archive), passed)
    assert passed.getvalue() == archive
    assert inventory(io.BytesIO(_tar(tmp_path, ["c", "-b", "a\n"]))) != ""
    assert json.loads(first)["files"] == 2
    (tmp_path / "a\n").write_text("b")
    assert inventory(io.BytesIO(_tar(tmp_path, ["a\n", "-b", "c"]))) != first
    with pytest.raises(BackupsError):
        inventory(io.BytesIO(archive[:700]))


def test_the_configuration_goes_and_comes_back(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deploy $x\n").mkdir(parents=True)
    (source / "deploy $x\n" / "-f").write_text("old")
    (target / ".configuration-restore" / "of one that was killed").mkdir(parents=True)
    text = io.BytesIO()
    pack(source, ["deploy $x\n"], text)
    text.seek(0)
    assert unpack(text, target) == ["deploy $x\n/-f"]
    assert (target / "deploy $x\n" / "-f").read_text() == "old"
    assert [path.name for path in target.iterdir()] == ["deploy $x\n"]
    with pytest.raises(BackupsError, match="not below"):
        pack(source, ["../target"], io.BytesIO())
    with pytest.raises(BackupsError, match="there is no"):
        pack(source, ["gone"], io.BytesIO())
