"""`exporter compose` from any folder, and `exporter destroy`: what it lists, asks and leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from exporter.cli import app
from tests.host.fake_engine import FakeEngine, described, fake_engine
from tests.host.places import make_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.host.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "a site")


@pytest.mark.parametrize("status", [0, 7])
def test_compose_gets_its_words_and_gives_its_status(site: Site, tmp_path: Path, status: int) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text("#!/bin/sh\nexit 1\n")
    (programs / "docker-compose").write_text(
        f'#!/bin/sh\ncat\nfor word in "$@"; do echo "<$word>"; done\necho "$DOCKER_HOST" >&2\nexit {status}\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("exporter"), "compose", "-c", site.config, "-e", "staging"),
            *("--", "exec", "-e", "A=b", "web", "sh", "-c", "echo $0; id"),
        ],
        input="given\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": f"{programs}:/usr/bin:/bin", "DOCKER_HOST": "unix:///an.engine"},
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    given, *words = done.stdout.splitlines()
    assert given == "given"
    assert words[:4] == ["<-p>", "<shop-staging>", "<--project-directory>", f"<{site.folder}>"]
    assert words[-7:] == ["<exec>", "<-e>", "<A=b>", "<web>", "<sh>", "<-c>", "<echo $0; id>"]
    assert done.stderr == "unix:///an.engine\n"


class Environment:
    """The environment staging of shop, of which the engine still has something."""

    def __init__(self, site: Site, engine: FakeEngine) -> None:
        self.site = site
        self.engine = engine
        self.container = {**described("web", "web"), "Name": "/web-1\x1b[2J"}
        engine.holds(self.container)
        engine.answers["GET /networks"] = 200, [{"Name": "shop-staging_edge"}]
        engine.answers["GET /volumes"] = 200, {"Volumes": [{"Name": "shop-staging_data"}]}
        id_ = self.container["Id"]
        for key in (
            f"POST /containers/{id_}/stop",
            f"DELETE /containers/{id_}",
            "DELETE /networks/shop-staging_edge",
            "DELETE /volumes/shop-staging_data",
        ):
            engine.answers[key] = 204, b""

    def destroy(self, *words: str) -> Result:
        base = ["destroy", "-c", str(self.site.config), "-e", "staging"]
        return CliRunner().invoke(app, [*base, *words], env={"DOCKER_HOST": self.engine.where})

    def removed(self) -> list[str]:
        return [each.split("/")[1] for each in self.engine.asked if each.startswith("DELETE")]


@pytest.fixture
def environment(site: Site) -> Iterator[Environment]:
    with fake_engine() as engine:
        yield Environment(site, engine)


def test_nothing_is_removed_without_the_name(environment: Environment) -> None:
    done = environment.destroy()
    assert done.exit_code == 1
    assert "nothing was removed; type the name at a terminal, or use --yes" in done.stderr
    assert "  container web-1\\x1b[2J (running, shop/web:v1)\n" in done.stderr
    assert "the volumes (--volumes removes them as well)" in done.stderr
    assert str(environment.site.state_folder) in done.stderr
    assert environment.removed() == []


@pytest.mark.parametrize(
    ("words", "removed"),
    [
        (("--yes",), ["containers", "networks"]),
        (("--yes", "--volumes"), ["containers", "networks", "volumes"]),
    ],
)
def test_what_was_listed_is_removed(
    environment: Environment, words: tuple[str, ...], removed: list[str]
) -> None:
    environment.site.state.write("releases/1/tag", "v1")
    environment.site.state.point_to("running", "releases/1")
    done = environment.destroy(*words)
    assert done.exit_code == 0, done.stderr
    assert environment.removed() == removed
    assert environment.site.state.running is None
    assert (environment.site.state_folder / "releases/1").exists()


def test_nothing_there_is_said(environment: Environment) -> None:
    environment.engine.holds()
    environment.engine.answers["GET /networks"] = 200, []
    done = environment.destroy()
    assert (done.exit_code, done.stderr) == (0, "there is nothing of shop in staging on this Docker engine\n")


def test_an_engine_that_goes_away_in_the_middle_says_where(environment: Environment) -> None:
    def break_off() -> tuple[int, object]:
        raise ConnectionError

    environment.engine.answers["DELETE /networks/shop-staging_edge"] = break_off
    done = environment.destroy("--yes")
    assert done.exit_code == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith('destroy: at the step "networks": the Docker engine at unix://')
    assert last.endswith("It is not known what is running now. Next: exporter status -e staging")
