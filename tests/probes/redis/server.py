"""A real Redis on loopback, with the directives that a test needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any, Self

import redis

from exporter.catalog.planning.specs import RedisSpec
from exporter.catalog.values.secret_text import SecretText
from tests.components import require
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.probes.certificates import Certificate
    from tests.probes.servers import Connection, Script, Server

PASSWORD = "s3cret-v4lue"
ADMINISTRATOR = ("admin", "t3st-administrator")
"""A user that always stays, whatever a test forbids the others."""


class RedisServer:
    """A Redis that serves from `folder` while its context lasts; `directives` are those of redis.conf, by name.

    With `certificate`, `port` uses TLS; `plain` never does.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificate: Certificate | None = None,
        users: tuple[str, ...] = (),
        **directives: str,
    ) -> None:
        self._program = require("redis-server")
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.plain = self.port = free_port()
        lines = [
            "bind 127.0.0.1",
            f"port {self.plain}",
            f"dir {folder}",
            "daemonize no",
            'save ""',
            "enable-debug-command yes",
            "user {} on >{} ~* &* +@all".format(*ADMINISTRATOR),
            *(f"user {user}" for user in users),
        ]
        if certificate is not None:
            self.port = free_port()
            lines += [
                f"tls-port {self.port}",
                f"tls-cert-file {certificate.cert}",
                f"tls-key-file {certificate.key}",
                "tls-auth-clients no",
            ]
        lines += [f"{name.replace('_', '-')} {value}" for name, value in directives.items()]
        (folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        self.start()
        until(self._answers, "Redis to answer PING")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it without waiting until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._folder / "redis.conf")], stdout=log, stderr=log
            )

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGCONT)
        self._process.kill()
        self._process.wait(10)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it: the kernel still accepts connections, but nothing answers."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """Return redis-py's client, logged in as the administrator."""
        user, password = ADMINISTRATOR
        with redis.Redis("127.0.0.1", self.plain, username=user, password=password, protocol=3) as client:
            yield client

    def run(self, *command: str) -> Any:
        """Return the answer to one command of the administrator."""
        with self.client() as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py declares no types

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with contextlib.suppress(redis.ConnectionError):
            return bool(self.run("PING"))
        return False


PONG = b"+PONG\r\n"


def answers(*replies: bytes) -> Script:
    """Answer the first command with the first reply, and so on; then wait."""

    def script(connection: Connection) -> None:
        for reply in replies:
            if not connection.socket.recv(65536):
                return
            connection.send(reply)
        connection.until_closed()

    return script


def secret(value: str) -> SecretText:
    return SecretText((value,))


def spec(server: RedisServer | Server, username: str | None = None, password: str | None = None) -> RedisSpec:
    return RedisSpec("127.0.0.1", server.port, username, None if password is None else secret(password))
