"""A MariaDB and a service on a Docker engine of the tests, completely generated, whose data the scripts save.

The server is this machine's (local_images.py). Names that a user can choose freely contain characters that are special
in a shell or SQL.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.components import require
from tests.docker_engine import IMAGE
from tests.system.local_images import MARIADB
from tests.waiting import free_port

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine

ENVIRONMENT = "staging"
PROJECT = f"shop-{ENVIRONMENT}"
USER = "app"
PASSWORD = 'it\'s "a" pa$$\\word `id` #: {x} %41'
DATABASES = ("shop", "-rf $HOME;e*")
_CONTENT = r"""
CREATE TABLE `t ``$(id) ü` (id INT PRIMARY KEY AUTO_INCREMENT, text TEXT, raw BLOB);
INSERT INTO `t ``$(id) ü` (text, raw) SELECT CONCAT('row; ', seq, '\n''), ('), UNHEX(MD5(seq)) FROM seq_1_to_1000;
CREATE TABLE empty (id INT);
CREATE TABLE parts (id INT) PARTITION BY HASH (id) PARTITIONS 2;
INSERT INTO parts VALUES (1), (2), (3);
CREATE TABLE busy (id INT PRIMARY KEY AUTO_INCREMENT);
CREATE VIEW seen AS SELECT COUNT(*) AS rows_seen FROM empty;
CREATE TRIGGER counted AFTER INSERT ON empty FOR EACH ROW INSERT INTO busy VALUES ();
CREATE FUNCTION seven() RETURNS INT DETERMINISTIC RETURN 7;
"""

_GROUP = 65532
"""The user of the generated containers, as which they read secrets."""
_CATALOG = """
project: shop
defaults: {{healthcheck: {{interval: 2s, timeout: 20s, retries: 40}}}}
services:
  web:
    image: {image}
    command: [busybox, httpd, -f, -p, "8000", -h, /bin]
    port: 8000
    host_port: {web}
    probes: [{{name: page, http: {{url: "http://127.0.0.1:{web}/busybox"}}}}]
    depends_on: db
stores:
  db: {{engine: mariadb, image: "{mariadb}", username: {user}, password: {{secret: db_password}},
    databases: {databases}, volume: rows, host_port: {db}, backup: {{keep: 3}}}}
secrets: {{db_password: {{generate: 32}}}}
volumes: {{rows: }}
backup: {{directory: ./backups}}
environments: {{{environment}: {{address: "127.0.0.1:{{port}}", verify: {{deadline: 60s}}}}}}
"""


class MariadbSite:
    """The site in `folder`."""

    def __init__(self, folder: Path, engine: DockerEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.backups = folder / "backups" / ENVIRONMENT
        self.password_file = folder / "secrets/db_password"
        self.password_file.parent.mkdir(parents=True)
        self.write_password(PASSWORD)
        self.config = folder / "config.yaml"
        self.config.write_text(
            _CATALOG.format(
                image=IMAGE,
                mariadb=MARIADB,
                user=USER,
                databases=json.dumps(DATABASES),
                environment=ENVIRONMENT,
                web=free_port(),
                db=free_port(),
            )
        )
        self.exporter("gen", "--out", str(folder))
        (folder / "deploy" / ENVIRONMENT / "compose.monitoring.yaml").unlink()

    def write_password(self, password: str) -> None:
        """Write the secret's value, which the next created server uses."""
        self.password_file.write_text(password)
        os.chown(self.password_file, -1, _GROUP)
        self.password_file.chmod(0o640)

    def exporter(self, *arguments: str) -> str:
        """Run a command of the exporter, which must succeed, and return all it says."""
        command = (sys.executable, "-m", "exporter", *arguments, "--config", str(self.config))
        return self._said(*command)

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script in this environment."""
        return subprocess.run(
            [self.folder / "scripts" / f"{name}.sh", ENVIRONMENT, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            env=self._variables(),
        )

    def backup(self) -> tuple[str, str]:
        """Make a backup, which must succeed; return its id and what was said."""
        done = self.script("backup")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    def restore(self, *arguments: str) -> str:
        """Run a restore, which must succeed, and return its output."""
        done = self.script("restore", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def marker(self) -> dict[str, Any]:
        marker: dict[str, Any] = json.loads((self.backups / "markers/db.json").read_text())
        return marker

    def compose(self, *arguments: str) -> None:
        place = self.folder / "deploy" / ENVIRONMENT
        self._said(
            *(require("docker-compose"), "-p", PROJECT, "--project-directory", str(place)),
            *("-f", str(place / "compose.yaml"), *arguments),
        )

    def start(self) -> None:
        """Start, and wait until everything is healthy."""
        self.compose("up", "--detach")

    def destroy(self) -> None:
        """Remove all containers and volumes."""
        self.compose("down", "--volumes", "--timeout", "1")

    def inside(self, program: str, *arguments: str, password: str | None = None, user: str = USER) -> str:
        """Return the output of a program of the server's container, by TCP as a service comes in."""
        password = self.password_file.read_text() if password is None else password
        return self.engine.docker(
            *("exec", "--env", f"MYSQL_PWD={password}", f"{PROJECT}_db_1", program),
            *("--host=127.0.0.1", f"--user={user}", "--default-character-set=utf8mb4", *arguments),
        )

    def sql(self, statements: str, database: str = "", **login: str) -> str:
        options = ("--batch", "--skip-column-names", f"--database={database}")
        return self.inside("mariadb", *options, "--execute", statements, **login)

    def logs_in(self, password: str) -> bool:
        """True if the password opens the store for its user."""
        with contextlib.suppress(AssertionError):
            return self.sql("SELECT 1", password=password) == "1"
        return False

    def fill(self) -> None:
        """Create tables with rows, a view, a trigger and a routine."""
        for database in DATABASES:
            self.sql(_CONTENT, database)

    def contents(self) -> list[str]:
        """Return all data and definitions of the service's databases, in full."""
        dump = self.inside(
            *("mariadb-dump", "--single-transaction", "--routines", "--hex-blob", "--no-tablespaces"),
            *("--skip-extended-insert", "--skip-dump-date", "--databases", *DATABASES),
        )
        return [line for line in dump.splitlines() if "sandbox" not in line]

    def _variables(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": self.engine.host,
            "STATE_FOLDER": str(self.folder / "state"),
            "SECRETS_FOLDER": str(self.folder / "secrets"),
            "EXPORTER": str(Path(sys.executable).parent / "exporter"),
        }

    def _said(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=self._variables(), timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr
