"""Dockerfile.dockerignore: admits one service's sources from the catalog's folder, without secrets and leftovers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from exporter.catalog.planning.secret_paths import secret_file
from exporter.outputs.contexts import images_folder, sources
from exporter.outputs.yaml_text import NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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


def ignored(catalog: Catalog, build: Build, copied: Iterable[str]) -> str:
    """Return the ignore file of one service. `copied`: files that its image copies from the folder of images."""
    lines = [
        f"# {NOTICE}",
        "# The context is the catalog's folder. This file replaces a .dockerignore there.",
        "",
        "# Only the sources.",
        *(["*", f"!/{_literal(sources(build))}"] if sources(build) != "." else []),
        "",
        "# Secrets.",
        *_in_sources(build, _SECRETS),
        *_secret_files(catalog, build),
        "",
        "# Files of development tools.",
        *_in_sources(build, _WORK),
        *_inside(catalog, build, catalog.folder / "deploy"),
        "",
        "# What the build generates itself, and what only developers need.",
        *_in_sources(build, _OF_RUNTIME[str(build.runtime)]),
        "",
        "# Files that the image copies from the folder of images.",
        *(f"!/{images_folder(catalog)}/{path}" for path in copied),
    ]
    return "\n".join(lines) + "\n"


def _in_sources(build: Build, patterns: Iterable[str]) -> Iterator[str]:
    """Yield patterns for any folder as they are, and the others relative to the folder of the sources."""
    for pattern in patterns:
        yield pattern if pattern.startswith("**/") else f"/{_literal(sources(build, pattern))}"


def _secret_files(catalog: Catalog, build: Build) -> Iterator[str]:
    """Yield patterns for the catalog's secrets that are inside the context, whatever their names."""
    for name, source in catalog.secrets.items():
        if not source.env:
            yield from _inside(catalog, build, secret_file(catalog, name))


def _inside(catalog: Catalog, build: Build, path: Path) -> Iterator[str]:
    """Yield the pattern for a path, if it is below the context."""
    relative = os.path.relpath(path, catalog.folder / build.context)
    if relative != ".." and not relative.startswith("../"):
        yield f"/{_literal(sources(build, relative))}"


def _literal(path: str) -> str:
    """Return a pattern for exactly this path; `?` replaces characters that cannot be written in such a file."""
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", path)
    return re.sub(r"^\s|\s$|[^\S ]", "?", "".join(c if c.isprintable() else "?" for c in escaped))
