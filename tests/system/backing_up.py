"""A small application on a Docker engine of the tests, whose data the commands save and restore.

PostgreSQL and Redis are real; a Python service has a SQLite file and a volume of documents. Every name that a user
can choose freely contains characters that are special in a shell, SQL or an archive.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.catalog.loading import load_catalog
from exporter.outputs.scripts import render
from tests.components import require
from tests.docker_engine import IMAGE
from tests.system.base_images import PYTHON
from tests.system.local_images import POSTGRESQL, REDIS
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine

ENVIRONMENT = "staging"
PROJECT = f"shop-{ENVIRONMENT}"
NASTY = "a b'c\"d$HOME`id`\\e;f*=g"
DATABASES = ("forms", f"-rf {NASTY}\nline two", "dbname=template1")
FILES = (f"-rf {NASTY}", "two\nlines", " lead", "$(id)", "ü\u2028", "sub folder/-x\t")
SQLITE = f"/app/data/-drafts {NASTY}.db"
CONFIGURATION = f"settings {NASTY}"
DB_PASSWORD = "db's \"pa$$word`"
CACHE_PASSWORD = "cache's \"pa$$word`"
NAMES = ("db", "cache", "drafts", "documents")

_COMPOSE = """
services:
  db:
    image: {postgresql}
    environment: {{POSTGRES_PASSWORD_FILE: /run/secrets/db_password}}
    secrets: [db_password]
    volumes: ["db-data:/var/lib/postgresql/data"]
    ports: ["127.0.0.1:{db}:5432"]
  cache:
    image: {redis}
    command: [sh, -c, 'echo "user default on #$$(printf %s "$$(cat /run/secrets/cache_password)" | sha256sum |
      cut -d " " -f 1) ~* &* +@all" >/tmp/users; exec redis-server --appendonly yes --aclfile /tmp/users']
    secrets: [cache_password]
    volumes: ["cache-data:/data"]
    ports: ["127.0.0.1:{cache}:6379"]
  api:
    image: {python}
    command: [python3, -m, http.server, "8000", --directory, /bin]
    stop_signal: KILL
    volumes: ["documents:/app/storage", "api-data:/app/data"]
    ports: ["127.0.0.1:{api}:8000"]
    depends_on: [db, cache]
volumes: {{db-data: , cache-data: , documents: , api-data: }}
secrets:
  db_password: {{file: ../../secrets/db_password}}
  cache_password: {{file: ../../secrets/cache_password}}
"""
_CATALOG = """
project: shop
services:
  api:
    image: api
    probes: [{{name: page, http: {{url: "http://127.0.0.1:{api}/"}}}}]
    depends_on: [db, cache]
    volumes: ["documents:/app/storage", "api-data:/app/data"]
stores:
  db:
    {{engine: postgresql, password: {{secret: db_password}}, databases: {databases}, volume: db-data, host_port: {db},
     backup: {{keep: 2}}}}
  cache: {{engine: redis, password: {{secret: cache_password}}, volume: cache-data, host_port: {cache},
    backup: {{keep: 2}}}}
  drafts: {{engine: sqlite, service: api, path: {sqlite}, backup: {{keep: 2}}}}
