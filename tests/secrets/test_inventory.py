"""The secrets of a catalog, who reads them, and which are passwords of stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from exporter.secrets.inventory import InventoryError, Login, Secret, checked, inventory
from tests.outputs.catalogs import ENVIRONMENTS, EXAMPLE, catalog_of

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = """
project: shop
services:
  api: {image: api, port: 80, secrets: [other], environment: {DB_PASSWORD: {secret: db_password}}}
stores:
  db: {engine: postgresql, password: {secret: db_password}, port: 5433, host_port: 5433}
  docs: {engine: mongodb, username: root, password: {secret: db_password}}
  cache: {engine: redis, password: {secret: cache_password}, tls: {verify: false}, secrets: [certificate]}
  open: {engine: redis}
  file: {engine: sqlite, service: api, path: /data/a.db}
volumes: {data: }
secrets:
  db_password: {generate: 32, rotate: 90d}
  cache_password: {env: CACHE_PASSWORD}
  other: {file: "x/it's"}
  certificate:
  unused:
""".replace("services:\n  api: {image", 'services:\n  api: {volumes: "data:/data", image')


def test_each_secret_has_its_source_readers_and_stores(tmp_path: Path) -> None:
    found = inventory(catalog_of(tmp_path, CATALOG))
    assert found == {
        secret.name: secret
        for secret in (
            Secret(
                *("db_password", "generate", "32", 90 * 86400.0, ("api",)),
                (Login("db", "postgresql", "postgres", 5433), Login("docs", "mongodb", "root", 27017)),
            ),
            Secret(
                *("cache_password", "env", "CACHE_PASSWORD", None, ()),
                (Login("cache", "redis", "default", 6379, tls=True),),
            ),
            Secret("other", "file", "x/it's", None, ("api",)),
            Secret("certificate", "file", "secrets/certificate", None, ("cache",)),
            Secret("unused", "file", "secrets/unused"),
            Secret("grafana_admin_password", "generate", "32", None, ("grafana",)),
        )
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_example_in_all_environments(environment: str) -> None:
    found = inventory(load_catalog(EXAMPLE, environment))
    assert found["db_password"].users == ("form-version-processor", "layout-backend")
    assert [str(login) for login in found["db_password"].stores] == ["postgres"]
    assert found["slack_url"].users == ("alertmanager",)


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "two\nlines", "x\x7f"])
def test_a_name_that_cannot_be_a_file_is_refused(name: str) -> None:
    with pytest.raises(InventoryError, match="cannot be used for a file"):
        checked([Secret(name, "generate", "32")])
