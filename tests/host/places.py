"""A small catalog with its generated files in a folder, as a Site."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.host.site import Site, load_site
from exporter.outputs.generate import rendered
from exporter.outputs.registry import OUTPUTS
from exporter.outputs.writer import compare, write

if TYPE_CHECKING:
    from exporter.outputs.base import File

CATALOG = """
project: shop
services:
  web: {image: shop/web, port: 8080, depends_on: [api, migrate]}
  api: {image: shop/api, port: 8080, replicas: 3, depends_on: db}
  migrate: {image: shop/api, depends_on: db}
  others: {probes: [{name: page, http: {url: "http://127.0.0.1:1/"}}]}
stores:
  db: {engine: postgresql, password: {secret: db_password}, backup: "0 3 * * *"}
secrets: {db_password: {generate: 32}}
gateway: {host: shop.example.com, routes: {/: web}}
environments:
  staging: {address: "{service}:{port}", verify: {deadline: 20s}}
  far: {docker_host: "ssh://deploy@far.example.com"}
"""


@cache
def _generated(catalog: str) -> dict[Path, list[File]]:
    """All files of a catalog, by folder; made once, since that takes a second."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(catalog)
        trees = rendered(config, OUTPUTS, None, Path(folder))
        return {place.relative_to(folder): files for place, files in trees.items()}


def make_site(folder: Path, environment: str = "staging", catalog: str = CATALOG) -> Site:
    """Write the catalog and all that is generated from it, and load it with folders of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(catalog)
    generated = _generated(catalog)
    write(change for place, files in generated.items() for change in compare(folder / place, files))
    for name in ("state", "secrets", "backups"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "deploy" / environment / ".env").write_text(
        f"STATE_FOLDER={folder / 'state'}\nSECRETS_FOLDER={folder / 'secrets'}\nBACKUP_FOLDER={folder / 'backups'}\n"
    )
    return load_site(config, environment)
