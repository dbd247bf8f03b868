"""The MongoDB probe, over the wire, against a server of ours that speaks MongoDB's protocol (`mongodb_server.py`).

No MongoDB can be had where these tests run. So what stays untested is the real server: how it words its errors, that it
closes a connection when it has no free one, what serverStatus leaves out when it is told to, how long listDatabases
takes with thousands of files, arbiters and routers, and releases before 7. That our server's SCRAM is the field's own
is tested by pymongo's client, which logs in to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bson
import pymongo
import pytest
import uvloop
from pymongo.errors import OperationFailure
from pymongo.server_api import ServerApi

from exporter.catalog.secrets import EnvironmentReference, FileReference, SecretText
from exporter.catalog.targets import MongodbSpec, TlsSpec
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.resolve import close_resolver
from tests.probes.mongodb_server import HELLO, Mongod, message, receive, refuses
from tests.probes.prober import until
from tests.probes.servers import Server, black_hole, silence
from tests.probes.servers_tcp import closes, drips
from tests.waiting import free_port

if TYPE_CHECKING:
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.mongodb_server import Answer, Document
    from tests.probes.name_server import NameServer
    from tests.probes.prober import Prober
    from tests.probes.servers import Connection, Script

DEADLINE = 0.4
USER, PASSWORD = "exporter", "s3cret-v4lue"
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, 800_000, tzinfo=dt.UTC)


def spec(
    server: Server, password: str | None = None, username: str | None = None, database: str = "admin"
) -> MongodbSpec:
    given = None if password is None else SecretText((password,))
    name = username or (None if password is None else USER)
    return MongodbSpec("127.0.0.1", server.port, name, given, database)


def test_all_that_it_says(prober: Prober) -> None:
    mongod = Mongod({USER: PASSWORD})
    with Server(mongod) as server:
        result = prober.run(spec(server, PASSWORD))
    assert result.success, result
    assert list(result.phases) == ["connect", "login", "query"]
    assert {name: value for name, value in result.facts.items() if name.startswith("store_")} == {
        "store_role": "primary",
        "store_version": "7.0.14",
        "store_connections": 12,
        "store_connections_max": 819,
        "store_size": 8_192_000,
    }
    assert [next(iter(document)) for document in mongod.asked] == [
        "hello",
        "saslStart",
        "saslContinue",
        "ping",
        "buildInfo",
        "serverStatus",
        "listDatabases",
    ]
    assert 1 <= mongod.asked[-1]["maxTimeMS"] <= 2500


def test_without_a_login(prober: Prober) -> None:
    """Everybody may ask `ping`; what only users may see is not known."""
    with Server(Mongod({USER: PASSWORD})) as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert list(result.phases) == ["connect", "query"]
    assert set(result.facts) == {"ip_addr", "ip_protocol", "store_role", "store_version"}


LOGINS = {
    "SCRAM-SHA-256": Mongod({USER: PASSWORD}),
    "SCRAM-SHA-1": Mongod({USER: PASSWORD}, mechanism="SCRAM-SHA-1"),
    "a round more": Mongod({USER: PASSWORD}, knows_skip=False),
    "another database": Mongod({USER: PASSWORD}, database="watch"),
    "name with signs": Mongod({"a=b,c": PASSWORD}),
    "password beyond ASCII": Mongod({USER: "p\u00e4ss\u2168"}),
}


@pytest.mark.parametrize("mongod", LOGINS.values(), ids=LOGINS)
def test_login(mongod: Mongod, prober: Prober) -> None:
    ((name, password),) = mongod.passwords.items()
    prepared = {"p\u00e4ss\u2168": "p\u00e4ssIX"}.get(password, password)  # as SASLprep has it
    mongod.passwords = {name: prepared}
    with Server(mongod) as server:
        result = prober.run(spec(server, password, name, mongod.database))
        assert result.success, result
        assert "store_connections" in result.facts
        with pymongo_client(server, mongod, name, password) as client:
            assert client.admin.command("ping")["ok"] == 1
        with (
            pymongo_client(server, mongod, name, "wrong") as client,
            pytest.raises(OperationFailure, match="Authentication failed"),
        ):
            client.admin.command("ping")


def pymongo_client(
    server: Server, mongod: Mongod, username: str, password: str
) -> pymongo.MongoClient[Document]:
    return pymongo.MongoClient(
        "127.0.0.1",
        server.port,
        username=username,
        password=password,
        authSource=mongod.database,
        directConnection=True,
        server_api=ServerApi("1"),  # in OP_MSG from the first message on
        serverSelectionTimeoutMS=10_000,
    )


@pytest.mark.parametrize(
    ("username", "password", "database"),
    [
        (USER, "wrong", "admin"),
        ("stranger", PASSWORD, "admin"),
        (USER, PASSWORD, "other"),
        (USER, None, "admin"),
    ],
)
def test_refused(username: str, password: str | None, database: str, prober: Prober) -> None:
    with Server(Mongod({USER: PASSWORD})) as server:
        result = prober.run(spec(server, password, username, database))
    assert result.reason is Reason.LOGIN, result
    assert re.match(
        rf"MongoDB refused the login of the user {username} \(database {database}\): '", result.detail
    ), result.detail
    assert list(result.phases) == ["connect", "login"]


def test_keys_are_made_once(tmp_path: Path) -> None:
    """To make them takes long, in a thread that ends, while the loop goes on. A new password has new ones."""
    file = tmp_path / "password"
    mongod = Mongod({USER: PASSWORD}, iterations=800_000)

    async def ticks() -> float:
        """The longest time that the loop stood still, until cancelled."""
        longest, last = 0.0, time.monotonic()
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(0.001)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    async def main(server: Server) -> None:
        secret = SecretText((FileReference(str(file)),))
        probe = compile_probe(MongodbSpec("127.0.0.1", server.port, USER, secret), Shared())

        async def run(password: str) -> tuple[Reason, float]:
            file.write_text(password)
            result = await probe.run(time.monotonic() + 30)
            return result.reason, result.phases["login"]

        await run("wrong")  # the server has made its own
        ticking = asyncio.create_task(ticks())
        first = await run(PASSWORD)
        ticking.cancel()
        again = await run(PASSWORD)
        assert first[0] is again[0] is Reason.OK
        assert again[1] < first[1] / 2
        assert await ticking < first[1] / 2
        assert (await run("wrong"))[0] is Reason.LOGIN
        assert (await run(PASSWORD))[0] is Reason.OK

    with Server(mongod) as server:
        uvloop.run(main(server))


def members(own: int, behind: dict[int, float], states: dict[int, int]) -> Document:
    """What replSetGetStatus says: the members, of which `own` is asked, and how many seconds each is behind."""
    return {
        "set": "rs0",
        "members": [
            {
                "_id": number,
                "health": 0.0 if states[number] == 8 else 1.0,
                "state": states[number],
                "optimeDate": NOW - dt.timedelta(seconds=seconds),
                **({"self": True} if number == own else {}),
            }
            for number, seconds in behind.items()
        ],
    }


PRIMARY = {**HELLO, "setName": "rs0"}
SECONDARY = {**HELLO, "setName": "rs0", "isWritablePrimary": False, "secondary": True}


class Member(NamedTuple):
    hello: Document
    status: Document
    facts: dict[str, object]


MEMBERS = {
    "primary": Member(
        PRIMARY,
        members(0, {0: 0, 1: 1.5, 2: 42.25, 3: 9000, 4: 9000}, {0: 1, 1: 2, 2: 2, 3: 8, 4: 7}),
        {"store_role": "primary", "store_replicas": 2, "store_replication_lag": 42.25},
    ),
    "primary alone": Member(
        PRIMARY, members(0, {0: 0}, {0: 1}), {"store_role": "primary", "store_replicas": 0}
    ),
    "secondary": Member(
        SECONDARY,
        members(1, {0: 0, 1: 7.5, 2: 300}, {0: 1, 1: 2, 2: 2}),
        {"store_role": "replica", "store_replication_lag": 7.5},
    ),
    "secondary that knows more": Member(
        SECONDARY,
        members(1, {0: 2, 1: 0}, {0: 1, 1: 2}),
        {"store_role": "replica", "store_replication_lag": 0},
    ),
    "secondary without a primary": Member(
        SECONDARY, members(1, {1: 0, 2: 0}, {1: 2, 2: 2}), {"store_role": "replica"}
    ),
    "member that may not be asked": Member(
        SECONDARY, refuses(13, "not authorized on admin"), {"store_role": "replica"}
    ),
    "arbiter": Member(
        {**SECONDARY, "secondary": False, "arbiterOnly": True}, refuses(13, "not authorized on admin"), {}
    ),
    "router": Member({**HELLO, "msg": "isdbgrid"}, refuses(59, "no such command"), {}),
    "nonsense": Member(
        PRIMARY,
        {"members": [1, {"state": 1, "self": True, "optimeDate": "now"}]},
        {"store_role": "primary", "store_replicas": 0},
    ),
}


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_replica_sets(member: Member, prober: Prober) -> None:
    with Server(Mongod(answers={"hello": member.hello, "replSetGetStatus": member.status})) as server:
        result = prober.run(spec(server))
    assert result.success, result
    interesting = ("store_role", "store_replicas", "store_replication_lag")
    assert {name: result.facts[name] for name in interesting if name in result.facts} == member.facts


def test_what_is_refused_is_not_known(prober: Prober) -> None:
    """Whatever the error: `ping` has been answered."""
    answers: dict[str, Answer] = {
        "buildInfo": refuses(59, "no such command: 'buildInfo'"),
        "serverStatus": {"connections": "many"},
        "listDatabases": {"totalSize": float("nan")},
    }
    with Server(Mongod(answers=answers)) as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert set(result.facts) == {"ip_addr", "ip_protocol", "store_role"}


def stuck(connection: Connection) -> Document:
    """Never answer."""
    connection.until_closed()
    raise ConnectionResetError


def test_sizes_that_take_too_long(prober: Prober) -> None:
    """They are given up at half of the time that is left."""
    with Server(Mongod(answers={"listDatabases": stuck})) as server:
        result = prober.run(spec(server), DEADLINE)
    assert result.success, result
    assert "store_size" not in result.facts
    assert "store_connections" in result.facts


def test_thousands_of_databases(prober: Prober) -> None:
    many = [{"name": f"database-{number}", "sizeOnDisk": 4096} for number in range(10_000)]
    with Server(Mongod(answers={"listDatabases": {"databases": many, "totalSize": 1}})) as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert "store_size" not in result.facts


class Row(NamedTuple):
    script: Script
    reason: Reason
    detail: str


def answers(*replies: bytes) -> Script:
    """Answer the first command with the first reply, and so on; then wait."""

    def script(connection: Connection) -> None:
        for reply in replies:
            receive(connection)
            connection.send(reply)
        connection.until_closed()

    return script


def silent_from(command: str) -> Script:
    return Mongod(answers={command: stuck, "hello": stuck if command == "hello" else PRIMARY})


OK = bson.encode({"ok": 1.0})
STRANGE = "the answer to hello is not MongoDB's protocol"
FAULTS = {
    "a web server": Row(
        answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.PROTOCOL, f"{STRANGE}: 'HTTP/1.1 400"
    ),
    "a mail server": Row(drips(b"220 mx.test\r\n", 0), Reason.PROTOCOL, f"{STRANGE}: '220 "),
    "Redis": Row(answers(b"-ERR unknown command\r\n"), Reason.PROTOCOL, f"{STRANGE}: '-ERR"),
    "binary garbage": Row(answers(b"\x01\x00\x00\x00\xff\xff"), Reason.PROTOCOL, STRANGE),
    "huge length": Row(answers(b"\xff\xff\xff\x7f"), Reason.PROTOCOL, STRANGE),
    "negative length": Row(answers(b"\xff\xff\xff\xff"), Reason.PROTOCOL, STRANGE),
    "long": Row(
        answers((1_000_000).to_bytes(4, "little")), Reason.SIZE, "hello has 1000000 bytes, over 262144"
    ),
    "another question's answer": Row(answers(message(1, 7, {"ok": 1.0})), Reason.PROTOCOL, "in answer to 7"),
    "another operation": Row(
        answers(message(1, 1, {"ok": 1.0}, operation=1)), Reason.PROTOCOL, f"{STRANGE}: operation 1 "
    ),
    "more to come": Row(answers(message(1, 1, {"ok": 1.0}, flags=2)), Reason.PROTOCOL, STRANGE),
    "damaged document": Row(
        answers(message(1, 1, {"ok": 1.0}).replace(b"ok\0", b"ok!")),
        Reason.PROTOCOL,
        "the document is damaged",
    ),
    "not an answer": Row(answers(message(1, 1, {"hello": "you"})), Reason.PROTOCOL, "whether it is one"),
    "an error": Row(
        Mongod(answers={"ping": refuses(91, "The server is in quiesce mode\nand will shut down")}),
        Reason.ANSWER,
        r"MongoDB answered with an error to ping: 'The server is in quiesce mode\\nand will shut down'",
    ),
    "no permission to ping": Row(
        Mongod(answers={"ping": refuses(13, "ping requires authentication")}),
        Reason.LOGIN,
        "MongoDB refused ping: 'ping requires authentication'",
    ),
    "before 4.4.2": Row(
        Mongod(answers={"hello": refuses(59, "no such command: 'hello'")}), Reason.ANSWER, "error to hello"
    ),
    "silent": Row(silence, Reason.TIMEOUT, "waiting for the answer to hello"),
    "silent at ping": Row(silent_from("ping"), Reason.TIMEOUT, "waiting for the answer to ping"),
    "silent at serverStatus": Row(silent_from("serverStatus"), Reason.TIMEOUT, "the answer to serverStatus"),
    "half an answer": Row(
        answers(message(1, 1, {"ok": 1.0})[:-3]), Reason.TIMEOUT, "waiting for the answer to hello"
    ),
    "closes at once": Row(
        closes(b""), Reason.DISCONNECT, "closed before the answer to hello.*no free connection|reset"
    ),
    "closes within": Row(
        closes(message(1, 1, {"ok": 1.0})[:-3]),
        Reason.DISCONNECT,
        "before the answer to hello was complete|reset",
    ),
}


@pytest.mark.parametrize("row", FAULTS.values(), ids=FAULTS)
def test_faults(prober: Prober, row: Row) -> None:
    with Server(row.script) as server:
        result = prober.run(spec(server), DEADLINE)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail


def test_checksum(prober: Prober) -> None:
    """It may follow an answer, and is passed over, as TCP has one."""
    hello, *others = (message(1, number, {"ok": 1.0}, flags=1) for number in range(1, 6))
    summed = [
        (int.from_bytes(m[:4], "little") + 4).to_bytes(4, "little") + m[4:] + b"sum!"
        for m in (hello, *others)
    ]
    with Server(answers(*summed)) as server:
        result = prober.run(spec(server))
    assert result.success, result


STARTED = message(2, 2, {"ok": 1.0, "conversationId": 1, "payload": b"r=someone-else,s=c2FsdA==,i=4096"})
GREETING = message(1, 1, {"ok": 1.0})
LOGIN_FAULTS = {
    "silent": Row(answers(GREETING), Reason.TIMEOUT, "waiting for the answer to saslStart"),
    "another nonce": Row(
        answers(GREETING, STARTED), Reason.PROTOCOL, "the server's challenge is not to this login"
    ),
    "no challenge": Row(
        answers(GREETING, STARTED.replace(b"s=c2Fs", b"x=c2Fs")),
        Reason.PROTOCOL,
        "the server's challenge lacks a part",
    ),
    "nothing": Row(
        answers(GREETING, message(2, 2, {"ok": 1.0})), Reason.PROTOCOL, "the server's answer holds nothing"
    ),
    "too much work": Row(
        Mongod({USER: ""}, iterations=2_000_000_000), Reason.PROTOCOL, "asks for 2000000000 iterations"
    ),
    "too little work": Row(
        Mongod({USER: ""}, iterations=1), Reason.PROTOCOL, "the server asks for 1 iterations"
    ),
    "impostor": Row(
        Mongod({USER: "unknown"}, impostor=True),
        Reason.PROTOCOL,
        "the server cannot prove that it knows the user",
    ),
    "error": Row(
        answers(GREETING, message(2, 2, {"ok": 0.0, "code": 11600, "errmsg": f"going down {PASSWORD}"})),
        Reason.ANSWER,
        r"error to the login of the user exporter \(database admin\): 'going down \*\*\*'",
    ),
}


@pytest.mark.parametrize("row", LOGIN_FAULTS.values(), ids=LOGIN_FAULTS)
def test_login_faults(prober: Prober, row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Server(row.script) as server:
        result = prober.run(spec(server, PASSWORD), DEADLINE)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail
    assert list(result.phases) == ["connect", "login"]
    assert PASSWORD not in repr(result) + caplog.text


def test_nobody_listens(prober: Prober) -> None:
    result = prober.run(MongodbSpec("127.0.0.1", free_port()))
    assert result.reason is Reason.CONNECT
    assert "Connection refused" in result.detail


def test_connection_is_swallowed(prober: Prober) -> None:
    with black_hole("127.0.0.1") as port:
        result = prober.run(MongodbSpec("127.0.0.1", port), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert list(result.phases) == ["connect"]


def test_name(prober: Prober, name_server: NameServer) -> None:
    with Server(Mongod()) as server:
        assert prober.run(MongodbSpec("db.test", server.port)).reason is Reason.RESOLVE
        name_server.names["db.test"] = ("127.0.0.1",)
        result = prober.run(MongodbSpec("db.test", server.port))
    assert result.success, result
    assert list(result.phases) == ["resolve", "connect", "query"]


def test_tls(prober: Prober, authority: Authority, certificate: Certificate) -> None:
    trusting = TlsSpec(ca_file=str(authority.ca_file))
    with Server(Mongod({USER: PASSWORD}), tls=certificate.server_context()) as server:
        result = prober.run(
            MongodbSpec("127.0.0.1", server.port, USER, SecretText((PASSWORD,)), tls=trusting)
        )
        distrusted = prober.run(MongodbSpec("127.0.0.1", server.port, tls=TlsSpec()))
        plain = prober.run(MongodbSpec("127.0.0.1", server.port), DEADLINE)
    assert result.success, result
    assert list(result.phases) == ["connect", "login", "query"]
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert distrusted.reason is Reason.CERTIFICATE
    assert distrusted.facts["certificate_expiry"] == certificate.not_after
    assert list(distrusted.phases) == ["connect"]
    assert not plain.success


def test_secrets_are_read_at_each_run(
    prober: Prober, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    with Server(Mongod({USER: PASSWORD})) as server:
        from_file = MongodbSpec("127.0.0.1", server.port, USER, SecretText((FileReference(str(file)),)))
        file.write_text("old\n")
        assert prober.run(from_file).reason is Reason.LOGIN
        file.write_text(f"{PASSWORD}\n")
        assert prober.run(from_file).success
        file.write_text("bell\a\n")
        assert prober.run(from_file).detail == "the password holds characters that SCRAM does not allow"
        file.unlink()
        result = prober.run(from_file)
        assert result.reason is Reason.SECRET
        assert result.detail == f"secret file {file} cannot be read: No such file or directory"
        assert not result.phases  # nothing was asked of anybody

        variable = SecretText((EnvironmentReference("TEST_MONGODB_PASSWORD"),))
        from_environment = MongodbSpec("127.0.0.1", server.port, USER, variable)
        monkeypatch.setenv("TEST_MONGODB_PASSWORD", PASSWORD)
        assert prober.run(from_environment).success
        monkeypatch.delenv("TEST_MONGODB_PASSWORD")
        assert prober.run(from_environment).detail == "environment variable TEST_MONGODB_PASSWORD is not set"


def test_cancelled() -> None:
    """In every phase, also while the keys are made, a run that is cancelled leaves neither task nor descriptor."""

    async def cancel_after(steps: int, spec: MongodbSpec) -> None:
        running = asyncio.create_task(compile_probe(spec, Shared()).run(time.monotonic() + 30))
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 10 else 0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await close_resolver()

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def main() -> None:
        threads = threading.active_count()
        with (
            Server(silence) as dumb,
            Server(silent_from("ping")) as half,
            Server(Mongod({USER: PASSWORD}, iterations=400_000)) as login,
        ):
            specs = (
                MongodbSpec("localhost", dumb.port),
                MongodbSpec("127.0.0.1", dumb.port, tls=TlsSpec()),
                spec(half),
                spec(login, PASSWORD),
            )
            await cancel_after(10, specs[0])  # what is opened once in a process is open now
            before = descriptors()
            for each in specs:
                for steps in range(11):
                    await cancel_after(steps, each)
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
            await until(lambda: descriptors() <= before, "descriptors are left open")
        await until(lambda: threading.active_count() <= threads, "threads are left")

    uvloop.run(main())
