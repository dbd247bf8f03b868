"""Backups that a user selects: where they are searched, and that they are verified before anything else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from exporter.backups import finding
from exporter.backups.finding import find
from exporter.backups.subjects import BackupsError
from tests.backups.folders import TRUST, catalog, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.backups.authentic import Trust
    from exporter.catalog.catalog import Catalog

OLD, NEW = "20260101T030000Z", "20260102T030000Z"
BUCKET = ", s3: shop-backups"


def _quiet(_: str) -> None: ...


class FakeBucket:
    """A bucket that is a folder."""

    place: Path

    def __init__(self, catalog: Catalog) -> None: ...

    def backups(self) -> list[str]:
        return sorted((path.name for path in self.place.iterdir()), reverse=True)

    def download(self, id: str, folder: Path, trust: Trust) -> Path:  # noqa: A002, ARG002 - as the bucket calls them
        if id not in self.backups():
            raise BackupsError("it has no manifest.json")
        shutil.copytree(self.place / id, folder / id)
        return folder / id


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    FakeBucket.place = tmp_path / "bucket"
    FakeBucket.place.mkdir()
    monkeypatch.setattr(finding, "Bucket", FakeBucket)
    return FakeBucket.place


def test_the_newest_here_and_else_the_newest_in_the_bucket(tmp_path: Path, bucket: Path) -> None:
    there = catalog(tmp_path, BUCKET)
    folder = tmp_path / "backups" / "staging"
    said: list[str] = []
    with pytest.raises(BackupsError, match="and none in the bucket shop-backups"):
        find(there, folder, "latest", TRUST, said.append)
    sealed(there, bucket, NEW)
    found = find(there, folder, "latest", TRUST, said.append)
    assert (found.folder, found.manifest.id) == (folder / NEW, NEW)
    assert said[0] == f"downloading {NEW} from the bucket shop-backups"
    said.clear()
    sealed(there, bucket, "20260103T030000Z")
    assert find(there, folder, "latest", TRUST, said.append).manifest.id == NEW, (
        "the local backup must be preferred"
    )
    assert said == [f"verifying {folder / NEW}"]
    with pytest.raises(BackupsError, match="could not be downloaded from the bucket shop-backups: it has no"):
        find(there, folder, OLD, TRUST, said.append)


def test_a_folder_anywhere(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    place = sealed(there, tmp_path / "else where", OLD)
    assert find(there, tmp_path, str(place), TRUST, _quiet).folder == place
    with pytest.raises(BackupsError, match="there is no folder"):
        find(there, tmp_path, f"{place}/x", TRUST, _quiet)


@pytest.mark.parametrize("wanted", ["", "..", "yesterday", f"{NEW}.partial", f"{NEW}\n", "\x1b[2J"])
def test_what_is_no_backup_is_refused_and_shown_without_harm(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(BackupsError, match="is not a backup; give an id such as") as caught:
        find(catalog(tmp_path), tmp_path, wanted, TRUST, _quiet)
    assert str(caught.value).isprintable()


def test_one_that_is_not_whole_is_refused_with_each_reason(tmp_path: Path) -> None:
    there = catalog(tmp_path)
    place = sealed(there, tmp_path, NEW)
    (place / "first" / "volume.tar.gz").write_text("altered")
    said: list[str] = []
    with pytest.raises(BackupsError, match="cannot be restored; see the problems above"):
        find(there, tmp_path, NEW, TRUST, said.append)
    assert "bytes instead of" in said[-1]
