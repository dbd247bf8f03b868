"""The scripts of a user's repository: short, and nothing but a call of the matching command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter import __version__
from exporter.outputs.scripts import WRAPPERS, wrapped
from tests.components import require

if TYPE_CHECKING:
    from pathlib import Path

MINOR = ".".join(__version__.split(".")[:2])
FAKE = """#!/bin/sh
if [ "$1" = version ]; then echo "$VERSION"; exit "${BROKEN:-0}"; fi
echo "$EXPORTER_ENVIRONMENT|$EXPORTER_CONFIG|$EXPORTER_ROOT"
for word in "$@"; do echo "<$word>"; done
exit 7
"""


class Repository:
    """A user's repository with one wrapper, and a command that reports how it was called."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a user's repo"
        (self.root / "scripts").mkdir(parents=True)
        (self.root / "deploy/staging").mkdir(parents=True)
        self.script = self.root / "scripts/status.sh"
        self.script.write_text(wrapped("status", WRAPPERS["status"]))
        self.script.chmod(0o755)
        self.exporter = folder / "the exporter"
        self.exporter.write_text(FAKE)
        self.exporter.chmod(0o755)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "VERSION": f"{MINOR}.99", "EXPORTER": str(self.exporter)}
        return subprocess.run(
            [self.script, *words], env=environment | variables, capture_output=True, text=True, timeout=20
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_it_calls_the_command_with_what_it_was_given(repository: Repository) -> None:
    done = repository.run("staging", "--json", "a b;$(id)")
    assert done.returncode == 7
    first, *words = done.stdout.splitlines()
    assert first == f"staging|{repository.root}/config.yaml|{repository.root}"
    assert words == ["<status>", "<--json>", "<a b;$(id)>"]


def test_the_command_and_the_catalog_may_stand_in_the_environments_variables(repository: Repository) -> None:
    (repository.root / "deploy/staging/.env").write_text(
        f"EXPORTER=/nowhere\nOTHER=1\nEXPORTER='{repository.exporter}'\nEXPORTER_CONFIG=/etc/$(id).yaml"
    )
    done = repository.run("staging", EXPORTER="")
    assert done.stdout.startswith("staging|/etc/$(id).yaml|"), done.stderr


@pytest.mark.parametrize(
    ("words", "variables", "status", "sentence"),
    [
        ((), {}, 2, "name an environment"),
        (("--json", "staging"), {}, 2, "name the environment first"),
        (("staging",), {"EXPORTER": "/nowhere"}, 1, "the command /nowhere does not work"),
        (("staging",), {"BROKEN": "1"}, 1, "does not work"),
        (("staging",), {"VERSION": "9.9.9"}, 1, f"this file was made by exporter {__version__}"),
        (("staging",), {"VERSION": f"{MINOR}9.0"}, 1, "9.0; install"),
        (("--help",), {}, 7, ""),
    ],
)
def test_what_does_not_fit_is_refused(
    repository: Repository, words: tuple[str, ...], variables: dict[str, str], status: int, sentence: str
) -> None:
    done = repository.run(*words, **variables)
    assert done.returncode == status
    assert sentence in done.stderr
    if status != 7:
        assert done.stdout == ""


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_each_is_short_and_clean(name: str, tmp_path: Path) -> None:
    text = wrapped(name, WRAPPERS[name])
    assert text.count("\n") <= 40
    script = tmp_path / f"{name}.sh"
    script.write_text(text)
    subprocess.run([require("shellcheck"), "--severity=style", script], check=True)
