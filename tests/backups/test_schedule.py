"""The times when backups are due, and the single entry on a host that runs them."""

from __future__ import annotations

import io
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from exporter.backups import marks
from exporter.backups.due import DRILL, Tried, plan_of
from exporter.backups.subjects import subjects
from exporter.catalog.values.cron import longest_step, next_run, shortest_step
from exporter.host import schedule as timer
from exporter.host.failures import OperationError
from exporter.host.screen import Screen
from exporter.host.site import Site
from exporter.host.state import StateFolder
from tests.outputs.catalogs import catalog_of

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = """
project: shop
services: {{web: {{image: web, port: 80, volumes: ["hourly:/a", "daily:/b"]}}}}
volumes: {{hourly: {{backup: {{schedule: "15 * * * *"}}}}, daily: {{backup: true}}}}
backup: {{directory: "{backups}", configuration: ["."], drill: {{schedule: "0 5 * * sun"}}}}
environments: {{staging: }}
"""
NOW = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("cron", "after", "wanted"),
    [
        ("0 3 * * *", "2026-11-30 02:59", "2026-11-30 03:00"),
        ("0 3 * * *", "2026-11-30 03:00", "2026-12-01 03:00"),
        ("*/15 * * * *", "2026-11-30 23:50", "2026-12-01 00:00"),
        ("0 5 * * sun", "2026-11-30 16:00", "2026-12-06 05:00"),
        ("0 5 * * 7", "2026-11-30 16:00", "2026-12-06 05:00"),
        ("0 0 1 jan *", "2026-11-30 16:00", "2027-01-01 00:00"),
        ("0 0 29 2 *", "2026-11-30 16:00", "2028-02-29 00:00"),
        ("0 0 13 * fri", "2026-11-30 16:00", "2026-12-04 00:00"),
        ("0 0 30 2 *", "2026-11-30 16:00", None),
    ],
)
def test_a_schedule_s_next_time(cron: str, after: str, wanted: str | None) -> None:
    found = next_run(cron, datetime.fromisoformat(after))
    assert found == (datetime.fromisoformat(wanted) if wanted else None)


@pytest.mark.parametrize(
    ("cron", "shortest", "longest"),
    [("15 * * * *", 3600, 3600), ("0 3 * * *", 86400, 86400), ("0 3,5 * * *", 7200, 79200)],
)
def test_a_schedule_s_steps(cron: str, shortest: int, longest: int) -> None:
    assert (shortest_step(cron), longest_step(cron)) == (shortest, longest)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("BACKUP_FOLDER", raising=False)
    root = tmp_path / "a b%$'c"
    root.mkdir()
    catalog = catalog_of(root, CATALOG.format(backups=tmp_path / "backups"))
    return Site.of(catalog, root / "config.yaml", root, {"STATE_FOLDER": str(tmp_path / "state")})


def test_what_was_never_saved_is_due_at_the_first_time_after_the_schedule_was_installed(site: Site) -> None:
    tried = Tried.read(site.state, NOW.timestamp())
    plan = plan_of(site.catalog, tried, UTC)
    assert {turn.name: turn.next for turn in plan.backups} == {
        "hourly": datetime(2026, 11, 30, 16, 15, tzinfo=UTC),
        "daily": datetime(2026, 12, 1, 3, 0, tzinfo=UTC),
        "configuration": datetime(2026, 12, 1, 3, 0, tzinfo=UTC),
    }
    assert plan.drill
    assert plan.drill.next == datetime(2026, 12, 6, 5, 0, tzinfo=UTC)
    assert plan.due(NOW) == ()
    assert plan.due(NOW + timedelta(minutes=15)) == ("hourly",)
    assert plan.due(NOW + timedelta(hours=12)) == ("hourly", "daily", "configuration")
    # When checked again later, it is still due since then.
    later = Tried.read(site.state, (NOW + timedelta(hours=1)).timestamp())
    assert later == tried


def test_a_run_that_began_is_due_again_at_the_next_time_also_without_a_marker(site: Site) -> None:
    tried = Tried.read(site.state, NOW.timestamp())
    at = NOW + timedelta(minutes=16)
    tried = tried.with_runs(["hourly"], at.timestamp())
    tried.write(site.state)
    assert Tried.read(site.state, at.timestamp()) == tried
    assert plan_of(site.catalog, tried, UTC).due(at) == ()
    assert plan_of(site.catalog, tried, UTC).due(NOW + timedelta(minutes=75)) == ("hourly",)


def test_a_backup_by_hand_counts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = Tried((NOW - timedelta(days=3)).timestamp(), {})
    assert plan_of(site.catalog, tried, UTC).due(NOW) == ("hourly", "daily", "configuration")
    monkeypatch.setattr("time.time", lambda: NOW.timestamp())
    marks.begin(site.catalog, [subjects(site.catalog)["daily"]], 60)
    assert plan_of(site.catalog, tried, UTC).due(NOW) == ("hourly", "configuration")


