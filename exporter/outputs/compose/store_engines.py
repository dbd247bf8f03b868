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
    from collections.abc import Callable, Iterator

    from exporter.catalog.keys.stores import Store
    from exporter.catalog.reading.problems import CatalogPath

DATABASES_FILE = "/docker-entrypoint-initdb.d/10-databases.sql"
_POSTGRES_PARENT = "/var/lib/postgresql"
_NEW_LAYOUT = 18
"""From this version on, PostgreSQL's image keeps its data in a folder per version below the parent."""
_MONGOSH = 5
"""From this version on, MongoDB's image has mongosh; before, its shell is mongo."""
_USERS = {
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mongodb": "mongodb",
    "redis": "redis",
    "valkey": "valkey",
}
_USERS_OF_IMAGES = {"valkey": "valkey", "keydb": "keydb"}
"""Users by the last part of the image's name, where the engine's own user does not exist."""
_ROOT = ENGINES["mysql"].user or ""
_DOUBLE, _BACKTICK = '"', "`"
_MYSQL_PING = 'MYSQL_PWD="$(cat "$1")"; export MYSQL_PWD; shift; exec "$@"'
_REDIS_START = (
    # The list of users has a hash of the password: the password itself is in no argument, variable or log line.
    "set -eu; user=$1 file=$2 acl=${TMPDIR:-/tmp}/users.acl; shift 2; "
    'password=$(cat "$file"); test -n "$password" || { echo "$file is empty" >&2; exit 1; }; '
    'hash=$(printf %s "$password" | sha256sum | cut -d " " -f 1); '
    'test "$user" = default && others= || others="user default off"; '
    'printf "%s\\n" "$others" "user $user on #$hash ~* &* +@all" > "$acl"; exec "$@" --aclfile "$acl"'
)
_REDIS_PING = (
    # Valkey's client reads the second one.
    'user=$1 file=$2; shift 2; REDISCLI_AUTH="$(cat "$file")"; VALKEYCLI_AUTH=$REDISCLI_AUTH; '
    "export REDISCLI_AUTH VALKEYCLI_AUTH; "
    'test "$("$@" --user "$user" ping)" = PONG'
)
_REDIS_OPEN_PING = 'test "$("$@" ping)" = PONG'


@dataclass(frozen=True, slots=True)
class Server:
    """The settings of a store's container.

    `user`: the name of the image's user, whose numbers the engine reads from the image. `data`: the folder on the
    volume. `writable`: folders in memory. `environment` and `command` are in Compose's syntax, `check` is not.
    `statements`: SQL that the image runs once, when it initialises the volume.
    """

    user: str
    data: str
    writable: tuple[str, ...]
    check: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    shm_size: int | None = None
    statements: tuple[str, ...] = ()


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
        statements=tuple(
            f"CREATE DATABASE {_quoted(name, _DOUBLE)};"
            for name in dict.fromkeys(store.databases[1:])
            if name not in made
        ),
    )


def _mysql(store: Store, where: CatalogPath, image: str, password: str | None) -> Server:
    user = store.username or _ROOT
    _check_names(store, where)
    if user != _ROOT and not password:
        raise OutputError("has a user but no password; write password next to it", *where)
    is_mariadb = store.engine == "mariadb" or "mariadb" in image.partition("@")[0].rpartition("/")[2]
    prefix = "MARIADB" if is_mariadb else "MYSQL"
    if password:
        environment = {f"{prefix}_ROOT_PASSWORD_FILE": secret_path(password)}
    else:
        environment = {
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD" if is_mariadb else "MYSQL_ALLOW_EMPTY_PASSWORD": "yes"
        }
    if store.databases:
        environment[f"{prefix}_DATABASE"] = literal(store.databases[0])
    if password and user != _ROOT:
        # The superuser has the same password, and can log in through the container's socket only.
        environment |= {
            f"{prefix}_ROOT_HOST": "localhost",
            f"{prefix}_USER": literal(user),
            f"{prefix}_PASSWORD_FILE": secret_path(password),
        }
    # Over TCP: while the image initialises a new database, its server listens on the socket only. The check also
    # succeeds if the login is refused; with the password, the server's log has no warning for each check.
    ping = (
        *(("mariadb-admin", "--skip-ssl") if is_mariadb else ("mysqladmin",)),
        *("--host=127.0.0.1", f"--port={store.listen_port}", f"--user={user}", "--silent", "ping"),
    )
    return Server(
        user=_user(store, image),
        data=ENGINES["mysql"].data,
        writable=("/tmp", "/run/mysqld"),  # noqa: S108 - paths inside the container
        check=("sh", "-c", _MYSQL_PING, "check", secret_path(password), *ping) if password else ping,
        environment=environment,
        # The image's entry point adds the server to a command that begins with an option.
        command=() if store.listen_port == ENGINES["mysql"].port else (f"--port={store.listen_port}",),
        statements=tuple(_mysql_databases(store.databases, user)),
    )


def _check_names(store: Store, where: CatalogPath) -> None:
    """Raise an error for names that the images' entry points cannot quote in their SQL."""
    for key, names in (("username", (store.username or "",)), ("databases", store.databases[:1])):
        if any(set(name) & set("'`\\\0\n") for name in names):
            raise OutputError("contains a quote, a backslash or a line break; write one without", *where, key)


def _mysql_databases(databases: tuple[str, ...], user: str) -> Iterator[str]:
    for name in dict.fromkeys(databases[1:]):
        if name not in databases[:1]:
            yield f"CREATE DATABASE IF NOT EXISTS {_quoted(name, _BACKTICK)};"
            if user != _ROOT:
                # In a grant, _ and % are wildcards.
                only = re.sub(r"([_%\\])", r"\\\1", name)
                yield f"GRANT ALL ON {_quoted(only, _BACKTICK)}.* TO '{user}'@'%';"


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
            "contains a space, which a user of Redis or Valkey cannot have; write one without",
            *where,
            "username",
        )
    if store.username and not password:
        raise OutputError("has a user but no password; write password next to it", *where)
    port = str(store.listen_port)
    tls = ("--tls", "--insecure") if store.tls else ()
    cli = (f"{store.engine}-cli", "-h", "127.0.0.1", "-p", port, *tls)
    start = (
        f"{store.engine}-server",
        *(() if store.listen_port == ENGINES["redis"].port else ("--port", port)),
    )
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


def _quoted(name: str, quote: str) -> str:
    """Return the quoted identifier, which can be any text."""
    return quote + name.replace(quote, quote * 2) + quote


_ENGINES: dict[str, Callable[[Store, CatalogPath, str, str | None], Server]] = {
    "postgresql": _postgresql,
    "mongodb": _mongodb,
    "mysql": _mysql,
    "mariadb": _mysql,
    "redis": _redis,
    "valkey": _redis,
}
