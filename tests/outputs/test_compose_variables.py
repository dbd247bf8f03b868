"""Secrets as variables: compose.yaml names an env file outside the tree, and never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.catalog.reading.problems import CatalogError
from exporter.outputs.compose import render
from tests.outputs.catalogs import catalog_of
from tests.outputs.compose_files import assert_valid, compose_of, files_of, written

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
project: shop
services:
  web: {image: "web:1", secrets: [two], environment: {X: {secret: one, as: variable}, Y: {secret: two}, Z: z}}
  plain: {image: "web:1"}
stores:
  db: {engine: postgresql, environment: {X: {secret: one, as: variable}}, password: {secret: two}}
secrets: {one: , two: }
"""


def test_an_env_file_of_each_container(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, TEXT)
    assert_valid(written(render, catalog, tmp_path))
    compose = compose_of(catalog)
    web, plain, db = (compose["services"][name] for name in ("web", "plain", "db"))
    folder = "${SECRETS_FOLDER:-/etc/shop/default/secrets}"
    assert web["env_file"] == [f"{folder}/.env.web"]
    assert db["env_file"] == [f"{folder}/.env.db"]
    assert "env_file" not in plain
    assert web["environment"] == {"TWO_FILE": "/run/secrets/two", "Y_FILE": "/run/secrets/two", "Z": "z"}
    # A secret that is a variable alone is not mounted as well.
    assert web["secrets"] == db["secrets"] == ["two"]
    assert set(compose["secrets"]) == {"two"}


def test_the_overlay_for_swarm_says_what_it_cannot_carry(tmp_path: Path) -> None:
    name, words = "compose.secrets.swarm.yaml", "env files that exporter secrets create"
    text = files_of(catalog_of(tmp_path, TEXT))[name].replace("\n# ", " ")
    assert words in text
    without = files_of(catalog_of(tmp_path, TEXT.replace(", as: variable", "")))[name].replace("\n# ", " ")
    assert words not in without


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("{secret: one, as: file}", "as is variable, or left out"),
        ("{env: ONE, as: variable}", "only one of the catalog's secrets has as"),
        ("{as: variable}", "needs a name|has one key|reference"),
        ("{secret: gone, as: variable}", "gone"),
    ],
)
def test_mistakes(value: str, sentence: str, tmp_path: Path) -> None:
    text = (
        f"project: shop\nservices: {{a: {{image: 'a:1', environment: {{X: {value}}}}}}}\nsecrets: {{one: }}\n"
    )
    with pytest.raises(CatalogError, match=sentence):
        catalog_of(tmp_path, text)


def test_only_variables_have_it(tmp_path: Path) -> None:
    text = TEXT.replace("password: {secret: two}", "password: {secret: two, as: variable}")
    with pytest.raises(CatalogError, match=r"stores\.db\.password"):
        catalog_of(tmp_path, text)
