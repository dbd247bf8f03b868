"""Compose with the right files, project and variables; its answers are parsed as YAML."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from exporter.host.compose import Compose, find_compose
from exporter.host.failures import OperationError
from tests.host.places import make_site

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.host.site import Site

CONFIG = """
name: shop-staging
services:
  "web": {image: "shop/web:v1", networks: {edge: null, default: null}}
  api: {image: 'shop/api:v1'}
  built: {build: .}
networks: {edge: {name: shop-network}, default: {}}
secrets: {token: {file: /s $$x/token}, other: {external: true}}
"""
FAKE = """#!{python}
import json, os, sys
folders = ("FILES_FOLDER", "STATE_FOLDER", "SECRETS_FOLDER", "BACKUP_FOLDER")
names = ("TAG", "EXPORTER_CONFIG_FILE", "DOCKER_HOST", *folders)
with open({calls!r}, "a") as stream:
    print(json.dumps([sys.argv[1:], {{name: os.environ.get(name) for name in names}}]), file=stream)
if "bad" in sys.argv: sys.exit("service \\x1b[2J has neither an image nor a build context")
if "--hash" in sys.argv: print("web abc123")
elif "--services" in sys.argv: print("web\\napi")
elif "config" in sys.argv: print({config!r})
"""


class Fake:
    """A program that replaces Compose and records its calls."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.calls_file = folder / "calls"
        self.program = folder / "compose"
        self.program.write_text(FAKE.format(python=sys.executable, calls=str(self.calls_file), config=config))
        self.program.chmod(0o755)

    def calls(self) -> list[tuple[list[str], dict[str, str | None]]]:
        return [tuple(json.loads(line)) for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "a site")


def test_what_it_says_of_a_configuration(site: Site, tmp_path: Path) -> None:
    compose = Compose(site, site.folder, (str(Fake(tmp_path).program),))
    assert compose.images() == {"web": "shop/web:v1", "api": "shop/api:v1"}
    assert compose.secrets() == ["token"]
    secrets: Any = compose.config()["secrets"]
    assert secrets["token"] == {"file": "/s $x/token"}, "must be the file's name, not Compose's form of it"
    assert compose.networks("web") == ["shop-network", "shop-staging_default"]
    assert compose.networks("api") == ["shop-staging_default"]
    assert compose.services() == ["web", "api"]
    assert compose.hash("web") == "abc123"


def test_a_dollar_is_one_dollar(site: Site, tmp_path: Path) -> None:
    config = 'services: {web: {image: "a$$b"}}\nsecrets: {token: {file: "/a b$$c/token", list: ["$$$$"]}}'
    found = Compose(site, site.folder, (str(Fake(tmp_path, config).program),)).config()
    assert found["secrets"] == {"token": {"file": "/a b$c/token", "list": ["$$"]}}


def test_files_project_and_variables_are_of_the_environment(site: Site, tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    Compose(site, site.folder, (str(fake.program),), engine="unix:///e").do("up", "-d", "web")
    [(argv, variables)] = fake.calls()
    folder = site.folder
    assert argv == [
        *("-p", "shop-staging", "--project-directory", str(folder), "--env-file", f"{folder}/.env"),
        *("-f", f"{folder}/compose.yaml", "-f", f"{folder}/compose.monitoring.yaml", "up", "-d", "web"),
    ]
    assert variables == {
        "TAG": "unknown",
        "FILES_FOLDER": "",
        "EXPORTER_CONFIG_FILE": str(site.config),
        "STATE_FOLDER": str(site.state_folder),
        "SECRETS_FOLDER": str(site.secrets_folder),
        "BACKUP_FOLDER": str(site.backup_folder),
        "DOCKER_HOST": "unix:///e",
    }


def test_of_what_runs_the_files_and_the_tag_are_the_releases(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(tmp_path)
    monkeypatch.setattr("exporter.host.compose.find_compose", lambda: (str(fake.program),))
    release = site.state_folder / "releases/1"
    for name in ("compose.yaml", "images.yaml"):
        site.state.write(f"releases/1/{name}", "services: {}\n")
    site.state.write("releases/1/tag", "v7\n")
    site.state.write("files/config.yaml", "")
    site.state.point_to("running", "releases/1")
    Compose.running(site).do("ps")
    [(argv, variables)] = fake.calls()
    running = site.state_folder / "running"
    assert [word for word in argv if word.startswith(str(running))] == [
        f"{running}/compose.yaml",
        f"{running}/images.yaml",
    ]
    assert variables["TAG"] == "v7"
    assert variables["FILES_FOLDER"] == f"{site.state_folder}/files"
    assert variables["EXPORTER_CONFIG_FILE"] == f"{site.state_folder}/files/config.yaml"
    assert release.is_dir()


@pytest.mark.parametrize("tag", [bytes(4), b"\xff\0"])
def test_a_damaged_tag_is_one_sentence(site: Site, tmp_path: Path, tag: bytes) -> None:
    (site.folder / "tag").write_bytes(tag)
    with pytest.raises(OperationError, match="tag is damaged"):
        Compose(site, site.folder, (str(Fake(tmp_path).program),)).config()


def test_what_it_refuses_is_one_line_without_control_characters(site: Site, tmp_path: Path) -> None:
    compose = Compose(site, site.folder, (str(Fake(tmp_path).program), "bad"))
    with pytest.raises(OperationError, match=r"are not valid: service \\x1b\[2J has neither"):
        compose.config()
    assert Compose(site, site.folder, (str(Fake(tmp_path).program), "bad")).do("up").status == 1


@pytest.mark.parametrize("config", ["[1]", "a: [", ""])
def test_an_answer_that_is_none(site: Site, tmp_path: Path, config: str) -> None:
    compose = Compose(site, site.folder, (str(Fake(tmp_path, config).program),))
    with pytest.raises(OperationError, match="is not a YAML mapping"):
        compose.images()


@pytest.mark.parametrize("config", ["services: []", "services: {web: 1, api: {image: [1]}}"])
def test_an_answer_of_another_shape_is_empty(site: Site, tmp_path: Path, config: str) -> None:
    compose = Compose(site, site.folder, (str(Fake(tmp_path, config).program),))
    assert compose.images() == {}
    assert compose.secrets() == []


def test_without_compose_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError, match="install one of them"):
        find_compose()
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    (tmp_path / "docker-compose").symlink_to("/bin/true")
    assert find_compose() == ("docker-compose",)
    docker.write_text("#!/bin/sh\nexit 0\n")
    assert find_compose() == ("docker", "compose")
    assert subprocess.run([docker]).returncode == 0
