"""A service and two MongoDBs on a Docker engine of the tests, completely generated, whose data the scripts save.

Both have a first user with a password; `sealed` also has a non-default port and TLS. Every name that a user can
choose freely contains characters that are special in a shell, JavaScript or a connection string.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from tests.components import require
from tests.docker_engine import IMAGE
from tests.probes.certificates import Authority
from tests.waiting import free_port

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine

ENVIRONMENT = "staging"
PROJECT = f"shop-{ENVIRONMENT}"
USER = "ro\"ot $x:@/'%41"
PASSWORD = 'it\'s "a" pa$$\\word\\\\ `id` #: {x} ü%41'
COLLECTION = "a b;c&d'e(id) ü é.x"
STORES = ("docs", "sealed")

_GROUP = 65532
"""The user of the generated containers, as which they read secrets."""
_CATALOG = """
project: shop
defaults: {{healthcheck: {{interval: 5s, timeout: 20s, retries: 20}}}}
services:
  web:
    image: {image}
    command: [busybox, httpd, -f, -p, "8000", -h, /bin]
    port: 8000
    host_port: {web}
    probes: [{{name: page, http: {{url: "http://127.0.0.1:{web}/busybox"}}}}]
    depends_on: [docs, sealed]
stores:
  docs: {{engine: mongodb, host_port: {docs}, username: {user}, password: {{secret: docs_password}}, volume: docs-data,
    backup: {{keep: 3}}}}
  sealed:
    engine: mongodb
    port: 27018
    host_port: {sealed}
    username: {user}
    password: {{secret: docs_password}}
    tls: {{verify: false}}
    command: [mongod, --port, "27018", --tlsMode, requireTLS, --tlsCertificateKeyFile, /run/secrets/docs_certificate]
    secrets: docs_certificate
    volume: sealed-data
    backup: {{keep: 3}}
secrets: {{docs_password: , docs_certificate: }}
backup: {{directory: ./backups}}
environments: {{{environment}: {{address: "127.0.0.1:{{port}}", verify: {{deadline: 60s}}}}}}
"""


class MongoSite:
    """The site in `folder`."""

    def __init__(self, folder: Path, engine: DockerEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.backups = folder / "backups" / ENVIRONMENT
        self.password = PASSWORD
        self._ports = {name: free_port() for name in STORES}
        (folder / "secrets").mkdir(parents=True)
        self.write_password(PASSWORD)
        certificate = Authority(folder / "secrets").issue("localhost")
        self._secret("docs_certificate", certificate.cert.read_text() + certificate.key.read_text())
        (folder / "config.yaml").write_text(
            _CATALOG.format(
                image=IMAGE, user=json.dumps(USER), environment=ENVIRONMENT, web=free_port(), **self._ports
            )
        )
        self._said(
            sys.executable,
            "-m",
            "exporter",
            "gen",
            "--config",
            str(folder / "config.yaml"),
            "--out",
            str(folder),
        )
        (folder / "deploy" / ENVIRONMENT / "compose.monitoring.yaml").unlink()

    def write_password(self, password: str) -> None:
        """Write the secret's value, which the next created server uses."""
        self.password = password
        self._secret("docs_password", password)

    def start(self) -> None:
        """Start, and wait until everything is healthy."""
        self.compose("up", "--detach")

    def destroy(self) -> None:
        """Remove all containers and volumes."""
        self.compose("down", "--volumes", "--timeout", "1")

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

    def restore(self, *arguments: str) -> str:
        """Run a restore, which must succeed, and return its output."""
        done = self.script("restore", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def marker(self, store: str = "docs") -> dict[str, Any]:
        marker: dict[str, Any] = json.loads((self.backups / "markers" / f"{store}.json").read_text())
        return marker

    def compose(self, *arguments: str) -> None:
        place = self.folder / "deploy" / ENVIRONMENT
        self._said(
            *(require("docker-compose"), "-p", PROJECT, "--project-directory", str(place)),
            *("-f", str(place / "compose.yaml"), *arguments),
        )

    def client(self, store: str = "docs") -> MongoClient[dict[str, Any]]:
        """Return a client logged in as a service would be, at the port published on the host."""
        secure: dict[str, Any] = {"tls": True, "tlsInsecure": True} if store == "sealed" else {}
        return MongoClient(
            *("127.0.0.1", self._ports[store]),
            username=USER,
            password=self.password,
            **secure,
            directConnection=True,
            serverSelectionTimeoutMS=20_000,
        )

    def fill(self, store: str) -> None:
        """Create documents of all types, in databases and collections with awkward names."""
        with self.client(store) as client:
            client["shop"][COLLECTION].insert_many(
                [
                    {
                        "_id": bson.ObjectId(),
                        "when": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
                    },
                    {"_id": 7, "long": bson.Int64(2**53 + 1), "double": 2.5, "yes": True, "none": None},
                    {
                        "_id": "ü\u2028\n$x",
                        "raw": os.urandom(1000),
                        "uuid": bson.Binary.from_uuid(uuid.uuid4()),
                    },
                    {"_id": 2.5, "deep": {"list": [1, {"list": [2, {"x": "y" * 200}]}, {}], "empty": ""}},
                    {"_id": bson.Timestamp(1, 2), "pattern": bson.Regex("a.b", "i"), "number": 1},
                ]
            )
            client["shop"]["orders"].insert_many([{"_id": n, "text": f"row {n}"} for n in range(2500)])
            client["shop"]["orders"].create_index([("text", 1), ("_id", -1)], unique=True, name="by text")
            client["shop"].create_collection("empty")
            client["A-1_archive"]["orders"].insert_one({"_id": 1, "same": "name"})

    def contents(self, store: str = "docs") -> dict[tuple[str, str], tuple[list[bytes], Any]]:
        """Return every document as its exact bytes, and every index."""
        found = {}
        options: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
        with self.client(store) as client:
            for database in client.list_database_names():
                if database == "admin":
                    continue
                for name in client[database].list_collection_names():
                    documents: list[Any] = list(
                        client[database].get_collection(name, codec_options=options).find({})
                    )
                    indexes = client[database][name].index_information()
                    found[database, name] = (sorted(bytes(each.raw) for each in documents), indexes)
        return found

    def _secret(self, name: str, value: str) -> None:
        file = self.folder / "secrets" / name
        file.write_text(value)
        os.chown(file, -1, _GROUP)
        file.chmod(0o640)

    def _variables(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": self.engine.host,
            "STATE_FOLDER": str(self.folder / "state"),
            "SECRETS_FOLDER": str(self.folder / "secrets"),
            "EXPORTER": str(Path(sys.executable).parent / "exporter"),
        }

    def _said(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=self._variables(), timeout=150)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
