"""Backups made and restored by the commands, on a real engine with real stores. All data is destroyed and must be
restored in full; an incomplete backup is never restored.

MongoDB has its own module, test_backup_mongodb.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.backing_up import CONFIGURATION, ENVIRONMENT, NAMES, Site, key_pair
from tests.system.stopped_scripts import filled_site
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with filled_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def drafts(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a complete backup of the SQLite file, outside the reach of retention."""
    whole = site.backups / site.backup("drafts")
    return Path(shutil.copytree(whole, tmp_path_factory.mktemp("drafts") / whole.name))


def test_all_that_was_there_is_there_again_after_everything_was_destroyed(site: Site) -> None:
    before = site.contents()
    backup = site.backup()
    assert {
        name: site.marker(name)["last_success"]["backup"] for name in (*NAMES, "configuration")
    } == dict.fromkeys((*NAMES, "configuration"), backup)
    site.destroy()
    said = site.restore(backup, "--yes")
    assert "healthy" in said
    assert site.contents() == before


def test_a_drill_restores_everything_and_touches_nothing(site: Site) -> None:
    before, running = site.contents(), sorted(site.engine.docker("ps", "-aq", "--no-trunc").split())
    volumes = sorted(site.engine.docker("volume", "ls", "-q").split())
    backup = site.backup()
    site.restore("--drill")
    assert {name: site.marker(name)["last_drill"]["success"] for name in NAMES} == dict.fromkeys(NAMES, True)
    assert site.marker("db")["last_drill"]["backup"] == backup
    assert site.contents() == before
    assert sorted(site.engine.docker("ps", "-aq", "--no-trunc").split()) == running
    assert sorted(site.engine.docker("volume", "ls", "-q").split()) == volumes


def test_one_store_is_restored_alone_and_what_came_since_is_gone(site: Site) -> None:
    before = site.contents()
    backup = site.backup("db", "cache")
    site.sql("forms", "CREATE TABLE later AS SELECT 1; DELETE FROM empty")
    site.redis("FLUSHALL")
    site.redis("SET", "later", "1")
    site.restore(backup, "db", "cache", "--yes")
    assert site.contents() == before
    # The append-only file was replaced too; otherwise a restart would bring the later key back.
    site.engine.docker("restart", site.container("cache"))
    until(site.redis_answers, "Redis")
    assert site.contents()["keys"] == before["keys"]


@pytest.mark.parametrize("harm", ["truncated", "altered", "missing", "added", "manifest", "unfinished"])
def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(
    site: Site, drafts: Path, harm: str, tmp_path: Path
) -> None:
    broken = tmp_path / (drafts.name + (".partial" if harm == "unfinished" else ""))
    shutil.copytree(drafts, broken)
    file = broken / "drafts" / "database.gz"
    content = file.read_bytes()
    if harm == "truncated":
        file.write_bytes(content[:-10])
    elif harm == "altered":
        file.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif harm == "missing":
        file.unlink()
    elif harm == "added":
        (broken / "more").touch()
    elif harm == "manifest":
        manifest = broken / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"drafts"', '"Drafts"'))
    started = site.engine.docker("inspect", "--format", "{{.State.StartedAt}}", site.container("api"))
    done = site.script("restore", str(broken), "--yes")
    assert done.returncode == 1
    assert str(broken) in done.stderr
    assert site.engine.docker("inspect", "--format", "{{.State.StartedAt}}", site.container("api")) == started


def test_nothing_is_restored_unasked_or_of_what_is_not_there(site: Site) -> None:
    backup = site.backup("drafts")
    assert "not confirmed" in site.script("restore", backup).stderr
    assert site.script("restore", backup, "db", "--yes").returncode == 2
    assert site.script("restore", "20200101T000000Z", "--yes").returncode == 1
    assert site.script("restore", "-x").returncode == 2
    assert site.script("backup", "unknown").returncode == 2
    assert site.script("backup", "$(id)").returncode == 2


def test_one_failed_step_fails_the_backup_and_says_which_but_keeps_the_rest(site: Site) -> None:
    good = site.backup()
    site.engine.docker("stop", site.container("cache"))
    try:
        done = site.script("backup", "cache", "drafts")
    finally:
        site.engine.docker("start", site.container("cache"))
        until(site.redis_answers, "Redis")
    assert done.returncode == 1
    assert "cache is not running" in done.stderr
    marker = site.marker("cache")
    assert marker["last_run"]["success"] is False
    assert "cache is not running" in marker["last_run"]["error"]
    assert marker["last_success"]["backup"] == good
    assert site.marker("drafts")["last_run"]["success"] is True


_LYING = r"""
set -e
mv "$(command -v redis-cli)" /usr/bin/honest-redis-cli
cat >/usr/bin/redis-cli <<'SH'
#!/bin/sh
case "$*" in
  *LASTSAVE*) cat /tmp/lie ;;
  *) exec /usr/bin/honest-redis-cli "$@" ;;
esac
SH
chmod 755 /usr/bin/redis-cli
"""


