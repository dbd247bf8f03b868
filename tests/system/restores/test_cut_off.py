"""The state after an interrupted restore or drill: it is never taken for complete, and nothing else is lost."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.stopped_scripts import half_of, spoil
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.backing_up import Site
    from tests.system.stopped_scripts import Gate

pytestmark = pytest.mark.timeout(900)


def test_nobody_takes_for_whole_what_is_there_by_half(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate
) -> None:
    backup, contents = saved
    half = half_of(site, backup, "db", "*.dump")
    with gate.start("restore", backup, "db", "drafts", "--yes", at="*pg_restore*", half=half) as script:
        script.kill()
    again = f"exporter restore -e staging {backup} db drafts"
    assert again in site.script("status").stdout
    deploy = site.script("deploy", "--dry-run", "--tag", "v1")
    assert deploy.returncode == 1
    assert again in deploy.stderr
    # A backup of it would eventually push out the good ones.
    assert site.script("backup", "db").returncode == 1
    assert "is incomplete, so it was not saved" in site.marker("db")["last_run"]["error"]
    other = site.script("restore", backup, "cache", "--yes")
    assert other.returncode == 1
    assert again in other.stderr
    site.restore(backup, "db", "drafts", "--yes", **gate.variables())
    assert site.contents() == contents
    assert again not in site.script("deploy", "--dry-run", "--tag", "v1").stderr


def test_what_a_killed_script_had_started_is_waited_for(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate, tmp_path: Path
) -> None:
    backup, contents = saved
    spoil(site, "db")
    site.engine.docker("stop", site.container("db"))
    with gate.start("restore", backup, "db", "--yes", at="*up -d --no-deps --no-build db") as script:
        script.kill_alone()
        assert site.told()["cut_off"] is False, "Compose still works on it"
        said = tmp_path / "said"
        with said.open("w") as stream:
            other = subprocess.Popen(
                [site.folder / "scripts" / "restore.sh", "staging", backup, "db", "--yes"],
                stdin=subprocess.DEVNULL,
                stderr=stream,
                env=site.variables(**gate.variables()),
            )
        try:
            waits = "waiting for programs that a killed command left running"
            until(lambda: waits in said.read_text() or other.poll() is not None, waits, 60)
            script.open()
            assert other.wait(110) == 0, said.read_text()
            assert waits in said.read_text()
        finally:
            other.kill()
    assert site.contents() == contents
    assert gate.leftovers() == set()


def test_two_at_once(site: Site, saved: tuple[str, dict[str, Any]], gate: Gate) -> None:
    backup, _ = saved
    with gate.start("restore", "--drill", backup, "drafts", at="*restore /drill*") as script:
        for other in (
            ("restore", backup, "drafts", "--yes"),
            ("restore", "--drill", backup),
            ("backup", "drafts"),
        ):
            done = site.script(*other)
            assert done.returncode == 1
            assert "is running; try again" in done.stderr
        status, said = script.end()
    assert status == 0, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_interrupted_says_the_step_the_journal_and_the_next_command(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate, number: signal.Signals
) -> None:
    backup, contents = saved
    spoil(site, "db")
    half = half_of(site, backup, "db", "*.dump")
    with gate.start("restore", backup, "db", "--yes", at="*pg_restore*", half=half) as script:
        script.process.send_signal(number)
        status = script.process.wait(30)
        said = (script.folder / "said").read_text(errors="replace")
    assert status == 130
    assert 'at the step "db": interrupted' in said
    assert "The journal was kept" in said
    assert f"Next: exporter restore -e staging {backup} db" in said
    assert "Traceback" not in said
    site.restore(backup, "db", "--yes", **gate.variables())
    assert site.contents() == contents
    assert gate.leftovers() == set()


def test_a_lost_engine_is_not_taken_for_a_backup_that_is_not_good(
    site: Site, saved: tuple[str, dict[str, Any]], gate: Gate
) -> None:
    backup, contents = saved
    spoil(site, "drafts")
    with gate.start("restore", backup, "drafts", "--yes", at="*restore /app/data/*") as script:
        site.engine.stop()
        try:
            status, said = script.end()
        finally:
            site.engine.start()
            site.compose("up", "-d")
            until(site.redis_answers, "Redis", 60)
    assert status == 3
    assert "does not answer" in said
    assert "The journal was kept" in said
    assert f"Next: exporter restore -e staging {backup} drafts" in said
    assert "was not restored" not in said
    assert "Traceback" not in said
    assert site.told()["cut_off"] is True
    site.restore(backup, "drafts", "--yes", **gate.variables())
    assert site.contents() == contents


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
