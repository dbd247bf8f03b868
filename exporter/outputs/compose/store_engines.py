"""The particulars of each engine's official image: user, folders, variables, health check, password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.catalog.keys.stores import ENGINES
from exporter.outputs.base import OutputError
from exporter.outputs.compose.secrets import secret_path
from exporter.outputs.compose.text import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.keys.stores import Store
    from exporter.catalog.reading.problems import CatalogPath

DATABASES_FILE = "/docker-entrypoint-initdb.d/10-databases.sql"
_POSTGRES_PARENT = "/var/lib/postgresql"
_NEW_LAYOUT = 18
"""From this version on, PostgreSQL's image keeps its data in a folder per version below the parent."""
_MONGOSH = 5
"""From this version on, MongoDB's image has mongosh; before, its shell is mongo."""
_USERS = {"postgresql": "postgres", "mongodb": "mongodb", "redis": "redis"}
_USERS_OF_IMAGES = {"valkey": "valkey", "keydb": "keydb"}
"""Users by the last part of the image's name, where the engine's own user does not exist."""
_REDIS_START = (
    # The list of users has a hash of the password: the password itself is in no argument, variable or log line.
    "set -eu; user=$1 file=$2 acl=${TMPDIR:-/tmp}/users.acl; shift 2; "
    'password=$(cat "$file"); test -n "$password" || { echo "$file is empty" >&2; exit 1; }; '
    'hash=$(printf %s "$password" | sha256sum | cut -d " " -f 1); '
    'test "$user" = default && others= || others="user default off"; '
    'printf "%s\\n" "$others" "user $user on #$hash ~* &* +@all" > "$acl"; exec "$@" --aclfile "$acl"'
)
_REDIS_PING = (
    'user=$1 file=$2; shift 2; export REDISCLI_AUTH="$(cat "$file")"; '
    'test "$("$@" --user "$user" ping)" = PONG'
)
_REDIS_OPEN_PING = 'test "$("$@" ping)" = PONG'


@dataclass(frozen=True, slots=True)
class Server:
    """The settings of a store's container.

    `user`: the name of the image's user, whose numbers the engine reads from the image. `data`: the folder on the
    volume. `writable`: folders in memory. `environment` and `command` are in Compose's syntax, `check` is not.
    `databases`: those that a script creates.
    """

    user: str
    data: str
    writable: tuple[str, ...]
    check: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    shm_size: int | None = None
    databases: tuple[str, ...] = ()


def server(store: Store, where: CatalogPath, image: str, password: str | None) -> Server:
    """Return the settings of a store's container. `where`: its place in the catalog; `image`: the whole reference;
    `password`: the name of the secret.

    Raises:
        OutputError: the image does not support these settings.
    """
    return _ENGINES[store.engine](store, where, image, password)


def _postgresql(store: Store, _where: CatalogPath, image: str, password: str | None) -> Server:
    user = store.username or ENGINES["postgresql"].user or ""
    environment = {"POSTGRES_USER": literal(user)}
    if store.databases:
        environment["POSTGRES_DB"] = literal(store.databases[0])
    environment |= (
        {"POSTGRES_PASSWORD_FILE": secret_path(password)}
        if password
        else {"POSTGRES_HOST_AUTH_METHOD": "trust"}
    )
    if store.listen_port != ENGINES["postgresql"].port:
        environment["PGPORT"] = str(store.listen_port)
    made = ("postgres", "template0", "template1", *store.databases[:1])
    return Server(
        user=_user(store, image),
        data=_POSTGRES_PARENT if _major(store, image) >= _NEW_LAYOUT else ENGINES["postgresql"].data,
        writable=("/tmp", "/run/postgresql"),  # noqa: S108 - paths inside the container
        # By TCP: while the image sets up a new database, its server answers on the socket only. The database
        # postgres always exists; any other name could fill the server's log with errors.
        check=(
            *("pg_isready", "--quiet", "--host=127.0.0.1", f"--port={store.listen_port}"),
            *(f"--username={user}", "--dbname=postgres"),
        ),
        environment=environment,
        shm_size=256 * 1024 * 1024,
        databases=tuple(dict.fromkeys(name for name in store.databases[1:] if name not in made)),
    )