@pytest.fixture
def lying(site: Site) -> Iterator[str]:
    """Start a Redis container whose LASTSAVE is the content of /tmp/lie."""
    container = site.container("cache")
    there = site.inside("cache", "sh", "-c", "command -v redis-cli")
    assert there == "/usr/bin/redis-cli"
    site.engine.docker("exec", "--user", "0", container, "sh", "-c", _LYING)
    try:
        yield container
    finally:
        site.engine.docker(
            *("exec", "--user", "0", container, "mv", "/usr/bin/honest-redis-cli", "/usr/bin/redis-cli")
        )


@pytest.mark.parametrize(
    "lie",
    [
        "BASH_VERSINFO[$(touch {mark})]",
        "x[$(touch {mark}; echo 1)]",
        "$(touch {mark})",
        "1; touch {mark}",
        "",
    ],
)
def test_a_redis_that_lies_runs_nothing_on_the_host(site: Site, lying: str, lie: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    there = sorted(site.backups.glob("*Z*"))
    text = lie.replace("{mark}", str(mark))
    site.engine.docker("exec", "--user", "0", lying, "sh", "-c", 'printf %s "$1" >/tmp/lie', "sh", text)
    done = site.script("backup", "cache")
    assert done.returncode == 1
    assert "the time of the last save of cache is not a number" in done.stderr
    assert not mark.exists()
    assert sorted(site.backups.glob("*Z*")) == there


def test_a_redis_that_never_ends_its_answer_is_cut_off(site: Site, lying: str) -> None:
    site.engine.docker("exec", "--user", "0", lying, "sh", "-c", "rm -f /tmp/lie; ln -s /dev/zero /tmp/lie")
    try:
        done = site.script("backup", "cache")
    finally:
        site.engine.docker("exec", "--user", "0", lying, "rm", "/tmp/lie")
    assert done.returncode == 1
    assert "triggering a save of cache failed: the answer is longer than" in done.stderr


def test_a_full_disk_fails_the_backup_and_keeps_the_earlier_ones(site: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        first = site.backup("documents", BACKUP_FOLDER=str(disk))
        big = site.volume("documents") / "big"
        big.write_bytes(os.urandom(3_000_000))
        try:
            done = site.script("backup", "documents", BACKUP_FOLDER=str(disk))
        finally:
            big.unlink()
        assert done.returncode == 1, done.stderr
        folder = disk / ENVIRONMENT
        assert [path.name for path in folder.iterdir() if path.is_dir() and path.name != "markers"] == [first]
        assert site.script("restore", first, "--dry-run", BACKUP_FOLDER=str(disk)).returncode == 0
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_encrypted_backup_needs_its_key(site: Site, tmp_path: Path) -> None:
    public, private = key_pair(tmp_path)
    before = site.contents()
    site.write(f', encrypt: {{recipient_file: "{public}", tool: gpg}}')
    try:
        backup = site.backup()
        stored = b"".join(path.read_bytes() for path in (site.backups / backup).rglob("*") if path.is_file())
        assert b"PGDMP" not in stored
        assert b"REDIS" not in stored
        assert "BACKUP_IDENTITY_FILE" in site.script("restore", backup, "--yes").stderr
        site.restore(backup, "--yes", BACKUP_IDENTITY_FILE=str(private))
        public.unlink()
        done = site.script("backup")
        assert done.returncode == 1
        assert "public key" in done.stderr
    finally:
        site.write()
    assert site.contents() == before


def test_a_killed_backup_is_no_backup_and_the_next_one_works(site: Site) -> None:
    process = subprocess.Popen(
        [site.folder / "scripts/backup.sh", ENVIRONMENT, "db"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=site.variables(),
    )
    until(lambda: list(site.backups.glob("*.partial/db/*.dump")), "the backup to be under way")
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    [partial] = site.backups.glob("*.partial")
    assert site.script("restore", str(partial), "--yes").returncode == 1
    until(lambda: site.script("backup", "drafts").returncode == 0, "the killed one's children to end")
    assert not partial.exists()
    site.backup("db")
    assert site.marker("db")["last_run"]["success"] is True


def test_two_at_once_and_the_configuration(site: Site) -> None:
    backup = site.backup("configuration")
    place = site.folder / CONFIGURATION / "-x"
    place.write_text("changed")
    with (site.backups / ".lock").open("a") as lock:
        subprocess.run(["flock", "--nonblock", str(lock.fileno())], pass_fds=[lock.fileno()], check=True)
        done = site.script("backup", "drafts")
        assert done.returncode == 1
        assert "is running; try again" in done.stderr
    site.restore(backup, "configuration", "--yes")
    assert place.read_text() == "as it was"


def test_no_secret_is_shown(site: Site) -> None:
    done = site.script("backup")
    text = done.stdout + done.stderr
    for path in site.backups.rglob("*.json"):
        text += path.read_text()
    assert "pa$$word" not in text
