"""What never gets into an image: Dockerfile.dockerignore, which is read in place of the context's own ignore file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from exporter.catalog.planning.secret_paths import secret_file
from exporter.outputs.yaml_text import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Build

_SECRETS = (
    "**/.env",
    "**/.env.*",
    "**/*.env",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
    "**/*.kdbx",
    "**/id_rsa*",
    "**/id_ed25519*",
    "**/.aws",
    "**/.ssh",
    "**/.docker",
    "**/.kube",
    "**/.netrc",
    "**/.npmrc",
    "**/.pypirc",
    "**/pip.conf",
    "**/credentials*.json",
    "secrets",
)
_WORK = (
    "**/.git",
    "**/.github",
    "**/.gitlab-ci.yml",
    "**/.gitignore",
    "**/.dockerignore",
    "**/Dockerfile*",
    "**/compose*.yaml",
    "**/docker-compose*.yml",
    "**/.idea",
    "**/.vscode",
    "**/.DS_Store",
    "**/*.log",
    "**/*.swp",
)
_OF_RUNTIME = {
    "python": (
        "**/__pycache__",
        "**/*.py[cod]",
        "**/.venv*",
        "**/venv",
        "**/.pytest_cache",
        "**/.mypy_cache",
        "**/.ruff_cache",
        "**/.tox",
        "**/.coverage*",
        "**/htmlcov",
        "**/*.egg-info",
        "**/node_modules",
        "**/*.sqlite3",
        "**/*.db",
        "tests",
    ),
    "node": (
        "**/node_modules",
        "dist",
        "build",
        "**/coverage",
        "**/.cache",
        "**/.vite",
        "**/*.tsbuildinfo",
    ),
}


def ignored(catalog: Catalog, build: Build) -> str:
    """The patterns for the context of one service."""
    lines = [
        f"# {NOTICE}",
        "# It is read in place of the .dockerignore in the build context.",
        "",
        "# Secrets.",
        *_SECRETS,
        *_secret_files(catalog, build),
        "",
        "# Traces of work.",
        *_WORK,
        *_inside(catalog, build, catalog.folder / "deploy"),
        "",
        "# What the build makes itself, and what only a developer needs.",
        *_OF_RUNTIME[str(build.runtime)],
    ]
    return "\n".join(lines) + "\n"


def _secret_files(catalog: Catalog, build: Build) -> Iterator[str]:
    """The catalog's own secrets that lie inside the context, whatever their names."""
    for name, source in catalog.secrets.items():
        if not source.env:
            yield from _inside(catalog, build, secret_file(catalog, name))


def _inside(catalog: Catalog, build: Build, path: Path) -> Iterator[str]:
    """The pattern for a path, if it is below the context."""
    relative = os.path.relpath(path, catalog.folder / build.context)
    if relative != ".." and not relative.startswith("../"):
        yield f"/{_literal(relative)}"


def _literal(path: str) -> str:
    """A pattern for this path alone; `?` stands for what has no form in a line of such a file."""
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", path)
    return re.sub(r"^\s|\s$|[^\S ]", "?", "".join(c if c.isprintable() else "?" for c in escaped))
