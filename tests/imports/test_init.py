"""`exporter init`: what it writes, and what it refuses without writing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from exporter.imports.commands import app
from tests.imports.files import write

if TYPE_CHECKING:
    from pathlib import Path


SHOP = """\
name: shop
services:
  web: {image: "nginx:1.27", ports: ["8080:80"], depends_on: [db]}
  db: {image: "postgres:16", environment: {POSTGRES_PASSWORD: hunter2}}
"""
PROMETHEUS = """\
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["node1:9100"]}]
"""


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, [*arguments])


@pytest.mark.parametrize("own", [(), ("--own",)])
def test_a_folder_becomes_a_valid_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: tuple[str, ...]
) -> None:
    write(tmp_path, {"compose.yaml": SHOP})
    result = run(tmp_path, monkeypatch, *own)
    assert result.exit_code == 0, result.output
    assert "Written: config.yaml, valid" in result.output
    assert "compose.yaml:4: services.db.environment.POSTGRES_PASSWORD" in result.output
    assert "hunter2" not in result.output + (tmp_path / "config.yaml").read_text()
    assert ("Before the first deploy" in result.output) == bool(own)


def test_what_outputs_refuse_is_not_called_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mongo = "image: 'mongo:7', environment: {MONGO_INITDB_ROOT_PASSWORD: '${P}'}"
    write(tmp_path, {"compose.yaml": f"services: {{db: {{{mongo}}}}}\n"})
    result = run(tmp_path, monkeypatch, "--own")
    assert result.exit_code == 1
    assert "stores.db: has a password but no user; write username next to it" in result.output


def test_a_file_is_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"compose.yaml": SHOP, "config.yaml": "mine"})
    result = run(tmp_path, monkeypatch)
    assert result.exit_code == 2
    assert "config.yaml: already exists" in result.output
    assert (tmp_path / "config.yaml").read_text() == "mine"


@pytest.mark.parametrize("format_", [(), ("--json",)])
def test_a_dry_run_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: tuple[str, ...]
) -> None:
    write(tmp_path, {"compose.yaml": SHOP})
    result = run(tmp_path, monkeypatch, "--dry-run", *format_)
    assert result.exit_code == 0, result.output
    assert [file.name for file in tmp_path.iterdir()] == ["compose.yaml"]
    if format_:
        assert json.loads(result.output)["catalog"]["project"] == "shop"


def test_files_of_prometheus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"prometheus.yml": PROMETHEUS})
    result = run(tmp_path, monkeypatch, "--from", "prometheus.yml", "--out", "catalog.yaml")
    assert result.exit_code == 0, result.output
    assert "node1" in (tmp_path / "catalog.yaml").read_text()


def test_without_a_source_the_smallest_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(tmp_path, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "health:" in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("files", "arguments", "sentence"),
    [
        ({}, ["--from", "none.yaml"], "none.yaml: there is no such file or folder"),
        ({}, ["--from", "."], "there is no Compose file here"),
        ({"a.yaml": "- 1"}, ["--from", "a.yaml"], "a.yaml:1"),
        ({"a.yaml": "services: {a: {image: x, ports: ['1-3:1-2']}}"}, ["--from", "a.yaml"], "do not fit"),
        ({"a.yaml": SHOP}, ["--from", "docker", "a.yaml"], "cannot be combined"),
    ],
)
def test_a_source_that_cannot_be_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    arguments: list[str],
    sentence: str,
) -> None:
    write(tmp_path, files)
    result = run(tmp_path, monkeypatch, *arguments)
    assert result.exit_code == 2
    assert sentence in result.output
    assert not (tmp_path / "config.yaml").exists()
