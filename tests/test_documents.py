"""The commands of README and docs work as printed, and name nothing that cannot be installed.

Runbooks have their own tests in tests/operations/test_runbooks.py.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import typer
from typer.testing import CliRunner

from exporter import __version__
from exporter.cli import app
from exporter.options import WRONG_USAGE
from tests.documents import ROOT, blocks, calls, texts, without_redirections
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

README = ROOT / "README.md"
GENERATED = ROOT / "docs/commands.md"
"""Made from the parsers themselves."""
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted({*(ROOT / "docs").glob("*.md")} - {GENERATED})]
PROGRAMS = ("exporter", "make", "pip", "pipx", "docker")
SHOP = """\
services:
  web:
    image: ghcr.io/shop/web:1.4
    ports: ["{port}:8000"]
    environment: {{DATABASE_URL: "postgres://shop:hunter2@db/shop"}}
    healthcheck: {{test: ["CMD", "curl", "-f", "http://localhost:8000/health"]}}
    depends_on: [worker]
  worker:
    build: ./worker
    command: work --hard
"""
STORES = """\
  db: {image: "postgres:17", environment: {POSTGRES_PASSWORD: hunter2}, volumes: ["db-data:/var/lib/postgresql/data"]}
  cache: {image: "redis:7"}
volumes: {db-data: }
"""
PRODUCTION = """\
project: shop
environments: {production: {}}
services: {web: {image: "nginx:1.29", port: 80, health: /, depends_on: [db, documents]}}
stores:
  db: {engine: postgresql, password: {secret: db_password}, backup: {schedule: "0 3 * * *"}}
  documents: {engine: mongodb, username: root, password: {secret: db_password}, backup: {schedule: "0 3 * * *"}}
secrets: {db_password: {generate: 32}}
"""
NOT_HERE = {"--install": "changes this machine", "--tag": "waits half a minute for the engine"}
"""Options of commands that are only parsed, and why."""
SILENCE = ("nowhere.sock", "fetching server API version")
"""Texts by which the exporter and the versions of Compose show that they tried to contact the engine."""


def commands(program: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the page and the words of each command of a program, without its name."""
    found = {
        (page.name, tuple(without_redirections(words)[1:]))
        for page in PAGES
        for text in texts(page.read_text(encoding="utf-8"))
        for words in calls(text, PROGRAMS)
        if words[0] == program
    }
    return sorted(found)


def test_there_are_commands_in_documents() -> None:
    assert len(commands("exporter")) > 40
    assert len(commands("make")) > 5


@pytest.mark.parametrize(("page", "words"), commands("exporter"), ids=str)
def test_the_exporter_takes_its_words(page: str, words: tuple[str, ...]) -> None:  # noqa: ARG001 - names the test
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    if words[0].startswith("--"):
        assert words[0] in {option for parameter in group.params for option in parameter.opts}
        return
    parent = group.make_context("exporter", ["version"])
    name, command, rest = group.resolve_command(
        parent, [re.sub(r"[\[\]]|\.\.\.$", "", word) for word in words]
    )
    assert command is not None
    if isinstance(command, typer.core.TyperGroup) and not rest:
        return  # a sentence about the whole group
    command.make_context(name, rest, parent=parent)


@pytest.mark.parametrize(("page", "words"), commands("make"), ids=str)
def test_the_makefile_has_the_target(page: str, words: tuple[str, ...]) -> None:  # noqa: ARG001 - names the test
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in words if "=" not in word} <= targets


@pytest.mark.parametrize("page", [*PAGES, GENERATED], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link, anchor in re.findall(
        r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")
    ):
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), f"{link}#{anchor}"


def _anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_only_the_readme_names_the_package_and_says_that_it_is_not_published() -> None:
    naming = {page for program in ("pip", "pipx") for page, words in commands(program)}
    assert naming == {"README.md"}
    install = README.read_text(encoding="utf-8").partition("\n## Install\n")[2].partition("\n## ")[0]
    assert "No package and no image has been published yet" in install
    assert "pipx install" in install


def test_the_image_is_built_under_the_name_that_generated_files_use() -> None:
    tags = {words[words.index("--tag") + 1] for _, words in commands("docker") if "--tag" in words}
    assert tags == {f"pageforge-exporter:{__version__}"}


