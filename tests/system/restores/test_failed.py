"""Restores that fail and say so: the data to be replaced is unchanged, and a later restore succeeds."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from exporter.backups.keys import KEY_FILE, read_key
from exporter.backups.manifest import CODE, MANIFEST
from tests.system.stopped_scripts import spoil
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.backing_up import Site

pytestmark = pytest.mark.timeout(900)


def halved(site: Site, backup: str, name: str, pattern: str, folder: Path) -> Path:
    """Return the backup with the last such file cut in half: its checksums and code are right, its content is not."""
    place = folder / backup
    shutil.copytree(site.backups / backup, place)
    file = sorted((place / name).glob(pattern))[-1]
    content = file.read_bytes()
    content = content[: len(content) // 2]
    file.write_bytes(content)
    manifest = json.loads((place / "manifest.json").read_text())
    for subject in manifest["subjects"]:
        for one in subject["files"]:
            if one["path"] == str(file.relative_to(place)):
                one["bytes"], one["sha256"] = len(content), hashlib.sha256(content).hexdigest()
    text = json.dumps(manifest)
    (place / MANIFEST).write_text(text)
    (place / CODE).write_text(read_key(site.folder / "secrets" / KEY_FILE).seal(text.encode()))
    return place


@pytest.mark.parametrize(("name", "pattern"), [("db", "003.dump"), ("cache", "dump.rdb")])
def test_a_store_that_cannot_be_restored_keeps_what_it_had(
    site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path, name: str, pattern: str
) -> None:
    backup, contents = saved
    spoil(site, name)
    before = site.contents()
    broken = halved(site, backup, name, pattern, tmp_path)
    done = site.script("restore", str(broken), name, "--yes")
    assert done.returncode == 1
    assert f"{name} was not restored" in done.stderr
    assert f"putting back {'the database forms' if name == 'db' else 'cache'} as it was" in done.stderr
    if name == "cache":
        until(site.redis_answers, "Redis")
    assert site.contents() == before != contents
    # The record contains the backup's name in a form that a shell reads.
    assert f"exporter restore -e staging {broken} {name}" in done.stderr
    site.restore(backup, name, "--yes")
    assert site.contents() == contents


def test_files_of_redis_that_were_moved_by_half_are_what_it_had(
    site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Simulate a power failure after one of the files was moved, and a start of Redis with the rest."""
    backup, contents = saved
    spoil(site, "cache")
    before = site.contents()
    container, data = site.container("cache"), site.volume("cache-data")
    site.engine.docker("stop", container)
    log = next(path for path in data.iterdir() if path.name.startswith("appendonly"))
    (data / ".before-restore").mkdir()
    log.rename(data / ".before-restore" / log.name)
    site.engine.docker("start", container)
    until(site.redis_answers, "Redis")
    broken = halved(site, backup, "cache", "dump.rdb", tmp_path)
    assert site.script("restore", str(broken), "cache", "--yes").returncode == 1
    until(site.redis_answers, "Redis")
    assert site.contents() == before
    site.restore(backup, "cache", "--yes")
    assert site.contents() == contents


def test_a_volume_whose_disk_is_full_is_not_restored_and_is_when_there_is_room(
    site: Site, saved: tuple[str, dict[str, Any]]
) -> None:
    backup, contents = saved
    place = site.volume("documents")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", place], check=True)
    try:
        done = site.script("restore", backup, "documents", "--yes")
    finally:
        subprocess.run(["umount", place], check=True)
    assert done.returncode == 1
    assert "documents was not restored: filling the volume documents failed" in done.stderr
    assert "No space left on device" in done.stderr
    assert f"exporter restore -e staging {backup} documents" in done.stderr
    site.restore(backup, "documents", "--yes")
    assert site.contents() == contents


def test_a_file_of_sqlite_stays_as_it_is_when_its_backup_cannot_be_read(
    site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    backup, contents = saved
    before = site.contents()["drafts"]
    broken = halved(site, backup, "drafts", "database.gz", tmp_path)
    done = site.script("restore", str(broken), "drafts", "--yes")
    assert done.returncode == 1
    assert "drafts was not restored" in done.stderr
    assert site.contents()["drafts"] == before == contents["drafts"]
    site.restore(backup, "drafts", "--yes")
