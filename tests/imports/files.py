"""Small folders of Compose files for tests."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from exporter.imports.compose.reading import read_project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporter.imports.project import Project


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
    return folder


def read(folder: Path, *names: str) -> Project:
    """Read a folder, or some of its files, in an environment without variables."""
    where = [folder / name for name in names] if names else folder
    return read_project(where, environment={})
