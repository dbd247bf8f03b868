"""PostgreSQL probes of a real server in good and bad states, and of servers that are not PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import struct
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from exporter.catalog.planning.specs import PostgresqlSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference, SecretText
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net import resolve
from exporter.probes.net.resolve import close_resolver
from tests.probes.certificates import Authority
from tests.probes.net.name_server import NameServer
from tests.probes.postgresql.server import MAX_CONNECTIONS, RESERVED, PostgresqlServer
from tests.probes.prober import open_sockets
from tests.probes.prober import until as until_on_loop
from tests.probes.servers import Connection, Script, Server, black_hole, silence
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Certificate
    from tests.probes.prober import Prober

DEADLINE = 0.5
PASSWORD = "pass'w\\ord ü"
FIRST_PHASES = {"connect", "login"}
ALL_PHASES = {"connect", "login", "query"}


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[PostgresqlServer]:
    with PostgresqlServer(certificate) as server:
        server.sql("CREATE ROLE plain LOGIN PASSWORD 'pass''w\\ord ü'")
        server.sql("CREATE ROLE monitor LOGIN PASSWORD 'pass''w\\ord ü' IN ROLE pg_monitor")
        server.sql("CREATE ROLE unwanted LOGIN PASSWORD 'pass''w\\ord ü'")
        server.sql("CREATE DATABASE app")
        server.sql("CREATE DATABASE closed")
        server.sql("REVOKE CONNECT ON DATABASE closed FROM public")
        yield server


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> SecretText:
    monkeypatch.setenv("TEST_POSTGRESQL_PASSWORD", PASSWORD)
    return SecretText((EnvironmentReference("TEST_POSTGRESQL_PASSWORD"),))


def spec(server: PostgresqlServer | Server, secret: SecretText | None, **fields: Any) -> PostgresqlSpec:
    named = {"host": "127.0.0.1", "port": server.port, "username": "monitor", "database": "app"}
    return PostgresqlSpec(**{"password": secret, **named, **fields})


def check_good(result: ProbeResult, phases: set[str] = ALL_PHASES) -> None:
    assert result.success, result
    assert set(result.phases) == phases


def test_good(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    expected_size = server.sql("SELECT sum(pg_database_size(oid))::bigint FROM pg_database")[0][0]
    version = server.sql("SHOW server_version")[0][0].split()[0]
    server.settle()
    with server.connection("app"), server.connection("app", "plain"):
        result = prober.run(spec(server, password))
    check_good(result)
    size = result.facts.pop("store_size")  # type: ignore[attr-defined] # a dict, whatever it promises
    assert size == pytest.approx(expected_size, rel=0.01)
    assert result.facts == {
        "ip_protocol": 4,
        "ip_addr": "127.0.0.1",
        "store_version": version,
        "store_role": "primary",
        "store_connections": 3,
        "store_connections_max": MAX_CONNECTIONS - RESERVED,
        "store_replicas": 0,
        "store_accepts_writes": 1,
    }
    until(lambda: server.backends() == 0, "the server to end the probe's process")


def test_good_by_name(
    prober: Prober, server: PostgresqlServer, password: SecretText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that every address of the name is tried, and that a silent one delays nothing."""
    with (
        black_hole("::1", server.port),
        NameServer({"db.test": ("::1", "127.0.0.1")}) as names,
    ):
        monkeypatch.setattr(resolve, "NAMESERVERS", [names.address])
        result = prober.run(spec(server, password, host="db.test"))
    check_good(result, {"resolve", *ALL_PHASES})
    assert result.facts["ip_addr"] == "127.0.0.1"


@pytest.mark.usefixtures("name_server")
def test_name_without_address(prober: Prober) -> None:
    result = prober.run(PostgresqlSpec("nowhere.test", 5432, "monitor", "app"))
    assert result.reason is Reason.RESOLVE, result


def test_password_of_a_file(prober: Prober, server: PostgresqlServer, tmp_path: Path) -> None:
    file = tmp_path / "password"
    secret = SecretText((FileReference(str(file)),))
    file.write_text(PASSWORD + "\n")
    assert prober.run(spec(server, secret)).success
    file.unlink()
    result = prober.run(spec(server, secret))
    assert result.reason is Reason.SECRET
    assert not result.phases
    file.write_text("a\0b")
    assert prober.run(spec(server, secret)).detail == "the password holds a NUL character"


