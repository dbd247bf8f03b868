"""The MongoDB probe, over the network, with a test server that speaks MongoDB's protocol (`mongodb_server.py`).

The machines that run these tests cannot install MongoDB. The real server is therefore not tested: the wording of its
errors, that it closes a connection if it has no free one, what serverStatus omits on request, how long listDatabases
takes with thousands of files, arbiters and routers, and releases before 7. pymongo's client logs in to the test
server, which shows that its SCRAM is standard.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import time
from typing import TYPE_CHECKING, NamedTuple

import pymongo
import pytest
import uvloop
from pymongo.errors import OperationFailure
from pymongo.server_api import ServerApi

from exporter.catalog.planning.specs import MongodbSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference, SecretText
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from tests.probes.mongodb.server import HELLO, PASSWORD, USER, Mongod, refuses, spec, stuck
from tests.probes.servers import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.probes.certificates import Authority, Certificate
    from tests.probes.mongodb.server import Answer, Document
    from tests.probes.net.name_server import NameServer
    from tests.probes.prober import Prober

DEADLINE = 0.4
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, 800_000, tzinfo=dt.UTC)


def test_all_that_it_says(prober: Prober) -> None:
    mongod = Mongod({USER: PASSWORD})
    with Server(mongod) as server:
        result = prober.run(spec(server, PASSWORD))
    assert result.success, result
    assert list(result.phases) == ["connect", "login", "query"]
    assert {name: value for name, value in result.facts.items() if name.startswith("store_")} == {
        "store_role": "primary",
        "store_accepts_writes": 1,
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
    """Check that everybody can run `ping`, and values that only users can see are omitted."""
    with Server(Mongod({USER: PASSWORD})) as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert list(result.phases) == ["connect", "query"]
    assert set(result.facts) == {
        "ip_addr",
        "ip_protocol",
        "store_role",
        "store_version",
        "store_accepts_writes",
    }


LOGINS = {
    "SCRAM-SHA-256": (Mongod({USER: PASSWORD}), PASSWORD),
    "SCRAM-SHA-1": (Mongod({USER: PASSWORD}, mechanism="SCRAM-SHA-1"), PASSWORD),
    "a round more": (Mongod({USER: PASSWORD}, knows_skip=False), PASSWORD),
    "another database": (Mongod({USER: PASSWORD}, database="watch"), PASSWORD),
    "name with signs": (Mongod({"a=b,c": PASSWORD}), PASSWORD),
    "password beyond ASCII": (Mongod({USER: "p\u00e4ssIX"}), "p\u00e4ss\u2168"),  # the same after SASLprep
}


@pytest.mark.parametrize(("mongod", "password"), LOGINS.values(), ids=LOGINS)
def test_login(mongod: Mongod, password: str, prober: Prober) -> None:
    (name,) = mongod.passwords
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
        server_api=ServerApi("1"),  # uses OP_MSG from the first message
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
    """Check that keys are computed once, in a thread that ends, while the loop goes on. A new
    password gets new keys."""
    file = tmp_path / "password"
    mongod = Mongod({USER: PASSWORD}, iterations=800_000)

    async def ticks() -> float:
        """Return the longest time for which the loop was blocked, until cancelled."""
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

        await run("wrong")  # the server has computed its own keys
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
    """Return replSetGetStatus data: the members, of which `own` is probed, and by how many seconds each is behind."""
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
    """Check that `ping` succeeded and the value is omitted, whatever the error."""
    answers: dict[str, Answer] = {
        "buildInfo": refuses(59, "no such command: 'buildInfo'"),
        "serverStatus": {"connections": "many"},
        "listDatabases": {"totalSize": float("nan")},
    }
    with Server(Mongod(answers=answers)) as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert set(result.facts) == {"ip_addr", "ip_protocol", "store_role", "store_accepts_writes"}


def test_sizes_that_take_too_long(prober: Prober) -> None:
    """Check that they are given up after half of the remaining time."""
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
        assert not result.phases  # nothing was sent

        variable = SecretText((EnvironmentReference("TEST_MONGODB_PASSWORD"),))
        from_environment = MongodbSpec("127.0.0.1", server.port, USER, variable)
        monkeypatch.setenv("TEST_MONGODB_PASSWORD", PASSWORD)
        assert prober.run(from_environment).success
        monkeypatch.delenv("TEST_MONGODB_PASSWORD")
        assert prober.run(from_environment).detail == "environment variable TEST_MONGODB_PASSWORD is not set"
