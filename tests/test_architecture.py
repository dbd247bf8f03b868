"""Imports run one way, and the daemon pays only for what it runs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "exporter"

MAY_IMPORT = {
    "catalog": set(),
    "metrics": {"catalog", "probes", "containers", "releases"},
    "probes": {"catalog"},
    "containers": {"catalog"},
    "backups": {"catalog", "containers", "host", "releases"},
    "releases": {"catalog", "host"},
    "demo": {"catalog", "probes"},
    "daemon": {"catalog", "probes", "containers", "metrics", "releases", "demo"},
    "outputs": {"catalog"},
    "host": {"catalog", "outputs"},
    "operations": {"catalog", "outputs", "host", "releases", "backups", "containers"},
}
"""Of each room, the rooms that it may import beside itself."""

SHARED = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__", "cli"}
"""Modules of no room, which each room may import because they import none of them."""

DAEMON_SIDE_FREE_OF = (
    "pydantic",
    "yaml",
    "grafanalib",
    "docker",
    "rich",
    "jinja2",
    "dns",
    "icmplib",
    "httpx",
)


def rooms_imported(file: Path) -> set[str]:
    """The rooms that a module names in any import, also one inside a function or for types only."""
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        rooms |= {name.split(".")[1] for name in names if name.startswith("exporter.")}
    return {room for room in rooms if (PACKAGE / room).is_dir()}  # a module beside the rooms is everybody's


@pytest.mark.parametrize(
    "room", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
)
def test_imports_run_one_way(room: str) -> None:
    for file in (PACKAGE / room).rglob("*.py"):
        others = rooms_imported(file) - {room} - SHARED
        assert others <= MAY_IMPORT[room], f"{file.relative_to(PACKAGE)} imports {others - MAY_IMPORT[room]}"


@pytest.mark.parametrize("room", ["daemon", "metrics"])
def test_the_daemon_reads_records_of_deploys_and_never_deploys(room: str) -> None:
    """Everything else in that room acts on a host."""
    for file in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("exporter.releases"):
                assert node.module == "exporter.releases.records", file
    assert rooms_imported(PACKAGE / "releases/records.py") <= SHARED


@pytest.mark.parametrize("module", sorted(SHARED))
def test_what_all_rooms_share_imports_none_of_them(module: str) -> None:
    assert rooms_imported(PACKAGE / f"{module}.py") <= SHARED


def test_the_daemon_starts_without_what_it_may_never_need() -> None:
    code = "import exporter.daemon.run, exporter.probes.http, sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True
    ).stdout.split()
    assert not set(modules) & set(DAEMON_SIDE_FREE_OF)
