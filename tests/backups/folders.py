"""Backups in a test's folder, as backup.sh makes them, for a catalog with two volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.backups.authentic import Trust
from exporter.backups.keys import Key
from exporter.backups.manifest import PARTS
from exporter.backups.sealing import seal
from exporter.backups.subjects import subjects
from tests.outputs.catalogs import catalog_of

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

NAMES = ("first", "second")
FILE = "volume.tar.gz"
"""The contents of each backup."""
KEY = Key(bytes(range(32)))
TRUST = Trust(KEY)
CATALOG = """
project: shop
services: {{web: {{image: web, port: 80, volumes: ["first:/a", "second:/b"]}}}}
volumes: {{first: {{backup: {{keep: 2}}}}, second: {{backup: {{keep: 3}}}}}}
backup: {{directory: {backups}{more}}}
environments: {{staging: }}
"""


def catalog(folder: Path, more: str = "") -> Catalog:
    """Return a catalog whose backups are in `folder`/backups/staging. `more`: more keys of `backup`."""
    return catalog_of(folder, CATALOG.format(backups=folder / "backups", more=more))


def half_made(catalog: Catalog, folder: Path, id: str, names: tuple[str, ...] = NAMES) -> Path:  # noqa: A002
    """Create ID.partial with one file per name, which contains the name and the id."""
    partial = folder / f"{id}.partial"
    for name in names:
        (partial / name).mkdir(parents=True)
        (partial / name / FILE).write_text(f"{name} {id}")
        (partial / name / PARTS).write_bytes(b"file\0volume.tar.gz\0volume\0\0fact\0image\0a:1\0\0")
    assert set(names) <= set(subjects(catalog))
    return partial


def sealed(
    catalog: Catalog,
    folder: Path,
    id: str,  # noqa: A002
    names: tuple[str, ...] = NAMES,
    key: Key = KEY,
) -> Path:
    """Create a complete backup."""
    return seal(
        half_made(catalog, folder, id, names),
        subjects(catalog),
        project="shop",
        environment="staging",
        encryption="",
        exporter="0",
        key=key,
    )