@pytest.fixture
def web() -> Iterator[int]:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class Newcomer:
    """A person with a checkout, and ~/shop with a Compose file, who types blocks of a page into one shell."""

    def __init__(self, folder: Path, compose: str) -> None:
        self.shop = folder / "shop"
        self.checkout = folder / "checkout"
        (self.shop / "worker").mkdir(parents=True)
        (self.shop / "docker-compose.yml").write_text(compose)
        self.listen = f"127.0.0.1:{free_port()}"
        self._install()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": "unix:///nowhere.sock",
            "EXPORTER_LISTEN": self.listen,
            "SECRETS_FOLDER": str(folder / "secrets"),
            "STATE_FOLDER": str(folder / "state"),
        }

    def _install(self) -> None:
        """Prepare what `make install` finds when it has run before: its programs are those of this interpreter."""
        programs = self.checkout / ".venv/bin"
        programs.mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-build.txt"):
            (self.checkout / name).symlink_to(ROOT / name)
        (programs / "python").symlink_to(sys.executable)
        (programs / "activate").write_text(f"PATH='{Path(sys.executable).parent}':$PATH\n")
        (self.checkout / ".venv/.runtime").touch()

    def type(self, *lines: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run lines in one shell, which stops at the first one that fails."""
        return subprocess.run(
            ["bash", "-e", "-c", "\n".join(lines)],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )


@pytest.mark.timeout(300)
def test_the_first_five_minutes(tmp_path: Path, web: int) -> None:
    """Run the shell blocks of README in their order, up to the image."""
    *printed, image = blocks(README.read_text(encoding="utf-8").partition("\n## Install\n")[2])
    assert image.startswith("docker build")
    running = next(block for block in printed if "exporter run" in block)
    before, after = printed[: printed.index(running)], printed[printed.index(running) + 1 :]
    newcomer = Newcomer(tmp_path, SHOP.format(port=web))

    done = newcomer.type(*before, cwd=newcomer.checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"exporter {__version__}" in done.stdout
    assert "Written: config.yaml, valid" in done.stdout
    assert "config.yaml is valid" in done.stdout
    assert "1 up, 0 down" in done.stdout
    assert "hunter2" not in done.stdout + (newcomer.shop / "config.yaml").read_text()

    shell = [f". {newcomer.checkout}/.venv/bin/activate", *running.splitlines()]
    with subprocess.Popen(
        ["bash", "-c", "\n".join((*shell[:-1], f"exec {shell[-1]}"))],
        cwd=newcomer.shop,
        env=newcomer.environment,
        stderr=subprocess.PIPE,
    ) as daemon:
        try:
            up = re.compile(r'probe_success\{service="web".*\} 1')
            until(lambda: up.search(_metrics(newcomer)), "the probe of web", seconds=60)
        finally:
            daemon.send_signal(signal.SIGTERM)
            _, said = daemon.communicate(timeout=20)
    assert daemon.returncode == 0, said

    generated = newcomer.type(shell[0], *after, cwd=newcomer.shop)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    assert (newcomer.shop / "deploy/stack/compose.monitoring.yaml").exists()


def _metrics(newcomer: Newcomer) -> str:
    try:
        return httpx.get(f"http://{newcomer.listen}/metrics").text
    except httpx.TransportError:
        return ""


@pytest.mark.timeout(300)
@pytest.mark.skipif(os.geteuid() != 0, reason="exporter secrets needs root")
def test_moving_in(tmp_path: Path, web: int) -> None:
    """Run the shell blocks of docs/moving-in.md; commands that need the engine reach none."""
    watch, own = blocks((ROOT / "docs/moving-in.md").read_text(encoding="utf-8"))
    newcomer = Newcomer(tmp_path, SHOP.format(port=web) + STORES)
    begin = f". {newcomer.checkout}/.venv/bin/activate"
    written = newcomer.shop / "secrets/db_postgres_password"
    written.parent.mkdir()
    written.write_text("hunter2")
    *first, up, status = watch.splitlines()
    done = newcomer.type(begin, "exporter init", *first, cwd=newcomer.shop)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (up, status):
        done = newcomer.type(begin, line, cwd=newcomer.shop)
        assert done.returncode not in (0, WRONG_USAGE), done.stdout
        assert any(sign in done.stdout + done.stderr for sign in SILENCE), done.stdout + done.stderr
    done = newcomer.type(begin, own, cwd=newcomer.shop)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "db-data" in (newcomer.shop / "deploy/default/compose.yaml").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="exporter secrets needs root")
@pytest.mark.parametrize("page", ["secrets.md", "deploy.md"])
def test_the_commands_for_an_environment(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the commands of a page's shell blocks in their order: each ends with a sentence about the engine, which does
    not answer, or does its work without it.
    """
    (tmp_path / "config.yaml").write_text(PRODUCTION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    for variable in ("SECRETS_FOLDER", "STATE_FOLDER", "BACKUP_FOLDER"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    assert CliRunner().invoke(app, ["gen"]).exit_code == 0
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        subprocess.run([*git, *words], check=True)
    lines = [
        shlex.split(line, comments=True)
        for block in blocks((ROOT / "docs" / page).read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]
    run = [words[1:] for words in lines if words[:1] == ["exporter"] and not NOT_HERE.keys() & {*words}]
    assert len(run) >= 5
    for words in run:
        result = CliRunner().invoke(app, words)
        assert result.exit_code in (0, 1, 3), f"{words}: {result.output}"
        assert isinstance(result.exception, SystemExit | None), words