volumes: {{documents: {{backup: {{keep: 2}}}}, api-data: }}
secrets: {{db_password: , cache_password: , bucket_key: }}
backup: {{directory: {backups}, configuration: [{configuration}]{more}}}
environments: {{staging: {{address: "127.0.0.1:{{port}}", verify: {{deadline: 30s}}}}}}
"""


class Site:
    """The site in `folder`. `more`: additional keys of the catalog's `backup`, such as `, encrypt: {...}`."""

    def __init__(self, folder: Path, engine: DockerEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.ports = {name: free_port() for name in ("db", "cache", "api")}
        self.backups = folder / f"backups {NASTY}" / ENVIRONMENT
        (folder / "secrets").mkdir(parents=True)
        for name, value in (("db_password", DB_PASSWORD), ("cache_password", CACHE_PASSWORD)):
            (folder / "secrets" / name).write_text(value)
        (folder / CONFIGURATION).mkdir()
        (folder / CONFIGURATION / "-x").write_text("as it was")
        self.write()

    def write(self, more: str = "") -> None:
        """Write the catalog, its scripts, and a Compose file like the generated one."""
        place = self.folder / "deploy" / ENVIRONMENT
        place.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.yaml"
        config.write_text(
            _CATALOG.format(
                **self.ports,
                databases=json.dumps(DATABASES),
                sqlite=json.dumps(SQLITE),
                backups=json.dumps(str(self.backups.parent)),
                configuration=json.dumps(CONFIGURATION),
                more=more,
            )
        )
        catalog = load_catalog(config, ENVIRONMENT)
        (self.folder / "scripts").mkdir(exist_ok=True)
        for file in render(catalog):
            script = self.folder / "scripts" / file.path
            script.write_text(file.text)
            script.chmod(0o755)
        (place / "compose.yaml").write_text(
            _COMPOSE.format(**self.ports, postgresql=POSTGRESQL, redis=REDIS, python=PYTHON)
        )

    def variables(self, **more: str) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": self.engine.host,
            "STATE_FOLDER": str(self.folder / "state"),
            "SECRETS_FOLDER": str(self.folder / "secrets"),
            "EXPORTER": str(Path(sys.executable).parent / "exporter"),
            "BACKUP_IMAGE": IMAGE,
            **more,
        }

    def script(self, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script in this environment."""
        return subprocess.run(
            [self.folder / "scripts" / f"{name}.sh", ENVIRONMENT, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=300,  # generous, because the machine may be busy
            env=self.variables(**more),
        )

    def backup(self, *arguments: str, **more: str) -> str:
        """Make a backup, which must succeed, and return its id."""
        done = self.script("backup", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def restore(self, *arguments: str, **more: str) -> str:
        """Run a restore, which must succeed, and return its output."""
        done = self.script("restore", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def told(self) -> Any:
        """Return what status.sh reports about a restore."""
        return json.loads(self.script("status", "--json").stdout)["restore"]

    def marker(self, name: str) -> dict[str, Any]:
        marker: dict[str, Any] = json.loads((self.backups / "markers" / f"{name}.json").read_text())
        return marker

    def compose(self, *arguments: str) -> None:
        place = self.folder / "deploy" / ENVIRONMENT
        command = [
            require("docker-compose"),
            "-p",
            PROJECT,
            "--project-directory",
            str(place),
            "-f",
            str(place / "compose.yaml"),
        ]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=self.variables())
        assert done.returncode == 0, done.stderr

    def container(self, service: str) -> str:
        return self.engine.docker(
            *("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
        )

    def inside(self, service: str, *command: str) -> str:
        return self.engine.docker("exec", self.container(service), *command)

    def sql(self, database: str, statement: str) -> str:
        name = database.replace("\\", "\\\\").replace("'", "\\'")
        return self.inside("db", "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres",
                           "-d", f"dbname='{name}'", "-c", statement)  # fmt: skip

    def redis(self, *command: str) -> str:
        return self.inside(
            "cache",
            "sh",
            "-c",
            'REDISCLI_AUTH=$(cat /run/secrets/cache_password) redis-cli -e "$@"',
            "sh",
            *command,
        )

    def volume(self, name: str) -> Path:
        """Return its folder in the engine's data."""
        return self.engine.folder / "data" / "volumes" / f"{PROJECT}_{name}" / "_data"

    def start(self) -> None:
        self.compose("up", "-d")
        until(
            lambda: self._answers("db", "pg_isready", "-h", "127.0.0.1", "-U", "postgres"), "PostgreSQL", 60
        )
        until(self.redis_answers, "Redis", 60)

    def destroy(self) -> None:
        """Remove all containers and volumes."""
        self.compose("down", "--volumes")

    def fill(self) -> None:
        """Create rows, keys and files with every awkward name."""
        for number, database in enumerate(DATABASES):
            quoted = database.replace('"', '""')
            if number:
                self.sql("postgres", f'CREATE DATABASE "{quoted}"')
            elif not self.sql("postgres", "SELECT 1 FROM pg_database WHERE datname = 'forms'"):
                self.sql("postgres", "CREATE DATABASE forms")
            self.sql(
                database,
                'CREATE TABLE "t $x`y"" \'z\n" (id serial PRIMARY KEY, text text, raw bytea);'
                'INSERT INTO "t $x`y"" \'z\n" (text, raw) '
                "SELECT 'row ' || i || E'\\n\\\\$x', decode(md5(i::text), 'hex')"
                " FROM generate_series(1, 500) i; CREATE TABLE empty (); SELECT lo_from_bytea(0, 'large');",
            )
        self.sql(
            "postgres",
            'CREATE ROLE "app $x`" LOGIN PASSWORD \'app\'; ALTER DATABASE forms OWNER TO "app $x`"',
        )
        self.sql("forms", "ALTER DATABASE forms SET statement_timeout = '77s'")
        self.redis("EVAL", "for i = 1, 300 do redis.call('SET', 'key ' .. i, string.rep('v', i)) end", "0")
        self.redis("HSET", f"hash {NASTY}", "field\n", NASTY)
        self.redis("SET", "ends", "soon", "EX", "86400")
        self.redis("-n", "3", "RPUSH", "list", "a", "b")
        base = sqlite3.connect(self.volume("api-data") / Path(SQLITE).name)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute('CREATE TABLE IF NOT EXISTS "d""$x" (id INTEGER PRIMARY KEY, text TEXT)')
        base.executemany('INSERT INTO "d""$x" (text) VALUES (?)', [(f"{NASTY} {i}",) for i in range(400)])
        base.commit()
        base.close()
        for number, name in enumerate(FILES):
            place = self.volume("documents") / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(os.urandom(1000 * number))
            os.chown(place, 1000 + number, 2000)
            place.chmod(0o640)
        (self.volume("documents") / "link").symlink_to(FILES[0])
        os.link(self.volume("documents") / FILES[1], self.volume("documents") / "hard")
        (self.volume("documents") / "empty").mkdir(exist_ok=True)

    def contents(self) -> dict[str, Any]:
        """Return all data, in full."""
        return {
            "databases": {name: self._dump(name) for name in DATABASES},
            "roles": self._roles(),
            "owner": self.sql("postgres", "SELECT datdba::regrole FROM pg_database WHERE datname = 'forms'"),
            "setting": self.sql("forms", "SHOW statement_timeout"),
            "keys": [self.redis("-n", number, "EVAL", _ALL_KEYS, "0") for number in ("0", "3")],
            "drafts": self._drafts(),
            "documents": _tree(self.volume("documents")),
        }

    def _dump(self, database: str) -> list[str]:
        name = database.replace("\\", "\\\\").replace("'", "\\'")
        text = self.inside("db", "pg_dump", "-U", "postgres", "-d", f"dbname='{name}'")
        return [line for line in text.splitlines() if "restrict " not in line]

    def _roles(self) -> list[str]:
        """Return the roles except the administrator's, whose password is hashed again from the secret."""
        lines = self.inside("db", "pg_dumpall", "--roles-only", "-U", "postgres").splitlines()
        return [line for line in lines if "restrict " not in line and "ROLE postgres " not in line]

    def _drafts(self) -> list[str]:
        with contextlib.closing(sqlite3.connect(self.volume("api-data") / Path(SQLITE).name)) as base:
            return list(base.iterdump())

    def _answers(self, service: str, *command: str) -> bool:
        try:
            self.inside(service, *command)
        except AssertionError:
            return False
        return True

    def redis_answers(self) -> bool:
        try:
            return self.redis("PING") == "PONG"
        except AssertionError:
            return False


_ALL_KEYS = """
local keys, all = redis.call('KEYS', '*'), {}
table.sort(keys)
for _, key in ipairs(keys) do
  table.insert(all, key)
  table.insert(all, redis.sha1hex(redis.call('DUMP', key)))
  table.insert(all, redis.call('PTTL', key) > 0 and 1 or 0)
end
return all
"""


def _tree(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return type and mode, owner and content of everything below."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: Any = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        links = status.st_nlink if stat.S_ISREG(status.st_mode) else 0
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_uid, status.st_gid, links, content)
    return found


def key_pair(folder: Path) -> tuple[Path, Path]:
    """Create a public and a private key of gpg, each in a file."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    gpg = [require("gpg"), "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    try:
        subprocess.run([*gpg, "--quick-generate-key", "Backup <backup@example.com>", "default", "default", "never"],
                       check=True, capture_output=True)  # fmt: skip
        public, private = folder / "backup.pub", folder / "backup.key"
        public.write_bytes(subprocess.run([*gpg, "--export"], check=True, capture_output=True).stdout)
        private.write_bytes(
            subprocess.run([*gpg, "--export-secret-keys"], check=True, capture_output=True).stdout
        )
    finally:
        subprocess.run([require("gpgconf"), "--homedir", str(home), "--kill", "all"], check=True)
        shutil.rmtree(home, ignore_errors=True)
    return public, private
