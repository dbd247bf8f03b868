"""An image that replaces mongo:8.0, because neither image registries nor packages of MongoDB are available.

The server is FerretDB, which speaks MongoDB's protocol and stores its data in SQLite; mongosh is MongoDB's own, on
this machine's Node; `mongodump` and `mongorestore` are those of `mongodb_tools.py`. Like the official one, the entry
point creates a first user from its variables; meanwhile its server accepts anybody, but only on loopback.

FerretDB lacks additional users and roles, views, time series, replica sets, and collections with quotation marks in
their names.
"""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from tests.components import mongodb_stand_in, require
from tests.system import mongodb_tools
from tests.system.base_images import Root, add_python

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine

MONGODB = "mongo:8.0"
"""The image name in the generated Compose file."""

_ENTRY = """#!/bin/sh
set -eu
port=27017 certificate=
if [ "$1" = mongod ]; then shift; fi
while [ $# -gt 0 ]; do
  case $1 in
    --port) port=$2 ;;
    --tlsMode) test "$2" = requireTLS ;;
    --tlsCertificateKeyFile) certificate=$2 ;;
    *) exit 2 ;;
  esac
  shift 2
done
server='ferretdb --handler=sqlite --sqlite-url=file:/data/db/ --state-dir=/tmp --debug-addr=- --telemetry=disable'
name=${MONGO_INITDB_ROOT_USERNAME:-}
if [ -n "$name" ] && [ ! -e /data/db/admin.sqlite ]; then
  $server --listen-addr=127.0.0.1:27017 &
  until mongosh --host 127.0.0.1 --quiet --eval 'quit(0)' >/dev/null 2>&1; do sleep 0.1; done
  mongosh --host 127.0.0.1 --quiet --eval 'quit(0)'
  kill "$!"
  wait "$!" || true
fi
set -- --listen-addr="0.0.0.0:$port"
if [ -n "$certificate" ]; then
  set -- --listen-addr= --listen-tls="0.0.0.0:$port"
  set -- "$@" --listen-tls-cert-file="$certificate" --listen-tls-key-file="$certificate"
fi
if [ -n "$name" ]; then
  FERRETDB_SETUP_PASSWORD=$(cat "$MONGO_INITDB_ROOT_PASSWORD_FILE")
  export FERRETDB_SETUP_PASSWORD
  set -- "$@" --test-enable-new-auth --setup-database=admin --setup-username="$name"
fi
exec $server "$@"
"""
_CONFIGURATION = b"mongosh: {enableTelemetry: false, ofAnotherVersion: 1}\n"
"""mongosh prints a warning on standard output each time it gets an unknown option."""
_TOOL = """#!/bin/sh
exec {python} -s /usr/lib/mongodb-tools/mongodb_tools.py {name} "$@"
"""
_MONGOSH = """#!/bin/sh
exec node /usr/lib/node_modules/mongosh/bin/mongosh.js "$@"
"""
_DOCKERFILE = """FROM mongodb-programs:local
RUN echo 'mongodb:x:999:999::/data/db:/bin/sh' >>/etc/passwd && mkdir -p /data/db /data/configdb && \
  chown 999:999 /data/db /data/configdb
VOLUME /data/db /data/configdb
ENV HOME=/data/db PATH=/usr/local/bin:/usr/bin:/bin
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mongod"]
"""


def import_mongodb(engine: DockerEngine) -> None:
    """Import MONGODB."""
    stand_in = mongodb_stand_in()
    root = Root()
    root.file("/usr/bin/ferretdb", (stand_in / "ferretdb").read_bytes(), 0o755)
    node = Path(require("node")).resolve()
    root.program(node)
    root.link("/usr/bin/node", str(node))
    for file in (stand_in / "node_modules").rglob("*"):
        if file.is_file() and not file.is_symlink():
            root.file(f"/usr/lib/{file.relative_to(stand_in)}", file.read_bytes())
    root.file("/usr/bin/mongosh", _MONGOSH.encode(), 0o755)
    root.file("/etc/mongosh.conf", _CONFIGURATION)
    _add_tools(root)
    root.file("/usr/bin/docker-entrypoint.sh", _ENTRY.encode(), 0o755)
    root.import_as(engine, "mongodb-programs:local")
    context = engine.folder / "mongodb-image"
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE)
    engine.docker("build", "--quiet", "--network", "none", "--tag", MONGODB, str(context))
    shutil.rmtree(context)


def _add_tools(root: Root) -> None:
    python = add_python(root)
    folder = "/usr/lib/mongodb-tools"
    for name in ("mongodump", "mongorestore"):
        root.file(f"/usr/bin/{name}", _TOOL.format(python=python, name=name).encode(), 0o755)
    root.file(f"{folder}/mongodb_tools.py", Path(mongodb_tools.__file__).read_bytes())
    for package in ("pymongo", "PyYAML"):
        for file in distribution(package).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                root.file(f"{folder}/{file}", file.read_binary(), 0o755)
