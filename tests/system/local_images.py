"""Images of the stores, made of this machine's own programs, because registries are not reachable from everywhere.

- POSTGRESQL replaces postgres:17: the machine's PostgreSQL; its entry point reads the official image's variables.
- REDIS replaces redis:7.4: the machine's Redis.

Both have the official images' users, folders and volumes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.components import require
from tests.probes.postgresql.server import programs
from tests.system.base_images import Root

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine

POSTGRESQL = "stand-in-postgres:local"
REDIS = "stand-in-redis:local"

_PROGRAMS = ("postgres", "initdb", "psql", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready")
_MODULES = ("plpgsql.so", "dict_snowball.so")
_ENTRY = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  set -- --username="${POSTGRES_USER:-postgres}" --auth-local=trust --encoding=UTF8 --locale=C --no-sync
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then set -- "$@" --pwfile="$POSTGRES_PASSWORD_FILE"; fi
  initdb "$@" --auth-host="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" "$PGDATA"
  echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
  if [ -n "${POSTGRES_DB:-}" ]; then
    # While nobody else can reach the server, as in the official image.
    echo "CREATE DATABASE $POSTGRES_DB" | cat - /docker-entrypoint-initdb.d/*.sql |
      postgres --single -D "$PGDATA" postgres
  fi
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c fsync=off -c shared_buffers=16MB
"""
_USER = """
RUN echo '{user}:x:999:999::/:/bin/sh' >>/etc/passwd && mkdir -p {folders} && chown 999:999 {folders}
VOLUME {data}
WORKDIR {data}
USER 999:999
"""


def import_postgresql(engine: DockerEngine) -> None:
    """Import POSTGRESQL."""
    folder = programs()
    modules = [folder.parent / "lib" / name for name in _MODULES]
    root = Root()
    for name in _PROGRAMS:
        root.program(folder / name, *modules)
        root.link(f"/usr/bin/{name}", str(folder / name))
    for module in modules:
        root.file(str(module), module.read_bytes(), 0o755)
    root.folder(Path("/usr/share/postgresql") / folder.parent.name)
    root.file("/usr/share/zoneinfo/UTC", Path("/usr/share/zoneinfo/UTC").read_bytes())
    root.file("/usr/bin/entry", _ENTRY.encode(), 0o755)
    root.import_as(engine, "postgresql-programs:local")
    data = "/var/lib/postgresql/data"
    user = _USER.format(user="postgres", folders=f"{data} /var/run/postgresql", data=data)
    start = f'ENV PGDATA={data} TZ=UTC LC_ALL=C PATH=/usr/bin:/bin\nENTRYPOINT ["entry"]\n'
    _build(engine, POSTGRESQL, "postgresql-programs:local", user + start)


def import_redis(engine: DockerEngine) -> None:
    """Import REDIS."""
    root = Root()
    server = Path(require("redis-server")).resolve()
    root.program(server)
    root.program(Path(require("redis-cli")).resolve())
    for name in ("redis-server", "redis-check-rdb"):
        root.link(f"/usr/bin/{name}", str(server))
    root.import_as(engine, "redis-programs:local")
    start = 'ENV PATH=/usr/bin:/bin LC_ALL=C\nCMD ["redis-server"]\n'
    _build(
        engine,
        REDIS,
        "redis-programs:local",
        _USER.format(user="redis", folders="/data", data="/data") + start,
    )


def _build(engine: DockerEngine, image: str, base: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(f"FROM {base}\n{text}")
        done = subprocess.run(
            [
                require("docker"),
                "--host",
                engine.host,
                "build",
                "--quiet",
                "--network",
                "none",
                "--tag",
                image,
                folder,
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "DOCKER_BUILDKIT": "0"},
        )
    assert done.returncode == 0, done.stderr
