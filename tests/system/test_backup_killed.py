"""A backup killed at each of its steps, or out of disk space: earlier backups stay good, and the
next one cleans up."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.system.backing_up import ENVIRONMENT, key_pair
from tests.system.stopped_scripts import Gate, filled_site
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.backing_up import Site

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with filled_site(tmp_path_factory.mktemp("site")) as site:
        site.backup()
        yield site


@pytest.fixture
def gate(site: Site, tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate", site)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a folder with 2 MB of space."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def backups(folder: Path) -> list[str]:
    """Return all backups in it, complete or not."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "markers")


def fill(disk: Path) -> Path:
    """Create the file that uses all the space."""
    place = disk / "rest"
    with place.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return place


STOPS = {
    "database": ("db", "*pg_dump -Fc*"),
    "link to what Redis saved": ("cache", "*sh /data dump.rdb copy*"),
    "volume": ("documents", "*-C /volume -cf*"),
    "seal": ("drafts", "backups seal*"),
    "end": ("drafts", "backups mark end*"),
    "prune": ("drafts", "backups prune*"),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_killed_backup_harms_no_other_and_the_next_one_clears_away(
    site: Site, gate: Gate, stop: str
) -> None:
    name, at = STOPS[stop]
    good = site.marker(name)["last_success"]["backup"]
    there = backups(site.backups)
    with gate.start("backup", name, at=at) as script:
        script.kill()
    sealed = stop in {"end", "prune"}
    assert bool(gate.leftovers()) is not sealed
    new = [each for each in backups(site.backups) if each not in there]
    assert [each.endswith(".partial") for each in new] == [not sealed]
    latest = new[0] if sealed else max(there)
    assert f"from the backup {latest}" in site.script("restore", "latest", "--dry-run").stderr
    marker = site.marker(name)
    assert (marker.get("current_run") is None) is (stop == "prune")
    assert marker["last_success"]["backup"] == (latest if stop == "prune" else good)
    assert site.script("restore", good, name, "--dry-run").returncode == 0
    done = site.backup(name, **gate.variables())
    assert site.marker(name)["last_success"]["backup"] == done
    assert gate.leftovers() == set()
    assert not (site.volume("cache-data") / ".backup-copy.rdb").exists()


def test_a_backup_that_was_removed_by_half_is_none_and_goes(site: Site, gate: Gate) -> None:
    going = site.backups / "20200101T000000Z.removed"
    (going / "drafts").mkdir(parents=True)
    assert site.script("restore", "20200101T000000Z", "--yes").returncode == 1
    site.backup("drafts", **gate.variables())
    assert not going.exists()


def test_a_disk_that_is_full_when_it_is_sealed(site: Site, gate: Gate, disk: Path) -> None:
    here = gate.variables(BACKUP_FOLDER=str(disk))
    first = site.backup("drafts", **here)
    folder = disk / ENVIRONMENT
    with gate.start("backup", "drafts", at="backups seal*", more={"BACKUP_FOLDER": str(disk)}) as script:
        rest = fill(disk)
        status, said = script.end()
    assert status == 1
    assert "No space left on device" in said
    assert "drafts: the backup could not be sealed" in said
    assert backups(folder) == [first]
    rest.unlink()
    assert site.script("restore", first, "--dry-run", **here).returncode == 0
    second = site.backup("drafts", **here)
    assert backups(folder) == [first, second]


def test_a_backup_for_which_there_is_no_room_has_failed(site: Site, disk: Path) -> None:
    big = site.volume("documents") / "big"
    big.write_bytes(os.urandom(1_200_000))
    try:
        site.backup("documents", BACKUP_FOLDER=str(disk))
        done = site.script("backup", "documents", BACKUP_FOLDER=str(disk))
    finally:
        big.unlink()
    assert done.returncode == 1
    assert "MiB free" in done.stderr
    marker = (disk / ENVIRONMENT / "markers" / "documents.json").read_text()
    assert "MiB free" in marker


def test_no_room_for_temporary_files_is_no_success(
    site: Site, gate: Gate, disk: Path, tmp_path: Path
) -> None:
    good = site.marker("cache")["last_success"]["backup"]
    there = backups(site.backups)
    public, _ = key_pair(tmp_path)
    site.write(f', encrypt: {{recipient_file: "{public}", tool: gpg}}')
    try:
        with gate.start("backup", "cache", at="*LASTSAVE*", more={"TMPDIR": str(disk)}) as script:
            until(lambda: list(disk.glob("*/gnupg")), "its temporary folder")
            fill(disk)
            status, said = script.end()
    finally:
        site.write()
    assert status == 1, said
    assert "not saved: cache" in said
    assert backups(site.backups) == there
    marker = site.marker("cache")
    assert marker["last_run"]["success"] is False
    assert marker["last_success"]["backup"] == good
