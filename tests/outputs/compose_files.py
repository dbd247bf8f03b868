"""Compose files written as `gen` writes them, and read by the programs that check them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

from exporter.outputs.compose import render as render_compose
from tests.components import require

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.base import Render

TIMEOUT = 60


def files_of(catalog: Catalog) -> dict[str, str]:
    return {file.path: file.text for file in render_compose(catalog)}


def compose_of(catalog: Catalog) -> dict[str, Any]:
    return dict(yaml.safe_load(files_of(catalog)["compose.yaml"]))


def written(render: Render, catalog: Catalog, root: Path) -> Path:
    """Write the output's files below `root`, with the source folders that docker-compose 1.29 looks for."""
    folder = root / "deploy" / catalog.environment_name
    for file in render(catalog):
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    for service in catalog.services.values():
        if service.build:
            (root / service.build.context).mkdir(parents=True, exist_ok=True)
    return folder


def assert_valid(folder: Path) -> None:
    """Check against the schema of the Compose specification, which `docker compose` uses too."""
    files = [str(folder / name) for name in ("compose.yaml", "compose.secrets.swarm.yaml")]
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", "vendor.compose-spec", *files])
    assert done.exit_code == 0, done.output


def docker_compose(folder: Path, *arguments: str, fails: bool = False, **environment: str) -> dict[str, Any]:
    """Return the output of docker-compose 1.29, parsed as YAML. `fails`: it must fail, with `stderr` as its error."""
    command = [require("docker-compose"), "-p", "test", "-f", str(folder / "compose.yaml"), *arguments]
    own = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=TIMEOUT, env=own | environment
    )
    if fails:
        assert done.returncode != 0, done.stdout
        return {"stderr": done.stderr}
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout))