def test_plain_role(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    """Check a role that cannot see other sessions, nor the size of a database it cannot access."""
    server.settle()
    with server.connection("app"), server.connection("app"):
        result = prober.run(spec(server, password, username="plain"))
    check_good(result)
    open_to_it = server.sql(
        "SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE datname <> 'closed'"
    )
    assert result.facts["store_size"] == pytest.approx(open_to_it[0][0], rel=0.01)
    assert result.facts["store_connections"] == 3
    assert result.facts["store_replicas"] == 0


def test_what_is_refused_is_absent(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    server.sql("REVOKE SELECT ON pg_stat_activity, pg_stat_replication FROM public", "app")
    server.sql("REVOKE EXECUTE ON FUNCTION pg_database_size(oid) FROM public", "app")
    try:
        result = prober.run(spec(server, password, username="plain"))
    finally:
        server.sql("GRANT SELECT ON pg_stat_activity, pg_stat_replication TO public", "app")
        server.sql("GRANT EXECUTE ON FUNCTION pg_database_size(oid) TO public", "app")
    check_good(result)
    assert set(result.facts) == {
        "ip_protocol", "ip_addr", "store_version", "store_role", "store_accepts_writes"
    }  # fmt: skip


def test_size_that_takes_too_long_fails_nothing(
    prober: Prober, server: PostgresqlServer, password: SecretText
) -> None:
    """Use a database in which the size function sleeps, because tests cannot create a million tables."""
    server.sql("CREATE DATABASE huge")
    with server.connection("huge") as connection:
        connection.execute("SET allow_system_table_mods = on")
        connection.execute(
            "ALTER FUNCTION pg_database_size(oid) RENAME TO pg_database_size_of_the_server; "
            "CREATE FUNCTION pg_catalog.pg_database_size(oid) RETURNS bigint LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_sleep(30); RETURN 1; END'"
        )
    probe = compile_probe(spec(server, password, database="huge"), Shared())
    results = [prober.wait(probe.run(time.monotonic() + 1)) for _ in range(2)]
    for result in results:
        check_good(result)
        assert "store_size" not in result.facts
        assert "store_connections" in result.facts
    assert results[0].duration_seconds > 0.4
    assert results[1].duration_seconds < 0.4, "the query was repeated at once"
    until(lambda: server.backends() == 0, "the server to give up the question")


LOGINS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown user": (
        {"username": "nobody"},
        r"login of 'nobody' to 'app': .*authentication failed.* \(28P01\)",
    ),
    "no database": ({"database": "nope"}, r"'database \"nope\" does not exist' \(3D000\)"),
    "closed database": ({"username": "plain", "database": "closed"}, r"permission denied.* \(42501\)"),
    "pg_hba.conf": ({"username": "unwanted"}, r"pg_hba.conf rejects connection.* \(28000\)"),
    "no password": ({"password": None}, "the server requires a password, but the catalog has none"),
    "wrong password": ({"password": SecretText(("wrong",))}, r"password authentication failed.* \(28P01\)"),
}


