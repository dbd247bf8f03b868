"""Imports go in one direction, and the daemon loads only what it needs."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "exporter"

MAY_IMPORT = {
    "catalog": set(),
    "metrics": {"catalog", "probes", "containers", "storage", "releases"},
    "probes": {"catalog"},
    "containers": {"catalog"},
    "storage": {"catalog"},
    "backups": {"catalog", "storage", "host", "releases"},
    "releases": {"catalog", "host"},
    "demo": {"catalog", "probes"},
    "daemon": {"catalog", "probes", "containers", "storage", "metrics", "releases", "demo"},
    "outputs": {"catalog"},
    "imports": {"catalog", "host", "outputs"},
    "host": {"catalog", "outputs"},
    "secrets": {"catalog", "outputs", "host"},
    "operations": {"catalog", "outputs", "host", "releases", "backups", "storage"},
}
"""For each package of exporter/, the packages that it may import besides itself."""

CATALOG = {
    "values": set(),
    "base": set(),
    "compose": set(),
    "keys": {"values", "base"},
    "catalog": {"keys", "values", "base"},
    "reading": {"catalog", "compose", "keys", "values", "base"},
    "planning": {"reading", "catalog", "keys", "values", "base"},
    "loading": {"planning", "reading", "catalog", "values"},
    "report": {"loading", "reading", "catalog"},
}
"""The same for the layers of the catalog, from the bottom up: modules and folders of `exporter/catalog/`."""

DEMO_DOOR = "exporter.demo.loading"
"""The only part of the demo that the daemon may import, and only on request: a replacement for its loader."""

SHARED = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__", "cli"}
"""Modules outside the packages. Each package may import them because they import no package."""

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
    "jsonschema",
)


def imported(file: Path) -> set[str]:
    """Return what a module imports anywhere, also inside functions or only for types: modules and names in them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(file: Path) -> set[str]:
    """Return the packages of exporter/ that a module imports."""
    rooms = {name.split(".")[1] for name in imported(file) if name.startswith("exporter.")}
    return {
        room for room in rooms if (PACKAGE / room).is_dir()
    }  # any module may import modules outside the packages


@pytest.mark.parametrize(
    "room", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
)
def test_imports_run_one_way(room: str) -> None:
    for file in (PACKAGE / room).rglob("*.py"):
        others = rooms_imported(file) - {room} - SHARED
        assert others <= MAY_IMPORT[room], f"{file.relative_to(PACKAGE)} imports {others - MAY_IMPORT[room]}"


@pytest.mark.parametrize("room", ["daemon", "metrics"])
def test_the_daemon_reads_records_of_deploys_and_never_deploys(room: str) -> None:
    """Check that the daemon imports only the records: everything else in exporter/releases acts on a host."""
    for file in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("exporter.releases"):
                assert node.module == "exporter.releases.records", file
    assert rooms_imported(PACKAGE / "releases/records.py") <= SHARED


@pytest.mark.parametrize("module", sorted(SHARED))
def test_what_all_rooms_share_imports_none_of_them(module: str) -> None:
    assert rooms_imported(PACKAGE / f"{module}.py") <= SHARED


def test_the_daemon_starts_without_what_it_may_never_need() -> None:
    code = "import exporter.daemon.run, exporter.probes.http.probe, sys; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True
    ).stdout.split()
    assert not set(modules) & set(DAEMON_SIDE_FREE_OF)


@pytest.mark.parametrize("floor", CATALOG)
def test_the_catalog_is_built_from_the_ground_up(floor: str) -> None:
    place = PACKAGE / "catalog" / floor
    for file in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
        inside = {name.split(".")[2] for name in imported(file) if name.startswith("exporter.catalog.")}
        assert inside - {floor} <= CATALOG[floor], f"{file.relative_to(PACKAGE)} imports {inside}"


def test_every_module_of_the_catalog_is_on_a_floor() -> None:
    found = {path.stem for path in (PACKAGE / "catalog").iterdir()} - {"__init__", "__pycache__"}
    assert found == set(CATALOG)


def test_every_top_level_key_has_a_module_of_its_name() -> None:
    from exporter.catalog.catalog import Catalog

    plain = {"project", "title", "description", "registry", "network", "not_secret", "managed"}
    """Keys with a single value, which `catalog.py` defines itself."""
    keys = {path.stem for path in (PACKAGE / "catalog/keys").glob("*.py")}
    assert set(Catalog.model_fields) - plain <= keys


def test_the_daemon_takes_the_demo_by_one_door() -> None:
    taken = {
        name
        for file in (PACKAGE / "daemon").rglob("*.py")
        for name in imported(file)
        if name.startswith("exporter.demo")
    }
    assert {name.rpartition(".")[0] for name in taken} == {DEMO_DOOR}


def _private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_nothing_private_of_another_package_is_imported(file: Path) -> None:
    """Check that no name with a leading _ is imported from another package: it may change in any release.

    Use a public name or a small piece of our own code instead. A library opened with ctypes counts as a public
    interface.
    """
    names = imported(file)
    assert not {name for name in names if _private(name)}
    assert not {name for name in names if name.split(".")[0] in ("ctypes", "cffi")}


def _rows(above: str) -> list[list[str]]:
    """Return the cells of the first table below a text of docs/architecture.md, without its header."""
    text = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    lines = text.partition(f"\n{above}")[2].splitlines()
    table = itertools.takewhile(
        lambda line: line.startswith("|"), itertools.dropwhile(lambda line: not line.startswith("|"), lines)
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in list(table)[2:]]


def test_the_documentation_lists_the_rooms_and_what_they_may_import() -> None:
    documented = {
        row[0].strip("`").removeprefix("exporter/").rstrip("/"): set(filter(None, row[2].split(", ")))
        for row in _rows("## Packages\n")
    }
    assert documented == MAY_IMPORT


def test_the_documentation_lists_the_layers_of_the_catalog_from_the_bottom_up() -> None:
    documented = [row[0].strip("`").removeprefix("catalog/") for row in _rows("The catalog has layers.")]
    layers = [layer.removesuffix(".py").rstrip("/") for layer in documented]
    small = {"base", "report"}
    """Single modules that no layer is named after."""
    assert layers == [layer for layer in CATALOG if layer not in small]


LEAST_LOOKUPS = 20
"""A table with fewer rows was not read whole."""


def test_every_place_of_the_look_ups_exists() -> None:
    rows = _rows("## Where to look\n")
    assert len(rows) >= LEAST_LOOKUPS
    for what, places in rows:
        found = re.findall(r"`(exporter/[^`]+)`", places)
        assert found, what
        for place in found:
            assert (PACKAGE.parent / place).exists(), f"{what}: {place}"


@pytest.mark.parametrize("row", _rows("## Where to look\n"), ids=lambda row: row[0])
def test_a_place_of_the_look_ups_has_what_is_looked_for(row: list[str]) -> None:
    """Check that names in the code, such as those of metrics and alerts, occur as whole words in the places listed."""
    names = [name for name in re.findall(r"`([a-z_]+)`", row[0]) if len(name) > 3]
    names += re.findall(r"\b(Container[A-Z]\w+|[A-Z]{4,}\w*)\b", row[0])
    places = re.findall(r"`(exporter/[^`]+)`", row[1])
    text = "".join(f"{place}\n{(PACKAGE.parent / place).read_text(encoding='utf-8')}" for place in places)
    for name in names:
        assert name in text, f"{name} is not in {places}"
