"""Passwords of real local servers, changed and used as in a container; and the messages of refusals."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest
import redis

from exporter.host.engine import Ended
from exporter.host.failures import OperationError
from exporter.secrets.engines import ENGINES
from exporter.secrets.engines.postgresql import verifier
from exporter.secrets.inventory import Login
from exporter.secrets.stores import Stores
from tests.probes.certificates import Authority
from tests.probes.postgresql.server import PostgresqlServer
from tests.probes.redis.server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PASSWORDS = [
    "plain",
    'it\'s "a\\b" $HOME `id` :host',
    "ünïcode ½",
    "x" * 4096,
    "'; DROP ROLE r; --",
    "\\connect",
]


@dataclass
class Here:
    """Runs a container's programs on this machine with `environment`, and records their command lines."""

    environment: Mapping[str, str]
    state: str = "running"
    argv: list[str] = field(default_factory=list)
    answer: Ended | None = None

    def containers(self, project: str, *services: str) -> list[Any]:
        assert (project, services) == ("shop-production", ("db",))
        return [cast("Any", type("Container", (), {"id": "1", "state": self.state}))]

    def execute(self, _: str, argv: Sequence[str], *, given: bytes, limit: int, seconds: float) -> Ended:
        self.argv += argv
        if self.answer is not None:
            return self.answer
        done = subprocess.run(
            argv,
            input=given,
            capture_output=True,
            timeout=seconds,
            env={"PATH": os.environ["PATH"], **self.environment},
        )
        assert len(done.stdout) <= limit
        return Ended(done.returncode, done.stdout, done.stderr, len(done.stdout))


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlServer]:
    certificate = Authority(tmp_path_factory.mktemp("authority")).issue("localhost")
    with PostgresqlServer(certificate) as server:
        server.sql('CREATE ROLE "a""b \'c" LOGIN SUPERUSER PASSWORD \'first\'')
        yield server


@pytest.fixture
def in_postgresql(postgresql: PostgresqlServer) -> tuple[Here, Stores, Login]:
    here = Here({"PGHOST": str(postgresql.folder), "HOSTNAME": "127.0.0.1"})
    return here, stores(here), Login("db", "postgresql", "a\"b 'c", postgresql.port)


@pytest.fixture
def in_redis(tmp_path: Path) -> Iterator[tuple[Here, Stores, Login, RedisServer]]:
    with RedisServer(tmp_path, users=("someone on >first ~* &* +@all",)) as server:
        here = Here({})
        yield here, stores(here), Login("db", "redis", "someone", server.plain), server


def stores(here: Here) -> Stores:
    return Stores(here, "shop-production", "production")


@pytest.mark.parametrize("password", PASSWORDS)
def test_postgresql_takes_it_and_never_sees_it(
    in_postgresql: tuple[Here, Stores, Login], postgresql: PostgresqlServer, password: str
) -> None:
    here, them, login = in_postgresql
    them.check([login], [b"unknown"])
    postgresql.set("log_statement = 'all'")
    them.change(login, [b"unknown"], password.encode())
    them.change(login, [b"unknown"], password.encode())  # as when a rotation is completed
    with psycopg.connect(
        host="127.0.0.1", port=login.port, user=login.user, password=password, dbname="postgres"
    ):
        pass
    assert password not in "\n".join(here.argv)
    if len(password) > 5:
        assert password not in postgresql.log()
    with pytest.raises(OperationError, match="does not accept"):
        refuse(them, login)


def refuse(them: Stores, login: Login) -> None:
    """Log in with a value that the store does not have."""
    if why := them._refusal(login, ENGINES[login.engine].accepts(login, b"mistaken"), [b"mistaken"]):
        raise OperationError(f"does not accept: {why}")


def test_postgresql_makes_the_same_verifier(postgresql: PostgresqlServer) -> None:
    """Compare for the same salt, with a password that SASLprep changes and one that it refuses."""
    from base64 import b64decode

    for password in ("plain", "ünïcode ½ \u2168", "\u0627x"):
        with postgresql.connection() as connection:
            name = cast("Any", psycopg.sql.Literal(password).as_string(connection))
            connection.execute(cast("Any", f"DROP ROLE IF EXISTS made; CREATE ROLE made PASSWORD {name}"))
            [[made]] = postgresql.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'made'")
        salt = b64decode(made.split("$")[1].split(":")[1])
        assert verifier(password.encode(), salt) == made


@pytest.mark.parametrize("password", PASSWORDS)
def test_redis_takes_both_until_it_starts_again(
    in_redis: tuple[Here, Stores, Login, RedisServer], password: str
) -> None:
    here, them, login, server = in_redis
    them.check([login], [b"unknown", b"first"])
    them.change(login, [b"unknown", b"first"], password.encode())
    them.change(login, [b"first"], password.encode())
    for value in (password, "first"):
        assert redis.Redis(port=server.plain, username="someone", password=value).ping()
    assert password not in "\n".join(here.argv) or password == "plain"
    assert not [row for row in server.run("SLOWLOG", "GET") if password.encode() in row["command"]]
    with pytest.raises(OperationError, match="WRONGPASS"):
        refuse(them, login)


def test_who_is_not_let_in_changes_nothing(in_redis: tuple[Here, Stores, Login, RedisServer]) -> None:
    _, them, login, server = in_redis
    with pytest.raises(OperationError, match=r"cannot be changed: someone cannot log in .*WRONGPASS"):
        them.check([login], [b"mistaken-1", b"mistaken-2"])
    assert redis.Redis(port=server.plain, username="someone", password="first").ping()


@pytest.mark.parametrize("state", ["exited", "paused", "restarting"])
def test_a_store_that_does_not_run_is_named_with_the_next_command(state: str) -> None:
    with pytest.raises(
        OperationError, match=r"db is not running.*exporter compose -e production -- up -d db"
    ):
        stores(Here({}, state)).check([Login("db", "redis", "default", 6379)], [b"value"])


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize(
    "answer",
    [
        Ended(1, b"", b"\x1b[2Jno: hunter2-hunter2\n", 0),
        Ended(0, b"\x1b[2Jno, hunter2-hunter2\n", b"", 0),
        Ended(0, b"", b"", 0),
        Ended(0, b"yesyes\nOK\n", b"", 0),
    ],
)
def test_any_other_answer_is_no_and_is_shown_safely(engine: str, answer: Ended) -> None:
    here = Here({}, answer=answer)
    login = Login("db", engine, "default", 1)
    with pytest.raises(OperationError) as caught:
        stores(here).change(login, [b"hunter2-hunter2"], b"new-value-new-value")
    assert "hunter2" not in caught.value.sentence
    assert "\x1b" not in caught.value.sentence
    assert not any("hunter2" in word or "new-value" in word for word in here.argv)


def test_mongodb_gets_passwords_by_standard_input() -> None:
    login = Login("db", "mongodb", "root", 27017, tls=True)
    question = ENGINES["mongodb"].change(login, b"old-value", b"new-value")
    assert b'"known": "old-value"' in question.given
    assert b'"next": "new-value"' in question.given
    assert "value" not in " ".join(question.argv)
    assert "value" not in repr(question)
