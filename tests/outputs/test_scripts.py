"""The scripts: the same for every catalog, short, and without findings of shellcheck."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from exporter.catalog.loading import load_catalog
from exporter.outputs.scripts import render
from tests.components import require
from tests.outputs.catalogs import EXAMPLE, catalog_of

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = """
project: shop
services: {web: {image: web, port: 80}}
"""
MOST_LINES = 40


def test_scripts_are_the_same_for_every_catalog_short_and_pass_shellcheck(tmp_path: Path) -> None:
    files = list(render(catalog_of(tmp_path, CATALOG)))
    assert files == list(render(load_catalog(EXAMPLE)))
    names = {"deploy.sh", "rollback.sh", "status.sh", "backup.sh", "restore.sh", "secrets.sh"}
    assert {file.path for file in files} == names
    for file in files:
        assert file.executable
        assert len(file.text.splitlines()) < MOST_LINES
        (tmp_path / file.path).write_text(file.text)
    done = subprocess.run(
        [require("shellcheck"), *sorted(names)], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
