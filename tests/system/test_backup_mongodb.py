"""A MongoDB saved and restored by the generated scripts, in the generated containers.

The tests cannot download MongoDB's own server, `mongodump` and `mongorestore`, so FerretDB and `mongodb_tools.py`
replace them; mongosh is the real one. Not tested, because FerretDB lacks them: users other than the administrator and
roles, views, time series, replica sets.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from exporter.backups.keys import KEY_FILE, read_key
from exporter.backups.manifest import CODE, MANIFEST
from tests.docker_engine import DockerEngine
from tests.system.mongodb_image import import_mongodb
from tests.system.mongodb_site import COLLECTION, PASSWORD, STORES, MongoSite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.backups.keys import Key


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoSite]:
    with (
        tempfile.TemporaryDirectory(prefix="docker-") as folder,  # must be short: it holds sockets
        DockerEngine(Path(folder)) as engine,
    ):
        import_mongodb(engine)
        site = MongoSite(tmp_path_factory.mktemp("site") / "a b'c", engine)
        try:
            site.start()
            for store in STORES:
                site.fill(store)
            yield site
        finally:
            site.destroy()


@dataclass(frozen=True)
class Backup:
    """A backup and the data of the site. `said`: output of the script; `seen`: command lines of
    processes meanwhile."""

    id: str
    said: str
    seen: set[str]


@pytest.fixture(scope="module")
def backup(site: MongoSite) -> Backup:
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            seen.update(_command_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = site.script("backup")
    finally:
        ended.set()
        watcher.join()
    assert done.returncode == 0, done.stderr
    return Backup(done.stdout.strip(), done.stdout + done.stderr, seen)


def test_the_password_is_in_no_argument_of_a_process_and_in_nothing_that_is_said(backup: Backup) -> None:
    assert any("mongodump" in line and "--config=/dev/fd/3" in line for line in backup.seen)
    assert any("mongosh" in line for line in backup.seen)
    everything = "\n".join((*backup.seen, backup.said))
    for text in (PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD), PASSWORD.replace("\\", "\\\\")):
        assert text not in everything


def test_a_drill_restores_everything_and_touches_nothing(site: MongoSite, backup: Backup) -> None:
    before, running = site.contents(), sorted(site.engine.docker("ps", "-aq", "--no-trunc").split())
    volumes = sorted(site.engine.docker("volume", "ls", "-q").split())
    site.restore("--drill", backup.id, "docs")
    drill = site.marker()["last_drill"]
    assert (drill["success"], drill["backup"]) == (True, backup.id)
    assert site.contents() == before
    assert sorted(site.engine.docker("ps", "-aq", "--no-trunc").split()) == running
    assert sorted(site.engine.docker("volume", "ls", "-q").split()) == volumes


def test_a_restore_puts_back_what_was_saved_and_takes_away_what_came_since(
    site: MongoSite, backup: Backup
) -> None:
    before = site.contents()
    with site.client() as client:
        client["shop"]["orders"].drop_index("by text")
        client["shop"]["orders"].update_many({}, {"$set": {"text": "changed"}})
        client["shop"]["orders"].insert_one({"_id": "came since"})
        client["shop"][COLLECTION].delete_one({"_id": 7})
        client["shop"]["empty"].drop()
        client["shop"]["came since"].insert_one({})
        client["else"]["things"].insert_one({"_id": 1})
    said = site.restore(backup.id, "docs", "--yes")
    assert "healthy" in said
    restored = site.contents()
    assert restored.pop(("else", "things"))[
        0
    ]  # the backup knows nothing about databases that it does not contain
    assert restored == before
    with site.client() as client:
        client.drop_database("else")


def test_all_that_was_there_is_there_again_after_everything_was_destroyed_and_the_password_changed(
    site: MongoSite, backup: Backup
) -> None:
    before = {store: site.contents(store) for store in STORES}
    site.destroy()
    site.write_password(f"another {PASSWORD}")
    said = site.restore(backup.id, "--yes")
    assert "healthy" in said
    assert {store: site.contents(store) for store in STORES} == before


def test_a_drill_of_what_was_not_whole_when_it_was_sealed_fails_and_says_why(
    site: MongoSite, backup: Backup, tmp_path: Path
) -> None:
    bad = Path(shutil.copytree(site.backups / backup.id, tmp_path / backup.id))
    archive = bad / "docs" / "archive.gz"
    archive.write_bytes(archive.read_bytes()[:-4000])
    for name in ("before.counts", "after.counts"):
        counts = bad / "sealed" / name
        counts.write_text(counts.read_text().replace('["shop","orders",2500]', '["shop","orders",2501]'))
    _seal_again(bad, read_key(site.folder / "secrets" / KEY_FILE))
    done = site.script("restore", "--drill", str(bad))
    assert done.returncode == 1
    assert "Failed: " in done.stderr  # the tool's message with the reason
    assert "restoring docs failed" in site.marker("docs")["last_drill"]["error"]
    assert "shop.orders: 2501 saved, 2500 restored" in done.stderr
    assert "sealed differs from what was saved" in site.marker("sealed")["last_drill"]["error"]


def test_a_backup_that_cannot_log_in_fails_and_says_so(site: MongoSite) -> None:
    right = site.password
    before = sorted(site.backups.iterdir())
    site.write_password("a wrong one")
    try:
        done = site.script("backup", "docs")
    finally:
        site.write_password(right)
    assert done.returncode == 1
    assert "Authentication failed" in done.stderr
    assert "a wrong one" not in done.stderr
    assert site.marker()["last_run"]["error"] == "counting the documents of docs failed"
    assert sorted(site.backups.iterdir()) == before


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has exited
            continue


def _seal_again(backup: Path, key: Key) -> None:
    """Write the checksums of the files as they are now."""
    manifest = json.loads((backup / MANIFEST).read_text())
    for file in (file for subject in manifest["subjects"] for file in subject["files"]):
        content = (backup / file["path"]).read_bytes()
        file["bytes"], file["sha256"] = len(content), hashlib.sha256(content).hexdigest()
    text = json.dumps(manifest)
    (backup / MANIFEST).write_text(text)
    (backup / CODE).write_text(key.seal(text.encode()))
