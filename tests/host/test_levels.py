"""The order in which containers start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.host.levels import start_levels
from tests.outputs.catalogs import catalog_of

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = """
project: shop
services:
  inside: {image: "i:1", network_mode: "service:vpn"}
  vpn: {image: "v:1", depends_on: db}
  fix: {image: "f:1", restart: "no"}
  theirs: {image: "t:1", managed: off}
  web: {image: "w:1", depends_on: theirs}
stores:
  db: {engine: redis, auth: off, depends_on: {fix: completed}}
  cache: {engine: redis, auth: off}
"""


def test_each_starts_after_what_it_needs(tmp_path: Path) -> None:
    assert start_levels(catalog_of(tmp_path, CATALOG)) == {
        "cache": 0,
        "fix": 1,
        "db": 2,
        "web": 2,
        "vpn": 3,
        "inside": 4,
    }
