"""Every command in a runbook works as written: the real parsers accept it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import typer

from exporter.cli import app
from tests.components import compose_2, require
from tests.documents import ROOT, calls, texts, without_redirections

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOKS = ROOT / "docs/runbooks"
PROGRAMS = ("exporter", "docker")
STANDS_FOR = {"ENVIRONMENT": "staging", "SERVICE": "web", "STORE": "web", "CONTAINER": "web-1", "TAG": "v1"}
SERVICES = ("web", "exporter", "prometheus", "alertmanager")
DEAD_ENGINE = "unix:///nowhere.sock"
SILENCE = ("nowhere.sock", "Couldn't connect", "fetching server API version")
"""Texts by which the versions of Compose show that they tried to contact the engine."""


def cut(words: list[str]) -> list[str]:
    """Return the words without redirections, and with a value for each placeholder."""
    return [STANDS_FOR.get(word, word) for word in without_redirections(words)]


ALL = sorted(
    {
        tuple(cut(words))
        for page in RUNBOOKS.glob("*.md")
        for text in texts(page.read_text(encoding="utf-8"))
        for words in calls(text, PROGRAMS)
    }
)
EXPORTER = [words[1:] for words in ALL if words[0] == "exporter"]
DOCKER = [words[1:] for words in ALL if words[0] == "docker"]


def compose_calls() -> list[tuple[str, ...]]:
    """Return the words after `exporter compose -e ENVIRONMENT --`, once for each form: which service and which number
    does not matter, nor what an `exec` runs in the container.
    """
    found = {words[words.index("--") + 1 :] for words in EXPORTER if words[0] == "compose"}
    forms = {
        tuple("web" if word in SERVICES else "100" if word.isdigit() else word for word in words)
        for words in found
    }
    return sorted({("exec", "web", "true") if words[0] == "exec" else words for words in forms})


def test_there_are_commands_in_runbooks() -> None:
    assert len(EXPORTER) > 30
    assert len(compose_calls()) > 8
    assert calls("a | exporter check -e X $(docker ps -q) > f; docker 'a b'", PROGRAMS) == [
        ["exporter", "check", "-e", "X", "VALUE", ">", "f"],
        ["docker", "a b"],
        ["docker", "ps", "-q"],
    ]


def test_none_depends_on_the_folder_that_one_stands_in() -> None:
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"docker[ -]compose [a-z]", text), page.name
        assert "COMPOSE_PROJECT_NAME" not in text, page.name
        assert not re.search(r"docker (stats|inspect).* exporter$", text, re.MULTILINE), page.name
    for words in EXPORTER:
        if words[0] not in ("gen", "validate", "healthcheck"):
            assert "-e" in words, words


@pytest.mark.parametrize("words", EXPORTER, ids=" ".join)
def test_the_exporter_takes_its_words(words: tuple[str, ...]) -> None:
    group = typer.main.get_command(app)
    parent = group.make_context("exporter", ["version"])
    assert isinstance(group, typer.core.TyperGroup)
    name, command, rest = group.resolve_command(parent, list(words))
    assert command is not None
    command.make_context(name, rest, parent=parent)


@pytest.mark.timeout(300)  # each call of 1.29 starts Python with many libraries
@pytest.mark.parametrize("version", ["1.29", "2"])
def test_both_versions_of_compose_take_its_words(version: str, tmp_path: Path) -> None:
    program = require("docker-compose") if version == "1.29" else compose_2()
    services = "".join(f"  {name}: {{image: x}}\n" for name in SERVICES)
    (tmp_path / "compose.yaml").write_text(f"services:\n{services}")
    for words in compose_calls():
        done = compose(program, tmp_path, *words)
        assert "unknown" not in done, (words, done)
        assert words == ("config",) or any(sign in done for sign in SILENCE), (words, done)
    wrong = compose(program, tmp_path, "logs", "--not-an-option", "web")
    assert "Usage: logs" in wrong or "unknown flag" in wrong


def compose(program: str, folder: Path, *words: str) -> str:
    """Return the output of Compose when its engine does not answer; it reports wrong usage before that."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_HOST": DEAD_ENGINE}
    done = subprocess.run(
        [program, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("words", DOCKER, ids=" ".join)
def test_docker_takes_its_words(words: tuple[str, ...], tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [require("docker"), "--host", DEAD_ENGINE, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        input="y\n",
    )
    said = done.stdout + done.stderr
    assert "nowhere.sock" in said, said
    assert "unknown" not in said