def test_a_drill_is_due_by_its_own_schedule(site: Site) -> None:
    tried = Tried((NOW - timedelta(days=8)).timestamp(), {})
    plan = plan_of(site.catalog, tried, UTC)
    assert plan.drill
    assert plan.drill.is_due(NOW)
    drilled = plan_of(site.catalog, tried.with_runs([DRILL], NOW.timestamp()), UTC)
    assert drilled.drill
    assert not drilled.drill.is_due(NOW)


def test_schedules_are_in_the_host_s_time_zone(site: Site) -> None:
    zone = timezone(timedelta(hours=5))
    [_, daily, _] = plan_of(site.catalog, Tried(NOW.timestamp(), {}), zone).backups
    assert daily.next == datetime(2026, 11, 30, 22, 0, tzinfo=UTC)


def test_a_run_is_over_before_one_of_its_names_comes_again(site: Site) -> None:
    plan = plan_of(site.catalog, Tried(NOW.timestamp(), {}), UTC)
    assert plan.time_limit(["hourly", "daily"]) == 3240
    assert plan.time_limit(["daily"]) == 3600


def test_what_somebody_wrote_into_the_state_is_no_time(site: Site) -> None:
    StateFolder(site.state_folder).write("backups.tried", ":since=1e400\nhourly=$(id)\ndaily=-1\n")
    tried = Tried.read(site.state, NOW.timestamp())
    assert tried == Tried(NOW.timestamp(), {})


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """Simulate a host with systemd and return the commands that were run."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(timer, "_RUNNING", tmp_path)
    monkeypatch.setattr(timer, "_do", ran.extend)
    return ran


def test_a_host_with_systemd_gets_one_timer(
    site: Site, systemd: list[tuple[str, ...]], tmp_path: Path
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    entry = timer.entry_of(site, systemd=units)
    assert not entry.is_installed()
    timer.install(entry)
    assert entry.is_installed()
    assert ("systemctl", "enable", "--now", "shop-staging-backups.timer") in systemd
    service = (units / "shop-staging-backups.service").read_text()
    [command] = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    # systemd reads %% as % and $$ as $, and its quotes work like those of C.
    words = shlex.split(command.removeprefix("ExecStart=").replace("%%", "%").replace("$$", "$"))
    assert words == timer.command_of(site)
    (units / "shop-staging-backups.service").write_text(service + "\n# edited")
    assert not entry.is_installed()
    timer.uninstall(entry)
    assert list(units.iterdir()) == []


def test_a_host_with_cron_gets_one_line(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timer, "_RUNNING", tmp_path / "none")
    monkeypatch.setattr(timer, "_CRON_RUNNING", (tmp_path,))
    entry = timer.entry_of(site, cron=tmp_path)
    [(path, text)] = entry.files.items()
    assert path.name == "shop-staging-backups"
    [line] = [line for line in text.splitlines() if line.startswith("*/5 * * * * root ")]
    command = line.removeprefix("*/5 * * * * root ").replace("\\%", "%").replace("env ", "printf '%s\\0' ", 1)
    ran = (
        subprocess.run(["sh", "-c", command], capture_output=True, check=True)
        .stdout.decode()
        .split("\0")[:-1]
    )
    assert ran[3:] == timer.command_of(site)
    assert f"STATE_FOLDER={site.state_folder}" in ran


def test_a_host_without_either_is_told_what_to_run(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timer, "_RUNNING", tmp_path / "none")
    monkeypatch.setattr(timer, "_CRON_RUNNING", ())
    with pytest.raises(OperationError, match=r"neither systemd nor cron; .*run-due"):
        timer.entry_of(site)


def test_a_deploy_sees_that_the_schedule_runs_unless_it_is_told_not_to(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    screen = Screen(Console(width=1000, file=io.StringIO()))
    monkeypatch.setattr(screen, "warn", said.append)
    monkeypatch.setattr(screen, "say", said.append)
    installed: list[timer.Entry] = []
    monkeypatch.setattr(timer, "install", installed.append)
    monkeypatch.setattr(timer, "_RUNNING", tmp_path)
    timer.ensure(replace(site, variables={timer.VARIABLE: "off"}), screen)
    assert (installed, said) == ([], [])
    timer.ensure(site, screen)
    assert len(installed) == 1
    assert "installed the backup schedule on this host" in said[0]
    monkeypatch.setattr(timer, "_RUNNING", tmp_path / "none")
    monkeypatch.setattr(timer, "_CRON_RUNNING", ())
    timer.ensure(site, screen)
    assert "no backups are scheduled on this host: this host has neither" in said[1]
