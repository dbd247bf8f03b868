"""Env files: the value of a secret as a variable, the same for both versions of Compose, and shown nowhere."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.host.failures import OperationError
from exporter.secrets.env_files import quoted
from tests.components import compose_2, require
from tests.outputs.catalogs import catalog_of
from tests.secrets.project import Entry, Project

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {
    "plain": "abc123",
    "spaces and a comment": "  a #b = c ",
    "quotes": "a'b\"c`d",
    "backslashes": "\\a\\n\\\\b\\c",
    "a backslash and a quote": "\\'",
    "lines": "-----BEGIN-----\nab=\r\ncd\n-----END-----",
    "a tab and words of other alphabets": "é\tж 🚀",
    "dollars": "a$b$$c$(id)$",
    "dollars and quotes": 'a$b "c" `d` #e',
    "JSON": '{"a": ["b", 1], "c": "\\u00e9"}',
}
SECRET = "Marker-7f3a$x y"
CATALOG = """
project: shop
services:
  web:
    image: "web:1"
    environment: {A: {secret: one, as: variable}, B: {secret: two, as: variable}, C: {secret: two}}
  api: {image: "api:1", environment: {A: {secret: one, as: variable}}}
environments: {production: {}}
secrets: {one: , two: }
"""


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_of_compose_read_the_value(version: int, tmp_path: Path) -> None:
    written = [quoted("it", f"{value}\n".encode()) for value in VALUES.values()]
    lines = [f"V{number}={value}\n" for number, value in enumerate(written)]
    (tmp_path / ".env.web").write_text("".join(lines))
    service: dict[str, Any] = {"image": "a:1", "env_file": [str(tmp_path / ".env.web")]}
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"web": service}}))
    program = require("docker-compose") if version == 1 else compose_2()
    done = subprocess.run(
        [program, "-p", "test", "-f", str(tmp_path / "compose.yaml"), "config"],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "b": "filled in"},
    )
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["services"]["web"]["environment"]
    read = {name: found[f"V{number}"].replace("$$", "$") for number, name in enumerate(VALUES)}
    assert read == VALUES


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"a${b}", "would read its value differently"),
        (b"a$b'c", "would read its value differently"),
        (b"a$b\\c", "would read its value differently"),
        (b"a$b\nc", "would read its value differently"),
        (b'a\\"b', "would read its value differently"),
        (b"a\\", "would read its value differently"),
        (b"a\0b", "a NUL"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_value_that_they_would_read_differently_is_refused(value: bytes, why: str) -> None:
    with pytest.raises(OperationError, match=r"^the-name is given as a variable") as caught:
        quoted("the-name", value)
    assert why in caught.value.sentence


@pytest.fixture
def project(tmp_path: Path) -> Project:
    entries = [
        Entry("one", used_by=("web", "api"), variable_of=("web", "api")),
        Entry("two", used_by=("web",), variable_of=("web",)),
    ]
    return Project(tmp_path, entries, catalog=CATALOG)


def env(project: Project, container: str) -> str:
    return project.files()[f".env.{container}"].decode()


def test_they_are_made_with_the_secrets_and_follow_them(project: Project) -> None:
    done = project.run("create", "one", "--from-file", "-", given=SECRET.encode())
    assert done.returncode == 0, done.stderr
    assert env(project, "api") == f"A='{SECRET}'\n"
    # web needs the other secret as well.
    assert ".env.web" not in project.files()
    project.run("create")
    two = project.value("two").decode()
    assert env(project, "web") == f"A='{SECRET}'\nB=\"{two}\"\n"
    for container in ("web", "api"):
        assert stat.S_IMODE((project.folder / f".env.{container}").stat().st_mode) == 0o400
    assert project.run("check").returncode == 0

    done = project.run("rotate", "two", "--yes")
    assert done.returncode == 0, done.stderr
    assert project.value("two").decode() != two
    assert project.value("two").decode() in env(project, "web")
    assert b"exporter compose -e production -- up -d --no-deps web" in done.stderr + done.stdout
    assert b"-- restart" not in done.stderr + done.stdout
    project.run("revert", "two", "--yes")
    assert two in env(project, "web")
    for word in (SECRET, two):
        assert word.encode() not in done.stdout + done.stderr


def test_check_finds_what_is_wrong_and_create_mends_it(project: Project) -> None:
    project.run("create")
    web, api = project.folder / ".env.web", project.folder / ".env.api"
    web.unlink()
    api.chmod(0o600)
    api.write_text("A=old\n")
    (project.folder / ".env.gone").write_text("")
    done = project.run("check")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        ".env.web: missing; make it with: exporter secrets create",
        ".env.api: mode 0600, not 0400; make it with: exporter secrets create",
        ".env.gone: no container of the catalog needs it; remove it once no rollback does",
    ]
    api.chmod(0o400)
    assert b".env.api: not what its secrets are now" in project.run("check").stdout
    (project.folder / ".env.gone").unlink()
    assert project.run("create").returncode == 0
    assert project.run("check").returncode == 0


def test_a_value_that_cannot_be_a_variable_changes_nothing(project: Project) -> None:
    project.run("create")
    before = project.files()
    done = project.run("rotate", "two", "--yes", "--from-file", "-", given=b"Marker-7f3a${x}")
    assert done.returncode == 1
    assert b"two is given as a variable" in done.stderr
    assert b"Marker" not in done.stderr + done.stdout
    assert project.files() == before


def test_a_dry_run_makes_none(project: Project) -> None:
    assert project.run("create", "--dry-run").returncode == 0
    assert project.files() == {}


def test_an_older_secret_that_cannot_be_a_variable_is_told(project: Project) -> None:
    project.folder.mkdir(parents=True, mode=0o700)
    for name in ("one", "two"):
        (project.folder / name).write_text("Marker-7f3a${x}")
    done = project.run("create")
    assert done.returncode == 1
    assert b"the env file of web is not made: one is given as a variable" in done.stderr + done.stdout
    assert b"Marker" not in done.stderr + done.stdout
    assert not [name for name in project.files() if name.startswith(".env.")]


def test_the_inventory_knows_them(tmp_path: Path) -> None:
    from exporter.secrets.inventory import inventory

    found = inventory(catalog_of(tmp_path, CATALOG))
    assert (found["one"].users, found["one"].variable_of) == (("web", "api"), ("web", "api"))
    assert (found["two"].users, found["two"].variable_of) == (("web",), ("web",))
