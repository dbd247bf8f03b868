"""A real MariaDB server on loopback, and replicas of it, each created in its own folder.

    with MariadbServer(certificate) as server:
        server.sql("CREATE USER probe IDENTIFIED BY 'secret'")
        with server.replica() as replica: ...

It runs as the user of the tests. MySQL itself is not packaged by Debian: scripted servers stand in for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from tests.components import require
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.probes.certificates import Certificate

MAX_CONNECTIONS = 12
REPLICATOR = "replicator"
SECONDS = 60.0
"""For a program that makes or stops a server, on a busy machine."""

SETTINGS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    f"--max-connections={MAX_CONNECTIONS}",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=4M",
    "--log-bin=binlog",
    "--sync-binlog=0",
    "--slave-net-timeout=2",
    "--log-warnings=2",
)


class Session:
    """The standard input and output of a client."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def say(self, statements: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(statements.encode() + b"\n")
        self._process.stdin.flush()

    def until(self, line: str) -> None:
        """Wait until the client has printed a line."""
        assert self._process.stdout is not None
        for printed in self._process.stdout:
            if printed.decode().strip() == line:
                return
        raise AssertionError(f"the client ended without printing {line}")


class MariadbServer:
    """A MariaDB server. `source`: the primary that it replicates."""

    def __init__(
        self, certificate: Certificate, source: MariadbServer | None = None, settings: tuple[str, ...] = ()
    ) -> None:
        self._programs = {name: require(name) for name in ("mariadbd", "mariadb-install-db", "mariadb")}
        self._certificate = certificate
        self._settings = settings
        self._source = source
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.password = ""
        """Of the superuser."""

    def __enter__(self) -> Self:
        # Short, because it holds a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="my-", dir="/tmp"))
        try:
            self._make()
            self.start()
            if self._source is not None:
                self._follow(self._source)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.stop()
        shutil.rmtree(self.folder)

    def _make(self) -> None:
        done = subprocess.run(
            [
                *(self._programs["mariadb-install-db"], "--no-defaults", f"--datadir={self.folder}/data"),
                *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
                "--innodb-log-file-size=4M",
                *self._as_root(),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode()

    def _as_root(self) -> tuple[str, ...]:
        """Return what MariaDB needs to run as root, as tests in a container do."""
        return ("--user=root",) if os.geteuid() == 0 else ()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(self._programs["mariadbd"], *SETTINGS, *self._as_root()),
                    *(f"--datadir={self.folder}/data", f"--socket={self._socket()}", f"--port={self.port}"),
                    *(f"--server-id={self.port}", f"--pid-file={self.folder}/pid"),
                    *(f"--ssl-cert={self._certificate.cert}", f"--ssl-key={self._certificate.key}"),
                    *self._settings,
                ],
                stdout=output,
                stderr=output,
            )
        until(self._answers, "MariaDB to answer", SECONDS)

    def _follow(self, source: MariadbServer) -> None:
        source.sql(f"CREATE USER IF NOT EXISTS {REPLICATOR} IDENTIFIED BY 'r'")
        source.sql(f"GRANT REPLICATION SLAVE ON *.* TO {REPLICATOR}")
        self.sql(
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {source.port}, "
            f"MASTER_USER = '{REPLICATOR}', MASTER_PASSWORD = 'r', MASTER_USE_GTID = slave_pos, "
            "MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1"
        )
        self.sql("START SLAVE")

    def _socket(self) -> Path:
        return self.folder / "socket"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        return self._client("SELECT 1").returncode == 0

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def pause(self) -> None:
        """Stop it with SIGSTOP, as on a machine that hangs."""
        if self._process is not None:
            psutil.Process(self._process.pid).suspend()

    def resume(self) -> None:
        if self._process is not None and self._process.poll() is None:
            psutil.Process(self._process.pid).resume()

    def sql(self, statement: str) -> list[list[str]]:
        """Run statements as the superuser over the local socket; return the rows."""
        done = self._client(statement)
        assert done.returncode == 0, done.stderr.decode()
        return [line.split("\t") for line in done.stdout.decode().splitlines()]

    def _arguments(self) -> tuple[str, ...]:
        return (
            "--no-defaults", f"--socket={self._socket()}", "--user=root", "--skip-column-names", "--batch"
        )  # fmt: skip

    def _client(self, statement: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._programs["mariadb"], *self._arguments(), "--execute", statement],
            env={"MYSQL_PWD": self.password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )

    def run_script(self, script: str) -> None:
        """Give a script to the client's standard input, as the image does."""
        done = subprocess.run(
            [self._programs["mariadb"], *self._arguments()],
            input=script.encode(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session of the superuser that stays, such as one that holds a lock."""
        process = subprocess.Popen(
            [self._programs["mariadb"], *self._arguments(), "--unbuffered", "--force"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            yield Session(process)
        finally:
            process.kill()
            process.communicate()

    def status(self, name: str) -> int:
        """Return one value of SHOW GLOBAL STATUS."""
        return int(self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'")[0][1])

    def settle(self) -> None:
        """Wait until the connections of earlier questions have ended, because the server takes some time for that."""
        until(lambda: self.status("Threads_connected") == 1, "the connections to end")

    def replica(self) -> MariadbServer:
        return MariadbServer(self._certificate, self)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")
