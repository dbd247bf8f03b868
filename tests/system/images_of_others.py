"""Images like the public ones of nginx, PostgreSQL, Redis, MariaDB and RabbitMQ, because registries are not reachable
from everywhere.

The servers are Debian's packages, in the root file system that `tools/debian-servers` makes. The entry points do what
the public ones do, in the same order, shortened: start as root, create and chown the data folder, change to the
server's user by gosu or setpriv, and set the data up at the first start. CAPABLE holds a program with a file
capability.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.components import debian_servers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docker_engine import DockerEngine

BASE = "debian-servers:local"
CAPABLE = "capable:local"

_FILE_ENV = """
file_env() {
  local file="${1}_FILE"
  if [ -n "${!file:-}" ]; then export "$1=$(<"${!file}")"; unset "$file"; fi
}
"""

_ENTRIES = {
    # Edits the image's configuration, as 10-listen-on-ipv6-by-default.sh does; nginx itself changes to its user.
    "nginx": """
sed -i 's,listen 80 default_server;,listen 80 default_server; # edited,' /etc/nginx/sites-enabled/default
exec "$@"
""",
    "postgres": """
file_env POSTGRES_PASSWORD
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 00700 "$PGDATA"
  find "$PGDATA" \\! -user postgres -exec chown postgres '{}' +
  find /var/run/postgresql \\! -user postgres -exec chown postgres '{}' +
  exec gosu postgres "$BASH_SOURCE" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=postgres --pwfile=<(printf '%s\\n' "$POSTGRES_PASSWORD") --auth=scram-sha-256 "$PGDATA"
fi
unset POSTGRES_PASSWORD
exec "$@"
""",
    "redis": """
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \\! -user redis -exec chown redis '{}' +
  exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
umask 0077
exec "$@"
""",
    "mariadb": """
file_env MARIADB_ROOT_PASSWORD
if [ "$(id -u)" = 0 ]; then
  mkdir -p /var/lib/mysql /run/mysqld
  find /var/lib/mysql \\! -user mysql -exec chown mysql: '{}' +
  find /run/mysqld \\! -user mysql -exec chown mysql: '{}' +
  exec gosu mysql "$BASH_SOURCE" "$@"
fi
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --auth-root-authentication-method=normal --skip-test-db >/dev/null
  printf "FLUSH PRIVILEGES;\\nALTER USER root@localhost IDENTIFIED BY '%s';\\n" "$MARIADB_ROOT_PASSWORD" |
    mariadbd --bootstrap
fi
exec "$@"
""",
    "rabbitmq": """
if [ "$1" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
  find /var/lib/rabbitmq \\! -user rabbitmq -exec chown rabbitmq '{}' +
  exec gosu rabbitmq "$BASH_SOURCE" "$@"
fi
exec "$@"
""",
}

_DOCKERFILES = {
    "nginx": """
RUN ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
CMD ["nginx", "-g", "daemon off;"]
""",
    "postgres": """
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data LC_ALL=C.UTF-8
RUN install -d -m 1777 -o postgres -g postgres /var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
CMD ["postgres", "-c", "fsync=off"]
""",
    "redis": """
RUN install -d -o redis -g redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server", "--protected-mode", "no", "--appendonly", "yes"]
""",
    "mariadb": """
RUN install -d -m 1777 -o mysql -g mysql /var/lib/mysql
VOLUME /var/lib/mysql
CMD ["mariadbd", "--innodb-buffer-pool-size=16M", "--skip-networking"]
""",
    "rabbitmq": """
ENV PATH=/usr/lib/rabbitmq/bin:$PATH HOME=/var/lib/rabbitmq RABBITMQ_LOGS=- RABBITMQ_NODENAME=rabbit@localhost
RUN install -d -m 0777 -o rabbitmq -g rabbitmq /var/lib/rabbitmq
VOLUME /var/lib/rabbitmq
CMD ["rabbitmq-server"]
""",
}

_CAPABLE = f"""FROM {BASE}
RUN cp /bin/sleep /usr/local/bin/capable && setcap cap_net_bind_service=+ep /usr/local/bin/capable
USER nobody
CMD ["capable", "100000"]
"""


def import_all(engine: DockerEngine, folder: Path) -> None:
    """Import BASE, and build the images NAME-like:local on it; `folder` is an empty one to build them in."""
    engine.docker("import", str(debian_servers()), BASE, seconds=1500)
    for name, entry in _ENTRIES.items():
        place = folder / name
        place.mkdir()
        (place / "entry.sh").write_text(f"#!/bin/bash\nset -Eeo pipefail\n{_FILE_ENV}{entry}")
        (place / "entry.sh").chmod(0o755)
        start = 'COPY entry.sh /usr/local/bin/docker-entrypoint.sh\nENTRYPOINT ["docker-entrypoint.sh"]\n'
        (place / "Dockerfile").write_text(f"FROM {BASE}\n{start}{_DOCKERFILES[name]}")
        _build(engine, f"{name}-like:local", place)
    place = folder / "capable"
    place.mkdir()
    (place / "Dockerfile").write_text(_CAPABLE)
    _build(engine, CAPABLE, place)


def _build(engine: DockerEngine, image: str, folder: Path) -> None:
    engine.docker("build", "--quiet", "--network", "none", "--tag", image, str(folder), seconds=600)
