"""A small catalog with its generated files in a folder, as a Site."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from exporter.host.site import Site, load_site
from exporter.outputs.generate import rendered
from exporter.outputs.registry import OUTPUTS
from exporter.outputs.writer import compare, write

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
def _generated(catalog: str) -> Path:
    """Make a folder with all files of a catalog, once, because writing and syncing them takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="generated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = folder / "config.yaml"
    config.write_text(catalog)
    trees = rendered(config, OUTPUTS, None, folder).trees
    write(change for tree in trees for change in compare(tree.folder, tree.files))
    return folder


def make_site(folder: Path, environment: str = "staging", catalog: str = CATALOG) -> Site:
    """Write the catalog and its generated files, and load it with its own folders."""
    shutil.copytree(_generated(catalog), folder, dirs_exist_ok=True)
    config = folder / "config.yaml"
    for name in ("state", "secrets", "backups"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "deploy" / environment / ".env").write_text(
        f"STATE_FOLDER={folder / 'state'}\nSECRETS_FOLDER={folder / 'secrets'}\nBACKUP_FOLDER={folder / 'backups'}\n"
    )
    return load_site(config, environment)
