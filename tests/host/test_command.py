"""The end of a command: each failure is one sentence with an exit status, and says what to do next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import typer

from exporter.catalog.reading.problems import CatalogError, Problem
from exporter.host.command import Run, operation
from exporter.host.failures import EngineLost, OperationError
from tests.host.fake_engine import FakeEngine, described, fake_engine
from tests.host.places import make_site
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.host.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


def lose(_: Run) -> None:
    raise EngineLost("the Docker engine at unix:///e does not answer")


def refuse(_: Run) -> None:
    raise OperationError("no")


def interrupt(_: Run) -> None:
    raise KeyboardInterrupt


def mistake(_: Run) -> None:
    raise CatalogError([Problem("config.yaml", 1, 2, "services", "is wrong")])


def killed_step(run: Run) -> None:
    assert run.site is not None
    run.site.state.write_fields("current", {"step": "up"})
    interrupt(run)


def with_a_log(run: Run) -> None:
    run.open_log().write_text("x")
    refuse(run)


UNKNOWN = "It is not known what is running now. "
AT = 'deploy: at the step "verify": '
NEXT = "Next: exporter status -e staging\n"
ENDINGS: dict[str, tuple[Callable[[Run], None], int, str]] = {
    "refused": (refuse, 1, "deploy: no\n"),
    "lost": (lose, 3, f"{AT}the Docker engine at unix:///e does not answer. {UNKNOWN}{NEXT}"),
    "interrupted": (interrupt, 130, f"{AT}interrupted. Running now: api (2), web. {NEXT}"),
    "killed": (killed_step, 130, f"The journal was kept ({{state}}/current). {NEXT}"),
    "mistake": (mistake, 2, "config.yaml:1:2: services: is wrong\n"),
    "log": (with_a_log, 1, "-deploy-{pid}.log)\n"),
}


def perform(site: Site, act: Callable[[Run], None]) -> None:
    with operation("deploy") as run:
        run.load(site.config, "staging")
        run.screen.step = "verify"
        act(run)


@pytest.mark.parametrize("case", ENDINGS)
def test_each_ending(
    site: Site,
    engine: FakeEngine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    act, status, words = ENDINGS[case]
    monkeypatch.setenv("DOCKER_HOST", engine.where)
    running = [described(f"api-{number}", "api") for number in (1, 2)]
    engine.holds(*running, described("web-1", "web"), described("db-1", "db", Status="exited"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(typer.Exit) as end:
            perform(site, act)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert end.value.exit_code == status
    said = capsys.readouterr().err
    assert said.endswith(words.format(state=site.state_folder, pid=os.getpid())), said
    assert said.count("\n") == 1


SLEEPING = """
import sys, time
import typer
from exporter.host.command import operation
try:
    with operation("deploy") as run:
        run.screen.enter("up")
        time.sleep(60)
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_traceback(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "said"
    with file.open("w") as said:
        process = subprocess.Popen([sys.executable, "-c", SLEEPING], stderr=said)
        until(lambda: "== up" in file.read_text(), "it to begin")
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(10) == 130
    assert file.read_text() == '== up\ndeploy: at the step "up": interrupted. Nothing was changed.\n'
