"""The pre-flight checks on a host, without an engine: each problem is found, and all are reported at once."""

from __future__ import annotations

import os
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.host import checks
from exporter.host.compose import Compose
from exporter.host.failures import EngineLost, OperationError
from exporter.host.findings import Finding, Host, State
from exporter.host.lock import locked
from exporter.host.preflight import Preflight, require
from exporter.host.screen import Screen
from tests.host.fake_engine import fake_engine
from tests.host.places import make_site
from tests.host.test_compose import Fake

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.host.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "site")


def states(site: Site, check: str) -> list[tuple[State, str]]:
    return [(each.state, each.sentence) for each in checks.CHECKS[check](Host(site))]


def nothing(site: Site) -> None:
    """Leave it unchanged."""


def a_catalog_that_changed(site: Site) -> None:
    site.config.write_text(site.config.read_text().replace("shop/web", "shop/new"))


def an_edit(site: Site) -> None:
    with (site.folder / "compose.yaml").open("a") as file:
        file.write("# mine\n")


def a_file_that_was_removed(site: Site) -> None:
    (site.folder / "compose.monitoring.yaml").unlink()


def no_manifest(site: Site) -> None:
    (site.folder / ".exporter-manifest").unlink()


def a_killed_deploy(site: Site) -> None:
    site.state.write_fields("current", {"step": "up\x1b[2J"})


def a_killed_restore(site: Site) -> None:
    site.state.write_fields("restoring", {"names": "db", "backup": "B"})


def a_future(site: Site) -> None:
    (site.state_folder / "deploys.jsonl").touch()
    os.utime(site.state_folder / "deploys.jsonl", (time.time() + 100, time.time() + 100))


def a_little_space(site: Site) -> None:
    (site.folder / ".env").write_text(f"STATE_FOLDER={site.state_folder}\nMIN_FREE_MIB=99999999999\n")


def no_number(site: Site) -> None:
    (site.folder / ".env").write_text("MIN_FREE_MIB=much\n")


CASES: dict[str, tuple[str, Callable[[Site], None], State, str]] = {
    "generated": ("files", nothing, State.GOOD, "matches the catalog and exporter"),
    "changed": ("files", a_catalog_that_changed, State.PROBLEM, "deploy/staging/compose.yaml"),
    "edited": ("files", an_edit, State.WARNING, "compose.yaml: edited or removed by hand"),
    "removed": ("files", a_file_that_was_removed, State.WARNING, "compose.monitoring.yaml"),
    "not generated": ("files", no_manifest, State.WARNING, "was not written by exporter gen"),
    "nothing left": ("unfinished", nothing, State.GOOD, "nothing is running or unfinished"),
    "killed deploy": ("unfinished", a_killed_deploy, State.WARNING, 'killed at the step "up\\x1b[2J"'),
    "killed restore": ("unfinished", a_killed_restore, State.PROBLEM, "exporter restore -e staging B db"),
    "clock": ("clock", nothing, State.GOOD, "Z"),
    "clock went back": ("clock", a_future, State.PROBLEM, "in the future by this host's clock"),
    "space": ("folders", nothing, State.GOOD, "MiB free"),
    "no space": ("folders", a_little_space, State.PROBLEM, "MiB left but needs 99999999999;"),
    "no number": ("folders", no_number, State.PROBLEM, "MIN_FREE_MIB is much; set it to a number"),
    "user": ("user", nothing, State.GOOD, "uid"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_check_finds(site: Site, case: str) -> None:
    check, change, state, words = CASES[case]
    change(site)
    from exporter.host.site import load_site

    found = states(load_site(site.config, "staging"), check)
    assert any(each is state and words in sentence for each, sentence in found), found


def test_who_holds_the_lock_is_said(site: Site) -> None:
    with locked(site.state, "deploy", "shop"):
        [(state, sentence)] = states(site, "unfinished")
    assert state is State.WARNING
    assert sentence.startswith("locked by deploy, process")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.exists, "create it with: exporter secrets create -e staging"),
        (lambda file: (file.write_text("x"), file.chmod(0o644)), "has mode 644 instead of 400 or 440"),
        (lambda file: file.touch(0o400), "is empty"),
        (lambda file: file.mkdir(), "is not a regular file"),
        (lambda file: (file.write_text("x"), file.chmod(0o400)), ""),
    ],
)
def test_secrets(site: Site, tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    make(site.secrets_folder / "token")
    compose = Compose(site, site.folder, (str(Fake(tmp_path).program),))
    found = [each for each in checks.secrets(Host(site, compose=compose)) if each.state is not State.GOOD]
    assert [words in each.sentence for each in found] == ([True] if words else [])


def test_images_that_a_rollback_needs(site: Site) -> None:
    from exporter.host.engine import connected

    site.state.write("rollback/1-2/before", "web sha256:1 shop/web:v1\napi sha256:2 shop/api:v1\n")
    with fake_engine() as fake, connected(fake.where) as engine:
        fake.answers["GET /images/shop-staging/web:rollback-1-2/json"] = 200, {"Id": "sha256:1"}
        [finding] = checks.rollback_images(Host(site, engine=engine))
    assert finding.state is State.WARNING
    assert "missing rollback image shop-staging/api:rollback-1-2;" in finding.sentence


def test_without_an_engine_everything_else_is_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    preflight = Preflight(site)
    with preflight.connected() as engine:
        assert engine is None
        found = {each.check: each.state for each in preflight.findings()}
        with pytest.raises(EngineLost, match="nothing was changed"):
            require(preflight.findings(skip={"secrets"}), Screen())
    assert found["engine"] is State.PROBLEM
    assert found["compose"] is State.PROBLEM
    assert found["secrets"] is State.UNKNOWN
    assert found["rollback images"] is State.UNKNOWN
    assert found["files"] is State.GOOD


def test_all_problems_are_shown_before_it_stops(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        Finding("a", State.GOOD, "fine"),
        Finding("b", State.PROBLEM, "first"),
        Finding("c", State.WARNING, "careful"),
        Finding("d", State.PROBLEM, "second"),
    ]
    with pytest.raises(OperationError, match="2 checks failed, see above; nothing was changed"):
        require(findings, Screen())
    assert capsys.readouterr().err.splitlines() == ["  first", "warning: careful", "  second"]
    require(findings[:1], Screen())
    assert shutil.which(sys.executable)


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [(0, None), (None, None), (-60, "s behind; start NTP on both"), (60, "s ahead; start NTP on both")],
)
def test_a_clock_is_judged_by_the_moment_of_the_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch, seconds: float | None, sentence: str | None
) -> None:
    """Check that other checks do not count; on a busy host they take longer than a clock may be off."""
    with fake_engine() as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.where)
        now = datetime.now(UTC) + timedelta(seconds=seconds or 0)
        text = now.isoformat().replace("+00:00", "123Z")
        fake.answers["GET /info"] = 200, {"SystemTime": text} if seconds is not None else {}
        preflight = Preflight(site)
        with preflight.connected():
            list(preflight.findings())
            monkeypatch.setattr(checks, "_DRIFT_SECONDS", 20.0)  # the test may be slow between the two times
            [finding] = checks.clock(preflight.host)
    assert finding.state is (State.PROBLEM if sentence else State.GOOD)
    assert sentence is None or sentence in finding.sentence