def _mongodb(store: Store, where: CatalogPath, image: str, password: str | None) -> Server:
    environment = {"HOME": "/tmp"}  # noqa: S108 - mongosh writes there; its default home is the data volume
    if store.databases:
        environment["MONGO_INITDB_DATABASE"] = literal(store.databases[0])
    if password:
        if store.username is None:
            raise OutputError("has a password but no user; write username next to it", *where)
        environment["MONGO_INITDB_ROOT_USERNAME"] = literal(store.username)
        environment["MONGO_INITDB_ROOT_PASSWORD_FILE"] = secret_path(password)
    port = str(store.listen_port)
    tls = " --tls --tlsAllowInvalidCertificates" if store.tls else ""
    shell = "mongosh" if _major(store, image) >= _MONGOSH else "mongo"
    # By the container's address: while the image creates the first user, its server answers on loopback only.
    ask = (
        f'exec {shell} --quiet --norc{tls} --host "$HOSTNAME" --port {port} '
        '--eval "quit(db.adminCommand({ping: 1}).ok ? 0 : 1)"'
    )
    return Server(
        user=_user(store, image),
        data=ENGINES["mongodb"].data,
        writable=("/tmp", "/data/configdb"),  # noqa: S108 - paths inside the container
        check=("sh", "-c", ask),
        environment=environment,
        command=() if store.listen_port == ENGINES["mongodb"].port else ("mongod", "--port", port),
    )


def _redis(store: Store, where: CatalogPath, image: str, password: str | None) -> Server:
    user = store.username or "default"
    if re.search(r"[\s\0]", user) or not user:
        raise OutputError(
            "contains a space, which a Redis user cannot have; write one without", *where, "username"
        )
    if store.username and not password:
        raise OutputError("has a user but no password; write password next to it", *where)
    port = str(store.listen_port)
    cli = ("redis-cli", "-h", "127.0.0.1", "-p", port, *(("--tls", "--insecure") if store.tls else ()))
    start = ("redis-server", *(() if store.listen_port == ENGINES["redis"].port else ("--port", port)))
    access = (user, secret_path(password)) if password else ()
    command = (
        ("sh", "-c", _REDIS_START, "redis", *access, *start) if password else start if len(start) > 1 else ()
    )
    return Server(
        user=_user(store, image),
        data=ENGINES["redis"].data,
        writable=("/tmp",),  # noqa: S108 - a path inside the container
        # PONG is compared because redis-cli exits with 0 even if the server requires a password or is loading.
        check=("sh", "-c", _REDIS_PING if password else _REDIS_OPEN_PING, "check", *access, *cli),
        command=tuple(literal(part) for part in command),
    )


def _user(store: Store, image: str) -> str:
    """Return the name that owns the data. Its numbers differ between images: the engine looks it up in the image's own
    /etc/passwd.
    """
    return _USERS_OF_IMAGES.get(_name_and_tag(image)[0], _USERS[store.engine])


def _name_and_tag(image: str) -> tuple[str, str]:
    """Return the last part of the image's name, and its tag; empty without one."""
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return name, tag


def _major(store: Store, image: str) -> int:
    """Return the major version from the image's tag, or else from the catalog's version."""
    for text in (_name_and_tag(image)[1], store.version or ""):
        if match := re.match(r"[0-9]+", text):
            return int(match[0])
    return int(ENGINES[store.engine].version)


_ENGINES: dict[str, Callable[[Store, CatalogPath, str, str | None], Server]] = {
    "postgresql": _postgresql,
    "mongodb": _mongodb,
    "redis": _redis,
}
