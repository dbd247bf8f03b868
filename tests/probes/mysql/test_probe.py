"""MySQL probes of a real MariaDB in good and bad states."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from exporter.catalog.planning.specs import MysqlSpec, TlsSpec
from exporter.catalog.values.secret_text import FileReference, SecretText
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net.resolve import close_resolver
from tests.probes.certificates import Authority
from tests.probes.mysql.server import MAX_CONNECTIONS, MariadbServer
from tests.probes.prober import open_sockets
from tests.probes.prober import until as until_on_loop
from tests.probes.servers import Server, black_hole, silence
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Certificate
    from tests.probes.prober import Prober

DEADLINE = 0.5
PASSWORD = "pass'w\\ord ü"
SECRET = SecretText((PASSWORD,))
FIRST_PHASES = {"connect", "login"}
ALL_PHASES = {"connect", "login", "query"}
USERS = r"""
CREATE USER plain IDENTIFIED BY 'pass\'w\\ord ü';
CREATE USER monitor IDENTIFIED BY 'pass\'w\\ord ü';
GRANT REPLICA MONITOR ON *.* TO monitor;
GRANT SELECT ON *.* TO monitor;
CREATE USER open;
CREATE DATABASE app;
"""


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[MariadbServer]:
    with MariadbServer(certificate) as server:
        server.sql(USERS)
        yield server


def spec(server: MariadbServer | Server, **fields: Any) -> MysqlSpec:
    named = {"host": "127.0.0.1", "port": server.port, "username": "monitor", "password": SECRET}
    return MysqlSpec(**{**named, **fields})


def check_good(result: ProbeResult, phases: set[str] = ALL_PHASES) -> dict[str, Any]:
    assert result.success, result
    assert set(result.phases) == phases
    return dict(result.facts)


def test_good(prober: Prober, server: MariadbServer) -> None:
    size = server.sql(
        "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    )[0][0]
    version = server.sql("SELECT VERSION()")[0][0]
    aborted = server.status("Aborted_clients")
    server.settle()
    facts = check_good(prober.run(spec(server)))
    assert facts.pop("store_size") == pytest.approx(float(size), rel=0.05)
    assert 0 <= facts.pop("store_uptime") < 3600
    assert facts == {
        "ip_protocol": 4,
        "ip_addr": "127.0.0.1",
        "store_version": version,
        "store_product": "mariadb",
        "store_role": "primary",
        "store_connections": 1,
        "store_connections_max": MAX_CONNECTIONS,
        "store_replicas": 0,
        "store_accepts_writes": 1,
    }
    server.settle()
    assert server.status("Aborted_clients") == aborted, "the server counts the probe as a lost client"


def test_user_with_few_rights(prober: Prober, server: MariadbServer) -> None:
    """Check that what may not be asked for is absent, and fails nothing."""
    facts = check_good(prober.run(spec(server, username="plain")))
    assert {name for name in facts if name.startswith("store_")} == {
        "store_version", "store_product", "store_connections", "store_connections_max", "store_uptime"
    }  # fmt: skip


def test_database_and_user_without_password(prober: Prober, server: MariadbServer) -> None:
    check_good(prober.run(spec(server, database="app")))
    check_good(prober.run(spec(server, username="open", password=None)))


def test_password_of_a_file(prober: Prober, server: MariadbServer, tmp_path: Path) -> None:
    file = tmp_path / "password"
    secret = SecretText((FileReference(str(file)),))
    file.write_text(PASSWORD + "\n")
    assert prober.run(spec(server, password=secret)).success
    file.unlink()
    assert prober.run(spec(server, password=secret)).reason is Reason.SECRET
    file.write_text("a\0b")
    assert prober.run(spec(server, password=secret)).detail == "the password holds a NUL character"
    with pytest.raises(ValueError, match="the database holds a NUL character"):
        compile_probe(spec(server, database="a\0b"), Shared())


LOGINS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown user": ({"username": "nobody"}, r"refused the login of 'nobody': .*Access denied.* \(1045\)"),
    "no database": ({"database": "nope"}, r"of 'monitor' to 'nope': .*Unknown database.* \(1049\)"),
    "closed database": ({"username": "plain", "database": "app"}, r"Access denied.* \(1044\)"),
    "no password": ({"password": None}, r"Access denied.*password: NO.* \(1045\)"),
    "wrong password": ({"password": SecretText(("wrong",))}, r"Access denied.* \(1045\)"),
}


@pytest.mark.parametrize("name", LOGINS)
def test_refused_login(name: str, prober: Prober, server: MariadbServer) -> None:
    fields, words = LOGINS[name]
    result = prober.run(spec(server, **fields))
    assert result.reason is Reason.LOGIN, result
    assert re.search(words, result.detail), result.detail
    assert set(result.phases) == FIRST_PHASES


def test_locked_and_expired_accounts(prober: Prober, server: MariadbServer) -> None:
    server.sql(
        "CREATE USER locked IDENTIFIED BY 'x' ACCOUNT LOCK; CREATE USER expired IDENTIFIED BY 'x' PASSWORD EXPIRE"
    )
    for user, code in (("locked", "(4151)"), ("expired", "(1820)")):
        result = prober.run(spec(server, username=user, password=SecretText(("x",))))
        assert result.reason is Reason.LOGIN, result
        assert code in result.detail


def test_other_kinds_of_login(prober: Prober, server: MariadbServer) -> None:
    """Check that an unsupported plugin is named, and that nothing was sent for it."""
    server.sql(
        "SET sql_log_bin = 0; INSTALL SONAME 'auth_ed25519'; CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('x')"
    )
    result = prober.run(spec(server, username="ed"))
    assert result.reason is Reason.LOGIN
    assert "a login by 'client_ed25519', which is not supported" in result.detail


def test_full(prober: Prober, server: MariadbServer) -> None:
    """Check that the server says so before TLS, too: it has nothing else to say."""
    server.settle()
    with ExitStack() as connections:
        for _ in range(MAX_CONNECTIONS + 2):
            connections.enter_context(socket.create_connection(("127.0.0.1", server.port))).recv(1)
        for tls in (None, TlsSpec(verify=False)):
            result = prober.run(spec(server, tls=tls))
            assert result.reason is Reason.FULL, result
            assert result.detail == "the server takes no more connections: 'Too many connections' (1040)"
    until(lambda: prober.run(spec(server)).success, "connections to be had again")


def test_full_for_one_user(prober: Prober, server: MariadbServer) -> None:
    server.sql("CREATE USER limited WITH MAX_QUERIES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 1")
    limited = spec(server, username="limited", password=None)
    assert prober.run(limited).success
    result = prober.run(limited)
    assert result.reason is Reason.FULL, result
    assert "(1226)" in result.detail


def test_nobody_listens_or_answers(prober: Prober, server: MariadbServer) -> None:
    port = free_port()
    result = prober.run(spec(server, port=port))
    assert result.detail == f"cannot connect to 127.0.0.1:{port}: Connection refused"
    with black_hole("127.0.0.1") as hole:
        result = prober.run(spec(server, port=hole), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    server.pause()
    try:
        plain = prober.run(spec(server), DEADLINE)
        secured = prober.run(spec(server, tls=TlsSpec(verify=False)), DEADLINE)
    finally:
        server.resume()
    assert plain.reason is secured.reason is Reason.TIMEOUT
    assert "waiting for the greeting of the server" in plain.detail
    assert (set(plain.phases), set(secured.phases)) == (FIRST_PHASES, {"connect"})


def test_size_that_takes_too_long_fails_nothing(prober: Prober, server: MariadbServer) -> None:
    """Lock a table, which the server waits for when it looks at all."""
    server.sql("CREATE TABLE app.big (a int) ENGINE MyISAM")
    with server.session() as session:
        session.say("LOCK TABLES app.big WRITE; FLUSH TABLES app.big; SELECT 'locked';")
        session.until("locked")
        slow = compile_probe(spec(server), Shared())
        results = [prober.wait(slow.run(time.monotonic() + 1)) for _ in range(2)]
    for result in results:
        check_good(result)
        assert "store_connections" in result.facts


def test_read_only(prober: Prober, server: MariadbServer) -> None:
    server.sql("SET GLOBAL read_only = ON")
    try:
        facts = check_good(prober.run(spec(server)))
    finally:
        server.sql("SET GLOBAL read_only = OFF")
    assert (facts["store_accepts_writes"], facts["store_writes_refused"]) == (0, "read_only")
    assert check_good(prober.run(spec(server)))["store_accepts_writes"] == 1


def test_replica(prober: Prober, server: MariadbServer) -> None:
    def of_primary() -> dict[str, Any]:
        return check_good(prober.run(spec(server)))

    def of_replica(username: str = "monitor") -> dict[str, Any]:
        return check_good(prober.run(spec(replica, username=username)))

    with server.replica() as replica:
        until(lambda: prober.run(spec(replica)).success, "the replica to have the user")
        until(lambda: of_replica().get("store_replication_lag") == 0, "the replica to have caught up")
        facts = of_replica()
        assert facts["store_role"] == "replica"
        assert not {"store_replicas", "store_accepts_writes"} & facts.keys()
        assert "store_role" not in of_replica("plain"), "this user cannot know it"
        until(lambda: of_primary()["store_replicas"] == 1, "the primary to know its replica")

        # Each thread stops alone, and then nobody knows how far the replica is behind.
        for thread in ("IO_THREAD", "SQL_THREAD"):
            replica.sql(f"STOP SLAVE {thread}")
            facts = of_replica()
            assert facts["store_replication_connected"] == 0
            assert "store_replication_lag" not in facts, "a lag that is NULL is no lag of 0"
            replica.sql("START SLAVE")
            until(lambda: of_replica().get("store_replication_lag") == 0, "the replica to go on")

        with replica.session() as session:
            session.say("FLUSH TABLES WITH READ LOCK; SELECT 'locked';")
            session.until("locked")
            server.sql("CREATE TABLE app.written (a int)")
            behind = until(lambda: of_replica().get("store_replication_lag", 0), "the replica to be behind")
            until(lambda: of_replica()["store_replication_lag"] > behind, "the lag to grow")
        until(lambda: of_replica().get("store_replication_lag") == 0, "the replica to catch up again")

        server.stop()
        until(lambda: of_replica()["store_replication_connected"] == 0, "the replica to be cut off")
        assert "store_replication_lag" not in of_replica()
        server.start()
        until(lambda: of_replica()["store_replication_connected"] == 1, "the replica to connect again")

        server.sql("CREATE TABLE app.numbered (a int PRIMARY KEY)")
        until(lambda: replica.sql("SHOW TABLES FROM app LIKE 'numbered'"), "the table to be replicated")
        replica.sql("INSERT INTO app.numbered VALUES (1)")
        server.sql("INSERT INTO app.numbered VALUES (1)")
        until(lambda: of_replica()["store_replication_connected"] == 0, "an error to stop the replication")
    until(lambda: of_primary()["store_replicas"] == 0, "the primary to miss it")


def test_tls(prober: Prober, server: MariadbServer, authority: Authority) -> None:
    trusted = TlsSpec(ca_file=str(authority.ca_file), min_version="1.3")
    facts = check_good(prober.run(spec(server, tls=trusted)))
    assert facts["tls_version"] == "TLS 1.3"
    assert facts["certificate_expiry"] > time.time()
    check_good(prober.run(spec(server, host="localhost", tls=trusted)), {"resolve", *ALL_PHASES})
    check_good(prober.run(spec(server, tls=TlsSpec(verify=False))))


def test_certificate_that_is_not_trusted(
    prober: Prober, server: MariadbServer, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "Another CA")
    result = prober.run(spec(server, tls=TlsSpec(ca_file=str(stranger.ca_file))))
    assert result.reason is Reason.CERTIFICATE, result
    assert set(result.phases) == {"connect"}
    assert float(result.facts["certificate_expiry"]) > time.time()
    named = TlsSpec(ca_file=str(authority.ca_file), server_name="db.test")
    assert prober.run(spec(server, tls=named)).reason is Reason.CERTIFICATE


@pytest.mark.parametrize("tls", [None, TlsSpec(verify=False)], ids=["clear", "TLS"])
@pytest.mark.parametrize("peer", ["server", "silence"])
def test_cancelled(peer: str, tls: TlsSpec | None, server: MariadbServer) -> None:
    """Cancel at each step of the loop during a complete run."""

    async def cancel_after(steps: int, asked: MysqlSpec) -> bool:
        running = asyncio.create_task(compile_probe(asked, Shared()).run(time.monotonic() + 30))
        for _ in range(steps):
            await asyncio.sleep(0 if steps % 2 else 0.0005)
        finished = running.done()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await close_resolver()
        return finished

    async def main(port: int) -> None:
        asked = spec(server, host="localhost", port=port, tls=tls)
        await cancel_after(1, asked)
        before = open_sockets()
        for steps in range(60):
            if await cancel_after(steps, asked):
                break
        await until_on_loop(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
        await until_on_loop(lambda: open_sockets() <= before, "sockets are left open")

    if peer == "server":
        uvloop.run(main(server.port))
        server.settle()
    else:
        with Server(silence) as other:
            uvloop.run(main(other.port))