@pytest.mark.parametrize("name", LOGINS)
def test_refused_login(name: str, prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    fields, words = LOGINS[name]
    result = prober.run(spec(server, password, **fields))
    assert result.reason is Reason.LOGIN, result
    assert re.search(words, result.detail), result.detail
    assert set(result.phases) == FIRST_PHASES


def test_full(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    server.settle()
    with ExitStack() as connections:
        for _ in range(MAX_CONNECTIONS - RESERVED):
            connections.enter_context(server.connection("app", "plain"))
        result = prober.run(spec(server, password))
    assert result.reason is Reason.FULL, result
    assert "(53300)" in result.detail
    until(lambda: prober.run(spec(server, password)).success, "connections to be had again")


def test_refused_connection(prober: Prober, password: SecretText) -> None:
    port = free_port()
    result = prober.run(PostgresqlSpec("127.0.0.1", port, "monitor", "app", password))
    assert result.reason is Reason.CONNECT
    assert result.detail == f"cannot connect to 127.0.0.1:{port}: Connection refused"


def test_port_that_neither_accepts_nor_refuses(prober: Prober, password: SecretText) -> None:
    with black_hole("127.0.0.1") as port:
        result = prober.run(PostgresqlSpec("127.0.0.1", port, "monitor", "app", password), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert "connecting" in result.detail
    assert set(result.phases) == {"connect"}


def test_server_that_hangs(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    server.pause()
    try:
        plain = prober.run(spec(server, password), DEADLINE)
        secured = prober.run(spec(server, password, tls=TlsSpec(verify=False)), DEADLINE)
    finally:
        server.resume()
    assert plain.reason is secured.reason is Reason.TIMEOUT
    assert "waiting for the answer to the login" in plain.detail
    assert set(plain.phases) == FIRST_PHASES
    assert "TLS handshake" in secured.detail
    assert set(secured.phases) == {"connect"}
    until(lambda: server.backends() == 0, "the server to notice that the probes have left")


def test_server_that_shuts_down(prober: Prober, certificate: Certificate, password: SecretText) -> None:
    """Check that a server that waits for a client before it stops refuses other clients and says so."""
    with PostgresqlServer(certificate) as server, server.connection():
        server.shut_down_when_all_have_left()
        result = prober.run(spec(server, password))
        assert result.reason is Reason.ANSWER, result
        assert "'the database system is shutting down' (57P03)" in result.detail


def lag(result: ProbeResult) -> float:
    assert result.success, result
    return float(result.facts.get("store_replication_lag", -1))


def test_replica(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    def of_primary(username: str = "monitor") -> ProbeResult:
        return prober.run(spec(server, password, username=username))

    def of_replica() -> ProbeResult:
        return prober.run(spec(replica, password))

    with server.replica() as replica:
        until(lambda: server.sql("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"), "streaming")
        server.sql("CREATE TABLE IF NOT EXISTS written (at timestamptz)")
        until(lambda: lag(of_replica()) == 0, "the replica to have caught up")
        assert of_replica().facts["store_role"] == "replica"
        assert "store_replicas" not in of_replica().facts
        until(lambda: of_primary().facts.get("store_replicas") == 1, "the primary to know its replica")
        until(lambda: lag(of_primary()) >= 0, "the primary to know how far it is")
        assert "store_replicas" not in of_primary("plain").facts, (
            "the role must not see what these sessions do"
        )
        assert "store_replication_lag" not in of_primary("plain").facts

        replica.sql("SELECT pg_wal_replay_pause()")
        server.sql("INSERT INTO written VALUES (now())")
        behind = until(lambda: max(lag(of_replica()), 0), "the replica to be behind")
        until(lambda: lag(of_replica()) >= behind + 0.5, "the lag to grow")
        assert lag(prober.run(spec(replica, password, username="plain"))) > behind
        replica.sql("SELECT pg_wal_replay_resume()")
        until(lambda: lag(of_replica()) == 0, "the replica to catch up again")

        replica.set("primary_conninfo = ''")
        until(lambda: lag(of_replica()) > 0, "the replica to notice that nothing comes any more")
    until(lambda: of_primary().facts["store_replicas"] == 0, "the primary to miss it")


def test_read_only(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    def facts() -> dict[str, Any]:
        result = prober.run(spec(server, password, username="plain"))
        assert result.success, result
        return dict(result.facts)

    server.set("default_transaction_read_only = on")
    try:
        until(lambda: facts().get("store_accepts_writes") == 0, "the server to be read-only")
        assert facts()["store_writes_refused"] == "read_only"
    finally:
        with server.connection() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
    until(lambda: facts().get("store_accepts_writes") == 1, "the server to take writes")
    assert "store_writes_refused" not in facts()
    server.sql("ALTER ROLE plain SET default_transaction_read_only = on")
    assert "store_accepts_writes" not in facts(), "only the probe's own role is read-only"
    server.sql("ALTER ROLE plain RESET default_transaction_read_only")


def test_tls(prober: Prober, server: PostgresqlServer, password: SecretText, authority: Authority) -> None:
    trusted = TlsSpec(ca_file=str(authority.ca_file), min_version="1.3")
    result = prober.run(spec(server, password, tls=trusted))
    check_good(result)
    assert result.facts["tls_version"] == "TLS 1.3"
    assert float(result.facts["certificate_expiry"]) > time.time()
    by_name = prober.run(spec(server, password, host="localhost", tls=trusted))
    check_good(by_name, {"resolve", *ALL_PHASES})
    check_good(prober.run(spec(server, password, tls=TlsSpec(verify=False))))
    named = TlsSpec(ca_file=str(authority.ca_file), server_name="localhost")
    check_good(prober.run(spec(server, password, tls=named)))


def test_client_certificate(
    prober: Prober, server: PostgresqlServer, password: SecretText, authority: Authority
) -> None:
    """Check that a client certificate does no harm if TLS does not ask for it."""
    client = authority.issue("monitor")
    client.key.chmod(0o600)
    tls = TlsSpec(ca_file=str(authority.ca_file), certificate_file=str(client.cert), key_file=str(client.key))
    check_good(prober.run(spec(server, password, tls=tls)))


def test_certificate_that_is_not_trusted(
    prober: Prober,
    server: PostgresqlServer,
    password: SecretText,
    authority: Authority,
    tmp_path: Path,
) -> None:
    stranger = Authority(tmp_path, "Another CA")
    result = prober.run(spec(server, password, tls=TlsSpec(ca_file=str(stranger.ca_file))))
    assert result.reason is Reason.CERTIFICATE, result
    assert "unable to get local issuer certificate" in result.detail
    assert set(result.phases) == {"connect"}
    named = TlsSpec(ca_file=str(authority.ca_file), server_name="db.test")
    result = prober.run(spec(server, password, tls=named))
    assert result.reason is Reason.CERTIFICATE, result
    assert "db.test" in result.detail


def test_expired_certificate(prober: Prober, password: SecretText, authority: Authority) -> None:
    """Use a test server, which only needs to reach the handshake."""
    expired = authority.issue("127.0.0.1", expired=True)

    def script(connection: Connection) -> None:
        connection.socket.recv(8)
        connection.send(b"S")
        connection.start_tls(expired.server_context())
        connection.until_closed()

    with Server(script) as other:
        result = prober.run(spec(other, password, tls=TlsSpec(ca_file=str(authority.ca_file))))
    assert result.reason is Reason.CERTIFICATE, result
    assert result.detail == "certificate of 127.0.0.1: certificate has expired"


def test_server_without_tls(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    server.set("ssl = off")
    try:
        ask = spec(server, password, tls=TlsSpec(verify=False))
        until(lambda: not prober.run(ask).success, "TLS to be off")
        result = prober.run(ask)
    finally:
        server.set("ssl = on")
    assert result.reason is Reason.TLS
    assert result.detail == "the server does not offer TLS"


def test_authorities_of_the_machine(prober: Prober, server: PostgresqlServer, password: SecretText) -> None:
    """Check the system's authorities, which exist but do not include the test's."""
    result = prober.run(spec(server, password, tls=TlsSpec()))
    assert result.reason is Reason.CERTIFICATE, result


def test_certificate_files_that_cannot_be_used_are_errors_of_the_load(tmp_path: Path) -> None:
    from exporter.probes.tls.handshake import TlsError

    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(TlsError, match=r"cannot use .*ca.pem"):
        compile_probe(
            PostgresqlSpec("h", 1, "u", "d", tls=TlsSpec(ca_file=str(tmp_path / "ca.pem"))), Shared()
        )
    with pytest.raises(ValueError, match="the database holds a NUL character"):
        compile_probe(PostgresqlSpec("h", 1, "u", "d\0"), Shared())


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (b"Snot yet", Reason.TLS, "'not yet' came in plain text where TLS should begin"),
        (b"N", Reason.TLS, "the server does not offer TLS"),
        (b"E" + struct.pack("!I", 20) + b"SFATAL\0Mwords\0\0\0", Reason.PROTOCOL, "not speak PostgreSQL: 'E"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.PROTOCOL, "not speak PostgreSQL: 'HTTP/1.1 400"),
        (b"S", Reason.TIMEOUT, "the TLS handshake"),
        (b"", Reason.TIMEOUT, "the TLS handshake"),
    ],
)
def test_answers_to_the_question_for_tls(answer: bytes, reason: Reason, words: str, prober: Prober) -> None:
    def script(connection: Connection) -> None:
        connection.socket.recv(8)
        connection.send(answer)
        connection.until_closed()

    with Server(script) as other:
        result = prober.run(spec(other, None, tls=TlsSpec(verify=False)), DEADLINE)
    assert result.reason is reason, result
    assert words in result.detail
    assert set(result.phases) == {"connect"}


OK = b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I"
ROW = b"T" + struct.pack("!IH", 6, 0) + b"C\0\0\0\x0bSELECT\0" + b"Z\0\0\0\x05I"


def fatal(words: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0CXX000\0M{words}\0\0".encode()
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


def says(*answers: bytes) -> Script:
    """Send the next answer for each message, and then nothing more."""

    def script(connection: Connection) -> None:
        for answer in answers:
            connection.socket.recv(65536)
            connection.send(answer)
        connection.until_closed()

    return script


def leaves(*answers: bytes) -> Script:
    def script(connection: Connection) -> None:
        for answer in answers:
            connection.socket.recv(65536)
            connection.send(answer)
        connection.socket.recv(65536)

    return script


MISBEHAVIOURS: dict[str, tuple[Script, Reason, str, set[str]]] = {
    "silent": (silence, Reason.TIMEOUT, "waiting for the answer to the login", FIRST_PHASES),
    "silent after the login": (says(OK), Reason.TIMEOUT, "waiting for the answer", ALL_PHASES),
    "leaves at once": (leaves(), Reason.DISCONNECT, "closed before the answer to the login", FIRST_PHASES),
    "leaves after the login": (leaves(OK), Reason.DISCONNECT, "closed before the answer to a", ALL_PHASES),
    "HTTP": (
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Reason.PROTOCOL,
        "not speak PostgreSQL",
        FIRST_PHASES,
    ),
    "SMTP": (says(b"220 mx.test ESMTP\r\n"), Reason.PROTOCOL, "not speak PostgreSQL", FIRST_PHASES),
    "Redis": (says(b"-ERR unknown command\r\n"), Reason.PROTOCOL, "not speak PostgreSQL", FIRST_PHASES),
    "garbage after the login": (says(OK, b"\0" * 100), Reason.PROTOCOL, "not speak", ALL_PHASES),
    "no row": (says(OK, ROW), Reason.PROTOCOL, "no row", ALL_PHASES),
    "copies": (says(OK, b"G\0\0\0\x07\0\0\0"), Reason.PROTOCOL, "not speak PostgreSQL: 'G", ALL_PHASES),
    "dies": (says(OK, fatal("out of\npaper")), Reason.ANSWER, r"'out of\npaper' (XX000)", ALL_PHASES),
    "repeats the password": (says(fatal(f"is it {PASSWORD}?")), Reason.ANSWER, "is it ***?", FIRST_PHASES),
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_misbehaviour(
    name: str, prober: Prober, password: SecretText, caplog: pytest.LogCaptureFixture
) -> None:
    """Use test servers, because real ones do not misbehave."""
    caplog.set_level(logging.DEBUG)
    script, reason, words, phases = MISBEHAVIOURS[name]
    with Server(script) as other:
        result = prober.run(spec(other, password), DEADLINE)
    assert result.reason is reason, result
    assert words in result.detail
    assert set(result.phases) == phases
    assert PASSWORD not in caplog.text + repr(result)


METHODS = {"of_md5": "md5", "of_text": "scram-sha-256"}
"""Users with their own method in pg_hba.conf, and how the server stores their passwords."""


@pytest.mark.parametrize("user", METHODS)
def test_other_ways_to_log_in(
    user: str, prober: Prober, server: PostgresqlServer, password: SecretText
) -> None:
    with server.connection() as connection:
        connection.execute("SELECT set_config('password_encryption', %s, false)", [METHODS[user]])
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pass''w\\ord ü'".encode())
    check_good(prober.run(spec(server, password, username=user)))
    wrong = prober.run(spec(server, SecretText(("wrong",)), username=user))
    assert wrong.reason is Reason.LOGIN, wrong
    assert "(28P01)" in wrong.detail


def test_nothing_of_the_environment_is_used(
    prober: Prober, server: PostgresqlServer, password: SecretText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that none of the roughly thirty variables that libpq clients read is used."""
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.setenv(name, "bogus")
    check_good(prober.run(spec(server, password)))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert prober.run(spec(server, None)).reason is Reason.LOGIN


def cancelling(server_port: int, tls: TlsSpec | None, password: SecretText) -> PostgresqlSpec:
    return PostgresqlSpec("localhost", server_port, "monitor", "app", password, tls)


@pytest.mark.parametrize("tls", [None, TlsSpec(verify=False)], ids=["clear", "TLS"])
@pytest.mark.parametrize("peer", ["server", "silence"])
def test_cancelled(peer: str, tls: TlsSpec | None, server: PostgresqlServer, password: SecretText) -> None:
    """Cancel at each step of the loop during a complete run."""

    async def cancel_after(steps: int, asked: PostgresqlSpec) -> bool:
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
        asked = cancelling(port, tls, password)
        await cancel_after(1, asked)
        before = open_sockets()
        for steps in range(60):
            if await cancel_after(steps, asked):
                break
        await until_on_loop(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
        await until_on_loop(lambda: open_sockets() <= before, "sockets are left open")

    if peer == "server":
        uvloop.run(main(server.port))
        until(lambda: server.backends() == 0, "the server to see them leave")
    else:
        with Server(silence) as other:
            uvloop.run(main(other.port))
