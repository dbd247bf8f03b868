"""Text from the catalog reaches its container unchanged, whatever Compose and YAML do with such text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.outputs.compose import render
from exporter.outputs.compose.text import literal, variables
from tests.outputs.catalogs import NASTY, NASTY_YAML, catalog_of
from tests.outputs.compose_files import assert_valid, compose_of, docker_compose, written

if TYPE_CHECKING:
    from pathlib import Path

# In environment variables the catalog reads ${ as a reference unless it is preceded by another $.
ESCAPED = NASTY_YAML.replace("${{", "$${{")
DASHED = '"--rm -v /:/host"'

EVERYWHERE = f"""
project: shop
description: {NASTY_YAML}
services:
  web:
    description: {NASTY_YAML}
    build:
      context: "./a b$c/-d"
      dockerfile: {NASTY_YAML}
      target: "-$t"
      arguments: {{A: {NASTY_YAML}, B: {DASHED}, C: "yes", D: 012}}
    command: [{NASTY_YAML}, {DASHED}, "", "on"]
    environment: {{A: {ESCAPED}, B: {DASHED}, C: "", D: "a${{GIVEN}}$${{GIVEN}}$", E: {{env: GIVEN}}}}
    labels: {{a.b: {NASTY_YAML}, "-c$d e": {DASHED}, e: ""}}
    user: "-$u"
    writable: ["/a:b,c=$d e", /tmp]
    volumes:
      - {{source: "./$x:y z", target: "/a b:$c,d"}}
  other: {{image: "reg.example/$a:1", health: /, port: 1}}
stores:
  db: {{engine: postgresql, username: {NASTY_YAML}, databases: [{NASTY_YAML}, 'a"b', {NASTY_YAML}, "-c"], volume: db}}
  mongo: {{engine: mongodb, username: {NASTY_YAML}, password: {{secret: pass}}, databases: {NASTY_YAML}}}
secrets: {{pass: }}
gateway: {{host: a.example, tls: {{certificate: "./$c:d", key: "/k e$y"}}, routes: {{/: web}}, image: "$n:1"}}
"""


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """Return the services as docker-compose 1.29 reads them. Its output is valid input, so each $ is doubled."""
    catalog = catalog_of(tmp_path, EVERYWHERE)
    folder = written(render, catalog, tmp_path)
    assert_valid(folder)
    loaded = docker_compose(folder, "config", GIVEN="g$HOME", TAG="1")
    single: dict[str, Any] = _single(loaded["services"])
    return single


def _single(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key.replace("$$", "$"): _single(item) for key, item in value.items()}
    return [_single(item) for item in value] if isinstance(value, list) else value


def test_services(services: dict[str, Any], tmp_path: Path) -> None:
    web = services["web"]
    assert web["command"] == [NASTY, "--rm -v /:/host", "", "on"]
    environment = {"A": NASTY, "B": "--rm -v /:/host", "C": "", "D": "ag$HOME${GIVEN}$", "E": "g$HOME"}
    assert web["environment"] == environment
    assert web["labels"] == {"a.b": NASTY, "-c$d e": "--rm -v /:/host", "e": ""}
    assert web["user"] == "-$u"
    build = web["build"]
    assert build["args"] == {"A": NASTY, "B": "--rm -v /:/host", "C": "yes", "D": "012"}
    assert build["context"] == str(tmp_path / "a b$c/-d")
    assert (build["dockerfile"], build["target"]) == (NASTY, "-$t")
    assert [(mount["type"], mount.get("source"), mount["target"]) for mount in web["volumes"]] == [
        ("bind", str(tmp_path / "$x:y z"), "/a b:$c,d"),
        ("tmpfs", None, "/a:b,c=$d e"),
    ]
    assert web["tmpfs"] == ["/tmp:size=64m,mode=1777"]
    assert services["other"]["image"] == "reg.example/$a:1"


def test_stores_and_gateway(services: dict[str, Any], tmp_path: Path) -> None:
    db, mongo, gateway = (services[name] for name in ("db", "mongo", "gateway"))
    assert db["environment"] == {
        "POSTGRES_USER": NASTY,
        "POSTGRES_DB": NASTY,
        "POSTGRES_HOST_AUTH_METHOD": "trust",
    }
    assert f"--username={NASTY}" in db["healthcheck"]["test"]
    assert mongo["environment"]["MONGO_INITDB_ROOT_USERNAME"] == NASTY
    assert mongo["environment"]["MONGO_INITDB_DATABASE"] == NASTY
    assert '"$HOSTNAME"' in mongo["healthcheck"]["test"][-1]
    sources = {mount["target"]: mount["source"] for mount in gateway["volumes"] if mount["type"] == "bind"}
    assert sources["/etc/nginx/tls/certificate.pem"] == str(tmp_path / "$c:d")
    assert sources["/etc/nginx/tls/key.pem"] == "/k e$y"
    assert gateway["image"] == "$n:1"


def test_the_other_version_reads_the_same_text(tmp_path: Path) -> None:
    """Check that no single $ is left: `docker compose`, which is not installed here, replaces `$` by
    the same rules."""
    compose = compose_of(catalog_of(tmp_path, EVERYWHERE))
    assert compose["services"]["web"]["command"][0] == NASTY.replace("$", "$$")
    assert variables(compose) == {
        "TAG": "",
        "GIVEN": "",
        "SECRETS_FOLDER": "/etc/shop/default/secrets",
        "FILES_FOLDER": ".",
    }


@pytest.mark.parametrize("text", ["", "$", "$$", "${A}", "$${A}", "$A", "a$", "$$$", "${A:-b}"])
def test_literal_text_names_no_variable(text: str) -> None:
    assert variables(literal(text)) == {}
    assert literal(text).replace("$$", "$") == text
