"""A real PostgreSQL server on loopback, and replicas of it, each created in its own folder.

    with PostgresqlServer(certificate) as server:
        server.sql("CREATE ROLE probe LOGIN PASSWORD 'secret'")
        with server.replica() as replica: ...

It runs as the user of the tests. PostgreSQL refuses to run as root, so then it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, Self

import psutil
import psycopg
import pytest

from tests.components import require
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.probes.certificates import Certificate

ADMIN = "admin"
MAX_CONNECTIONS = 12
RESERVED = 3
"""Connections reserved for superusers, PostgreSQL's default."""

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = {max_connections}
fsync = off
shared_buffers = 16MB
autovacuum = off
ssl = on
ssl_cert_file = '{folder}/server.cert'
ssl_key_file = '{folder}/server.key'
wal_receiver_status_interval = 1
wal_retrieve_retry_interval = 100
"""
ACCESS = """
local all         all     trust
local replication all     trust
host  all         unwanted all reject
host  all         of_md5   all md5
host  all         of_text  all password
host  all         all     all scram-sha-256
"""


def programs() -> Path:
    """Return the folder of PostgreSQL's newest programs; Debian has one per version."""
    require("pg_ctlcluster")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.fail("pg_ctlcluster is installed, but /usr/lib/postgresql/*/bin does not exist")
    return found[-1]


def account() -> str | None:
    """Return the user to run as; None: the current one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class PostgresqlServer:
    """A PostgreSQL server. `source`: the primary that it replicates."""

    def __init__(self, certificate: Certificate, source: PostgresqlServer | None = None) -> None:
        self._bin = programs()
        self._account = account()
        self._certificate = certificate
        self._source = source
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        # Not a folder of pytest, which only its own user can enter, and short, because it holds a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        try:
            self._make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.stop()
        shutil.rmtree(self.folder)

    def _make(self) -> None:
        shutil.copy(self._certificate.cert, self.folder / "server.cert")
        shutil.copy(self._certificate.key, self.folder / "server.key")
        (self.folder / "server.key").chmod(0o600)
        if self._account is not None:
            for path in (self.folder, self.folder / "server.cert", self.folder / "server.key"):
                shutil.chown(path, self._account)
        data = str(self.folder / "data")
        if self._source is None:
            self._call(
                "initdb", "-D", data, "-U", ADMIN, "--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C"
            )
        else:
            source = ("-h", str(self._source.folder), "-p", str(self._source.port), "-U", ADMIN)
            self._call("pg_basebackup", "-D", data, *source, "-R", "--no-sync", "-c", "fast")
        settings = {"folder": self.folder, "port": self.port, "max_connections": MAX_CONNECTIONS}
        (self.folder / "data/postgresql.conf").write_text(CONFIGURATION.format(**settings))
        (self.folder / "data/pg_hba.conf").write_text(ACCESS)

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            **self._as_account(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode()

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {"cwd": self.folder}
        return {"cwd": self.folder, "user": self._account, "group": self._account_group(), "extra_groups": []}

    def _account_group(self) -> int:
        assert self._account is not None
        return pwd.getpwnam(self._account).pw_gid

    def start(self) -> None:
        with (self.folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data"],
                **self._as_account(),
                stdout=output,
                stderr=output,
            )
        until(self._answers, "PostgreSQL to answer")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop like `pg_ctl stop -m fast`."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(10)

    def shut_down_when_all_have_left(self) -> None:
        """Stop like `pg_ctl stop -m smart`; return once it has begun."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        until(lambda: "received smart shutdown request" in self.log(), "the shutdown to begin")

    def pause(self) -> None:
        """Stop all its processes with SIGSTOP, as on a machine that hangs."""
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has exited since it was listed
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        main = psutil.Process(self._process.pid)
        return [main, *main.children(recursive=True)]

    def sql(self, statement: LiteralString, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser."""
        with self.connection(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def connection(self, database: str = "postgres", user: str = ADMIN) -> Iterator[psycopg.Connection]:
        """Connect over the local socket, which needs no password."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, dbname=database, user=user, autocommit=True
        ) as connection:
            yield connection

    def set(self, setting: LiteralString) -> None:
        """Change a setting, such as `ssl = off`, as far as a running server can."""
        self.sql("ALTER SYSTEM SET " + setting)
        self.sql("SELECT pg_reload_conf()")

    def replica(self) -> PostgresqlServer:
        return PostgresqlServer(self._certificate, self)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def backends(self) -> int:
        """Return the connections of the probe that the server still has."""
        rows = self.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pageforge-exporter'")
        return int(rows[0][0])

    def settle(self) -> None:
        """Wait until the connections of earlier queries have ended, because the server takes some time for that."""
        count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        until(lambda: self.sql(count) == [(1,)], "the connections to end")
