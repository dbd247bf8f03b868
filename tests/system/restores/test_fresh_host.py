"""A host without the environment: missing parts are reported before the restore, and a drill needs no application."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from exporter.backups.keys import KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.backing_up import Site

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def fresh(site: Site, saved: tuple[str, dict[str, Any]], tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the variables of a new host: it has the catalog, the images and the backups, and a copy of the key
    elsewhere."""
    backup, _ = saved
    site.destroy()
    folder = tmp_path / "backups" / "staging"
    folder.mkdir(parents=True)
    shutil.copytree(site.backups / backup, folder / backup)
    shutil.copy(site.folder / "secrets" / KEY_FILE, tmp_path / "key")
    yield {
        "BACKUP_FOLDER": str(tmp_path / "backups"),
        "SECRETS_FOLDER": str(tmp_path / "secrets"),
        "STATE_FOLDER": str(tmp_path / "state"),
    }
    site.restore(backup, "--yes")


def test_a_drill_needs_no_application(
    site: Site, saved: tuple[str, dict[str, Any]], fresh: dict[str, str], tmp_path: Path
) -> None:
    backup, _ = saved
    refused = site.script("restore", "--drill", **fresh)
    assert refused.returncode == 1
    assert "give a copy of it with --key FILE" in refused.stderr
    done = site.script("restore", "--drill", "latest", "--key", str(tmp_path / "key"), "--json", **fresh)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["backup"] == backup
    assert set(told["restores"]) == {"db", "cache", "drafts", "documents", "configuration"}
    assert site.engine.docker("ps", "-aq") == ""
    assert not (tmp_path / "secrets" / KEY_FILE).exists()
    marker = json.loads((tmp_path / "backups/staging/markers/db.json").read_text())
    assert marker["last_drill"]["success"] is True


def test_the_dry_run_says_what_is_missing(
    site: Site, saved: tuple[str, dict[str, Any]], fresh: dict[str, str], tmp_path: Path
) -> None:
    backup, _ = saved
    key = ("--key", str(tmp_path / "key"))
    assert site.script("restore", backup, "--dry-run", *key, **fresh).returncode == 0
    lost = site.folder / "secrets" / "db_password"
    content = lost.read_bytes()
    lost.unlink()
    site.engine.docker("tag", "busybox:local", "busybox:gone")
    site.engine.docker("rmi", "busybox:gone")
    try:
        for words in (("--dry-run",), ("--yes",), ("--bare",)):
            done = site.script("restore", backup, *words, *key, **fresh, BACKUP_IMAGE="registry.invalid/no:1")
            assert done.returncode == 1
            assert "missing: the secret db_password" in done.stderr
            assert "missing: the image registry.invalid/no:1" in done.stderr
            assert "2 problems, see above; nothing was changed" in done.stderr
            assert site.engine.docker("ps", "-aq") == ""
            assert not os.path.lexists(tmp_path / "state" / "restoring")
    finally:
        lost.write_bytes(content)


def test_a_bare_host_is_restored_without_asking_and_keeps_the_key(
    site: Site, saved: tuple[str, dict[str, Any]], fresh: dict[str, str], tmp_path: Path
) -> None:
    backup, contents = saved
    said = site.restore(backup, "--bare", "--key", str(tmp_path / "key"), **fresh)
    assert "db.forms.public.empty: 0 saved, 0 restored" in said
    assert site.contents() == contents
    key = tmp_path / "secrets" / KEY_FILE
    assert key.read_bytes() == (tmp_path / "key").read_bytes()
    assert key.stat().st_mode & 0o7777 == 0o400
    again = site.script("restore", backup, "--bare", **fresh)
    assert again.returncode == 1
    assert "--bare needs a host without containers of shop in staging" in again.stderr
