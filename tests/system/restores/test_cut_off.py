"""What a restore or drill that did not come to its end leaves: nobody takes it for whole, and nothing else is lost."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.stopped_scripts import half_of, spoil
from tests.waiting import until

if TYPE_CHECKING:
    from tests.system.backing_up import Site
    from tests.system.stopped_scripts import Gate

pytestmark = pytest.mark.timeout(400)


def test_nobody_takes_for_whole_what_is_there_by_half(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate
) -> None:
    backup, contents = saved
    half = half_of(site, backup, "db", "*.dump")
    with gate.start("restore", backup, "db", "drafts", "--yes", at="*pg_restore*", half=half) as script:
        script.kill()
    again = f"scripts/restore.sh staging {backup} db drafts"
    assert again in site.script("status").stdout
    deploy = site.script("deploy", "--dry-run", "--tag", "v1")
    assert deploy.returncode == 1
    assert again in deploy.stderr
    # A backup of it would push out the good ones in the end.
    assert site.script("backup", "db").returncode == 1
    assert "not worth saving" in site.marker("db")["last_run"]["error"]
    other = site.script("restore", backup, "cache", "--yes")
    assert other.returncode == 1
    assert again in other.stderr
    site.restore(backup, "db", "drafts", "--yes", **gate.variables())
    assert site.contents() == contents
    assert again not in site.script("deploy", "--dry-run", "--tag", "v1").stderr


def test_what_a_killed_script_had_started_is_waited_for(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate
) -> None:
    backup, contents = saved
    spoil(site, "db")
    with gate.start("restore", backup, "db", "--yes", at="*pg_restore*", half=1000) as script:
        script.kill_alone()
        done = site.script("restore", backup, "db", "--yes")
        assert done.returncode == 1
        assert "under way" in done.stderr
        script.open()
        locks = [str(site.backups / ".lock"), str(site.folder / "state" / "lock")]
        until(lambda: all(map(_free, locks)), "the killed script's children to end", 60)
    assert site.told()["cut_off"] is True
    site.restore(backup, "db", "--yes", **gate.variables())
    assert site.contents() == contents
    assert gate.leftovers() == set()


def _free(lock: str) -> bool:
    return subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "at", "pattern"),
    [
        ("db", "*pg_restore*", "*.dump"),
        ("documents", "*tar -C /volume -xpf -*", "volume.tar.gz"),
        ("cache", "*sh put /data*", "dump.rdb"),
    ],
)
def test_what_a_killed_drill_left_goes_and_the_next_one_says_how_it_went(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate, name: str, at: str, pattern: str
) -> None:
    backup, _ = saved
    half = half_of(site, backup, name, pattern)
    with gate.start("restore", "--drill", backup, name, at=at, half=half) as script:
        script.kill()
    assert gate.leftovers()
    assert site.marker(name)["current_drill"] is not None
    with gate.start("restore", "--drill", backup, name, at=at, half=half) as script:
        last = site.marker(name)["last_drill"]
        assert (last["success"], last["finished"]) == (False, None)
        status, said = script.end()
    assert status == 0, said
    assert site.marker(name)["last_drill"]["success"] is True
    assert site.marker(name).get("current_drill") is None
    assert gate.leftovers() == set()


def test_a_drill_of_a_backup_that_is_not_whole_has_failed(
    site: Site, saved: tuple[str, dict[str, Any]]
) -> None:
    backup, _ = saved
    file = site.backups / backup / "drafts" / "counts"
    content = file.read_bytes()
    file.write_bytes(content[:-2])
    try:
        assert site.script("restore", "--drill", backup, "drafts").returncode == 1
    finally:
        file.write_bytes(content)
    drill = site.marker("drafts")["last_drill"]
    assert drill["success"] is False
    assert "cannot be restored" in drill["error"]
