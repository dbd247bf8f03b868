"""environment.sh and the scripts: what bash reads back is what the catalog says, whatever stands in it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.loading import load_catalog
from exporter.outputs.scripts import data, render
from tests.components import require
from tests.outputs.catalogs import ENVIRONMENTS, EXAMPLE, catalog_of

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "- a b'c\"d$HOME`id`\\e ;*"
CATALOG = f"""
project: shop
services:
  web: {{image: web, port: 80, depends_on: api}}
  migration: {{image: migration, depends_on: db}}
  api:
    build: {{context: ., runtime: python}}
    port: 80
    health: /health
    replicas: 3
    depends_on: {{db: healthy, worker: started, migration: completed}}
    volumes: "data:/srv/data"
  worker: {{image: worker, port: 80}}
  others: {{probes: [{{name: up, tcp: "example.com:1"}}]}}
stores:
  db:
    engine: postgresql
    password: {{secret: db_password}}
    databases: ["a b", "c'd"]
    volume: db-data
    backup: {{keep: 3}}
  file: {{engine: sqlite, service: api, path: /srv/data/a.db, backup: {{}}}}
volumes: {{data: {{backup: {{keep: 9}}}}}}
secrets: {{db_password: {{generate: 32, rotate: 90d}}, other: {{env: OTHER}}, third: , fourth: {{file: "x/it's"}}}}
backup:
  directory: {NASTY!r}
  configuration: {NASTY!r}
  encrypt: {{recipient_file: "./keys/it's"}}
  s3: {{bucket: shop-backups, access_key: {{secret: other}}, secret_key: "${{KEY}}"}}
gateway: {{host: example.com, routes: {{/: web}}}}
environments: {{production: {{protected: true, tag: "1.2", verify: {{deadline: 90s}}}}}}
""".replace(repr(NASTY), '"' + NASTY.replace("\\", "\\\\").replace('"', '\\"') + '"')


def read_back(text: str, folder: Path, *names: str) -> dict[str, list[str]]:
    """The elements of each variable, as bash has them after it has read the file."""
    file = folder / "environment.sh"
    file.write_text(text)
    script = """
        source "$1"; shift
        for name; do
          all="$name[@]"; values=("${!all}")
          printf '%s\\0' "$name" "${#values[@]}"
          if ((${#values[@]})); then printf '%s\\0' "${values[@]}"; fi
        done
    """
    said = subprocess.run(
        [require("bash"), "-euc", script, "-", file, *names], capture_output=True, check=True, text=True
    ).stdout
    words = iter(said.split("\0"))
    return {name: [next(words) for _ in range(int(next(words)))] for name in words if name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPOSE_PROJECT", ["shop-production"]),
        ("PROTECTED", ["true"]),
        ("VERIFY_SECONDS", ["90"]),
        ("TAG_DEFAULT", ["1.2"]),
        ("SERVICES", ["migration", "worker", "api", "web"]),
        ("SERVICE_LEVELS", ["1", "1", "2", "3"]),
        ("AWAITED", ["migration", "api", "db"]),
        ("JOBS", ["migration"]),
        ("STORES", ["db"]),
        ("FILE_STORES", ["file"]),
        ("BUILT", ["api"]),
        ("REPLICATED", ["api"]),
        ("REPLICA_COUNTS", ["3"]),
        ("GATEWAY", ["gateway"]),
        ("SECRETS", ["db_password", "other", "third", "fourth", "grafana_admin_password"]),
        ("SECRET_SOURCE", ["generate", "env", "file", "file", "generate"]),
        ("SECRET_VALUE", ["32", "OTHER", "secrets/third", "x/it's", "32"]),
        ("SECRET_ROTATE_SECONDS", ["7776000", "", "", "", ""]),
        ("SECRET_USED_BY", ["db", "", "", "", "grafana"]),
        ("SECRETS_OWNER_DEFAULT", [":65532"]),
        ("BACKUP_NAMES", ["db", "file", "data", "configuration"]),
        ("BACKUP_PUBLIC_KEY", ["./keys/it's"]),
        ("BACKUP_FOLDER_DEFAULT", [NASTY]),
    ],
)
def test_bash_reads_what_the_catalog_says(tmp_path: Path, name: str, value: list[str]) -> None:
    [file] = data.render(catalog_of(tmp_path, CATALOG))
    assert read_back(file.text, tmp_path, name) == {name: value}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_example_in_all_environments(tmp_path: Path, environment: str) -> None:
    [file] = data.render(load_catalog(EXAMPLE, environment))
    found = read_back(
        file.text, tmp_path, "SERVICES", "REPLICATED", "DOCKER_HOST_OF_ENVIRONMENT", "GATEWAY_PROFILE"
    )
    assert found["SERVICES"][-1] == "layout-frontend"
    production = environment == "production"
    # On a laptop, where every port is open anyway, the gateway starts when it is asked for.
    assert found["GATEWAY_PROFILE"] == (["gateway"] if environment == "development" else [""])
    assert found["REPLICATED"] == (["api-gateway"] if production else [])
    assert found["DOCKER_HOST_OF_ENVIRONMENT"] == (
        ["ssh://deploy@pageforge.example.com"] if production else [""]
    )


def test_scripts_are_the_same_for_every_catalog(tmp_path: Path) -> None:
    """`make lint` shows them to shellcheck."""
    files = list(render(catalog_of(tmp_path, CATALOG)))
    assert files == list(render(load_catalog(EXAMPLE)))
    assert {"deploy.sh", "rollback.sh", "status.sh", "lib.sh"} <= {file.path for file in files}
    assert all(file.executable != file.path.endswith("lib.sh") for file in files)


@pytest.mark.parametrize("script", ["deploy", "rollback", "status"])
def test_help_needs_nothing(tmp_path: Path, script: str) -> None:
    for file in render(catalog_of(tmp_path, CATALOG)):
        (tmp_path / file.path).write_text(file.text)
    done = subprocess.run(
        [require("bash"), tmp_path / f"{script}.sh", "--help"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: scripts/{script}.sh ENVIRONMENT")
