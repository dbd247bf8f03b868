"""Images of the stores, made of this machine's own programs, because registries are not reachable from everywhere.

- POSTGRESQL replaces postgres:17: the machine's PostgreSQL; its entry point reads the official image's variables.
- REDIS replaces redis:7.4: the machine's Redis.
- MARIADB replaces mariadb:11.8: the machine's MariaDB; its entry point, too, reads the official image's variables.

All have the official images' users, folders and volumes.
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
MARIADB = "stand-in-mariadb:local"

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
_MARIADB_PROGRAMS = ("mariadbd", "mariadb", "mariadb-admin", "mariadb-dump")
_MARIADB_FILES = Path("/usr/share/mysql")
# Makes the system tables as mariadb-install-db does, and users and databases as the official image does. While it does,
# a line has one statement.
_MARIADB_ENTRY = r"""#!/bin/sh
set -eu
data=/var/lib/mysql
from_file() { file=$(eval "printf %s \"\${$1_FILE:-}\""); if [ -n "$file" ]; then cat "$file"; fi; }
quoted() { printf %s "$1" | sed "s/[\\]/&&/g; s/'/''/g"; }
set -- mariadbd --no-defaults --datadir=$data --socket=/run/mysqld/mysqld.sock --lc-messages-dir=SHARE "$@"
if [ ! -d $data/mysql ]; then
  mkdir -p $data/mysql
  password=$(quoted "$(from_file MARIADB_ROOT_PASSWORD)")
  user=${MARIADB_USER:-} database=${MARIADB_DATABASE:-}
  {
    echo "USE mysql;"
    echo "SET @auth_root_socket = NULL;"
    cd SHARE
    cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql \
      maria_add_gis_sp_bootstrap.sql mysql_sys_schema.sql
    echo "DELETE FROM mysql.global_priv WHERE user = '' OR user = 'root' AND host <> 'localhost';"
    echo "FLUSH PRIVILEGES;"
    echo "ALTER USER root@localhost IDENTIFIED BY '$password';"
    if [ "${MARIADB_ROOT_HOST:-%}" = % ]; then
      echo "CREATE USER root@'%' IDENTIFIED BY '$password';"
      echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    fi
    if [ -n "$database" ]; then echo "CREATE DATABASE \`$database\`;"; fi
    if [ -n "$user" ]; then
      echo "CREATE USER '$user'@'%' IDENTIFIED BY '$(quoted "$(from_file MARIADB_PASSWORD)")';"
      echo "GRANT ALL ON \`$database\`.* TO '$user'@'%';"
    fi
    cat /docker-entrypoint-initdb.d/*.sql 2>/dev/null || true
  } | "$@" --bootstrap --innodb-log-file-size=4M
fi
exec "$@" --port=3306 --skip-name-resolve --innodb-buffer-pool-size=16M --innodb-log-file-size=4M \
  --innodb-flush-log-at-trx-commit=0
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
    # As in the official image: the server's socket is below /run, in a folder with the mode of /tmp. A tmpfs mounted
    # there belongs to root and has that mode.
    root.link("/var/run", "/run")
    root.import_as(engine, "postgresql-programs:local")
    data = "/var/lib/postgresql/data"
    user = "RUN mkdir -p -m 3777 /run/postgresql" + _USER.format(user="postgres", folders=data, data=data)
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


def import_mariadb(engine: DockerEngine) -> None:
    """Import MARIADB."""
    root = Root()
    for name in _MARIADB_PROGRAMS:
        program = Path(require(name)).resolve()
        root.program(program)
        root.link(f"/usr/bin/{name}", str(program))
    for path in (*_MARIADB_FILES.glob("*.sql"), *(_MARIADB_FILES / "charsets").iterdir()):
        root.file(str(path), path.read_bytes())
    message_file = _MARIADB_FILES / "english/errmsg.sys"
    root.file(str(message_file), message_file.read_bytes())
    root.file("/usr/bin/entry", _MARIADB_ENTRY.replace("SHARE", str(_MARIADB_FILES)).encode(), 0o755)
    root.import_as(engine, "mariadb-programs:local")
    data = "/var/lib/mysql"
    # As in the official image, the folder of the socket has the mode of /tmp.
    user = "RUN mkdir -p -m 1777 /run/mysqld" + _USER.format(user="mysql", folders=data, data=data)
    _build(engine, MARIADB, "mariadb-programs:local", user + 'ENV PATH=/usr/bin:/bin\nENTRYPOINT ["entry"]\n')


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
