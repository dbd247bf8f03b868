"""The Redis probe with a real Redis, and with test servers for faults that a real one does not produce on demand."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import RedisSpec, TlsSpec
from exporter.catalog.values.secret_text import EnvironmentReference, FileReference, SecretText
from exporter.probes.base import Reason
from tests.probes.redis.server import PASSWORD, PONG, RedisServer, answers, secret, spec
from tests.probes.servers import Server, silence
from tests.waiting import until as wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.net.name_server import NameServer
    from tests.probes.prober import Prober

DEADLINE = 0.4
WHOLE = {
    "store_version",
    "store_product",
    "store_uptime",
    "store_role",
    "store_connections",
    "store_connections_max",
    "store_size",
    "store_memory_used",
    "store_memory_policy",
    "store_out_of_memory_errors",
    "store_accepts_writes",
}


def store_facts(result: ProbeResult) -> set[str]:
    return {name for name in result.facts if name.startswith("store_")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run a server whose default user has a password; the other users have fewer and fewer permissions."""
    users = (
        f"watcher on >{PASSWORD} -@all +ping +info",
        f"pinger on >{PASSWORD} -@all +ping",
        f"nobody on >{PASSWORD} -@all",
    )
    folder = tmp_path_factory.mktemp("redis")
    with RedisServer(folder, users=users, requirepass=PASSWORD, maxclients="100") as server:
        yield server


def test_all_that_it_says(prober: Prober, server: RedisServer) -> None:
    with server.client() as client:
        client.ping()
        client.set("key", "x" * 1_000_000)
        result = prober.run(spec(server, password=PASSWORD))
        client.delete("key")
    assert result.success, result
    assert list(result.phases) == ["connect", "login", "query"]
    assert store_facts(result) == {*WHOLE, "store_replicas"}
    facts = result.facts
    assert facts["store_version"] == server.run("INFO", "server")["redis_version"]
    assert facts["store_product"] == "redis"
    assert facts["store_role"] == "primary"
    assert facts["store_connections"] == 2
    assert facts["store_connections_max"] == 100
    assert 1_000_000 < float(facts["store_size"]) < 10_000_000
    assert facts["store_replicas"] == 0


def test_user_of_an_access_list(prober: Prober, server: RedisServer) -> None:
    result = prober.run(spec(server, "watcher", PASSWORD))
    assert result.success, result
    assert store_facts(result) == {*WHOLE, "store_replicas"}


def test_user_that_may_only_ping(prober: Prober, server: RedisServer) -> None:
    """Check that PING succeeds and values that were not readable are omitted."""
    result = prober.run(spec(server, "pinger", PASSWORD))
    assert result.success, result
    assert not store_facts(result)


@pytest.mark.parametrize(
    ("username", "password", "phase", "detail"),
    [
        (None, None, "query", "requires a password, but the catalog has none: 'Authentication required.'"),
        (
            None,
            "wrong",
            "login",
            "refused the login of the default user: 'invalid username-password pair or user",
        ),
        (
            "watcher",
            "wrong",
            "login",
            "refused the login of the user watcher: 'invalid username-password pair",
        ),
        ("stranger", PASSWORD, "login", "refused the login of the user stranger"),
        ("nobody", PASSWORD, "query", "the user nobody has no permission for PING: .*no permissions"),
    ],
)
def test_refused(
    username: str | None, password: str | None, phase: str, detail: str, prober: Prober, server: RedisServer
) -> None:
    result = prober.run(spec(server, username, password))
    assert result.reason is Reason.LOGIN, result
    assert re.search(detail, result.detail), result.detail
    assert list(result.phases)[-1] == phase
    assert not store_facts(result)


def test_password_where_none_is_set(prober: Prober, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        assert prober.run(spec(server)).success
        result = prober.run(spec(server, password=PASSWORD))
    assert result.reason is Reason.LOGIN
    assert "without any password configured for the default user" in result.detail


def test_full(prober: Prober, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", maxclients="2", requirepass=PASSWORD) as server:
        with server.client() as one, server.client() as two:
            one.ping()
            two.ping()
            for given in (None, PASSWORD):
                result = prober.run(spec(server, password=given))
                assert result.reason is Reason.FULL, result
                assert result.detail == "Redis accepts no more connections: 'max number of clients reached'"
        wait_until(lambda: prober.run(spec(server, password=PASSWORD)).success, "a free connection")


def test_frozen(prober: Prober, server: RedisServer) -> None:
    """Check a process that hangs: the kernel still accepts its connections."""
    with server.frozen():
        login = prober.run(spec(server, password=PASSWORD), DEADLINE)
        query = prober.run(spec(server), DEADLINE)
    assert login.reason is query.reason is Reason.TIMEOUT
    assert (
        login.detail == f"timed out after 0.4 s waiting for the answer to AUTH (127.0.0.1 port {server.port})"
    )
    assert list(login.phases) == ["connect", "login"]
    assert (
        query.detail == f"timed out after 0.4 s waiting for the answer to PING (127.0.0.1 port {server.port})"
    )
    assert list(query.phases) == ["connect", "query"]
    assert prober.run(spec(server, password=PASSWORD)).success


def test_name(prober: Prober, server: RedisServer, name_server: NameServer) -> None:
    missing = prober.run(RedisSpec("cache.test", server.port))
    assert missing.reason is Reason.RESOLVE
    name_server.names["cache.test"] = ("127.0.0.1",)
    result = prober.run(RedisSpec("cache.test", server.port, password=secret(PASSWORD)))
    assert result.success, result
    assert list(result.phases) == ["resolve", "connect", "login", "query"]


def test_replica(prober: Prober, tmp_path: Path) -> None:
    """Check that it answers when its primary does not; the lag shows it."""

    def lag(minimum: float) -> float | None:
        result = prober.run(spec(replica))
        assert result.success, result
        found = float(result.facts["store_replication_lag"])
        return found if found >= minimum else None

    def replicating() -> bool:
        result = prober.run(spec(primary))
        return result.facts.get("store_replicas") == 1 and "store_replication_lag" in result.facts

    with (
        RedisServer(tmp_path / "primary", repl_diskless_sync_delay="0") as primary,
        RedisServer(tmp_path / "replica", replicaof=f"127.0.0.1 {primary.port}") as replica,
    ):
        wait_until(replicating, "a replica that is online")
        result = prober.run(spec(primary))
        assert result.facts["store_role"] == "primary"
        assert 0 <= float(result.facts["store_replication_lag"]) < 10
        assert result.facts["store_connections"] == 2  # those of the replica and the probe
        result = prober.run(spec(replica))
        assert result.facts["store_role"] == "replica"
        assert "store_replicas" not in result.facts
        assert 0 <= float(result.facts["store_replication_lag"]) < 12
        with primary.frozen():
            before = float(prober.run(spec(replica)).facts["store_replication_lag"])
            wait_until(lambda: lag(before + 2), "the lag to grow while the primary is frozen")
        with replica.frozen():
            wait_until(
                lambda: float(prober.run(spec(primary)).facts["store_replication_lag"]) >= 2,
                "the primary to see its replica behind",
            )
        primary.stop()
        wait_until(
            lambda: replica.run("INFO", "replication")["master_link_status"] == "down",
            "the link to be down",
        )
        wait_until(lambda: lag(2), "the lag to grow while the link is down")


def test_loading(prober: Prober, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    with RedisServer(folder, key_load_delay="5000", loading_process_events_interval_bytes="1024") as server:
        server.run("DEBUG", "POPULATE", "10000", "key", "100")
        server.run("SAVE")
        server.stop()
        server.start()
        wait_until(
            lambda: prober.run(spec(server)).reason is not Reason.CONNECT, "Redis to accept connections again"
        )
        result = prober.run(spec(server))
    assert result.reason is Reason.ANSWER, result
    assert result.detail == "the answer to PING is an error: 'Redis is loading the dataset in memory'"


def test_cannot_save(prober: Prober, tmp_path: Path) -> None:
    """Check MISCONF: Redis accepts no writes while it cannot save, and reports it to PING."""
    folder = tmp_path / "redis"
    with RedisServer(folder, save="3600 1") as server:
        (folder / "dump.rdb").mkdir()
        server.run("BGSAVE")
        wait_until(
            lambda: server.run("INFO", "persistence")["rdb_last_bgsave_status"] != "ok", "a save that fails"
        )
        result = prober.run(spec(server))
    assert result.reason is Reason.ANSWER, result
    assert "MISCONF Redis is configured to save RDB snapshots" in result.detail


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("redis-tls")
    with RedisServer(folder, certificate=certificate, requirepass=PASSWORD) as server:
        yield server


def test_tls(prober: Prober, secured: RedisServer, authority: Authority, certificate: Certificate) -> None:
    tls = TlsSpec(ca_file=str(authority.ca_file))
    result = prober.run(RedisSpec("127.0.0.1", secured.port, password=secret(PASSWORD), tls=tls))
    assert result.success, result
    assert list(result.phases) == ["connect", "login", "query"]
    assert result.facts["tls_version"] == "TLS 1.3"
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert store_facts(result) >= WHOLE


def test_tls_that_is_not_trusted(prober: Prober, secured: RedisServer, certificate: Certificate) -> None:
    result = prober.run(RedisSpec("127.0.0.1", secured.port, tls=TlsSpec()))
    assert result.reason is Reason.CERTIFICATE
    assert result.facts["certificate_expiry"] == certificate.not_after
    assert list(result.phases) == ["connect"]


def test_tls_of_another_name(prober: Prober, secured: RedisServer, authority: Authority) -> None:
    tls = TlsSpec(ca_file=str(authority.ca_file), server_name="other.test")
    result = prober.run(RedisSpec("127.0.0.1", secured.port, tls=tls))
    assert result.reason is Reason.CERTIFICATE
    assert "certificate of other.test" in result.detail


def test_tls_where_there_is_none(prober: Prober, server: RedisServer) -> None:
    """Check a Redis without TLS: it reads the handshake as the start of a line and waits for its end, which the
    handshake may contain by chance."""
    result = prober.run(RedisSpec("127.0.0.1", server.port, tls=TlsSpec()), DEADLINE)
    assert result.reason in (Reason.TIMEOUT, Reason.TLS), result
    assert "TLS handshake" in result.detail


def test_no_tls_where_there_is(prober: Prober, secured: RedisServer) -> None:
    result = prober.run(spec(secured))
    assert result.reason in (Reason.DISCONNECT, Reason.PROTOCOL), result


def test_tls_that_never_answers(prober: Prober) -> None:
    with Server(silence) as server:
        result = prober.run(RedisSpec("127.0.0.1", server.port, tls=TlsSpec()), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert "waiting for the TLS handshake" in result.detail
    assert list(result.phases) == ["connect"]


def bulk(text: str) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text.encode())


def test_releases_before_7(prober: Prober) -> None:
    """Check that CONFIG GET, which may be refused, is used: their INFO has no `maxclients`. Debian has no release so
    old."""
    info = bulk("# Server\r\nredis_version:6.0.16\r\n# Clients\r\nconnected_clients:3\r\nrole:master\r\n")
    config = b"*2\r\n" + bulk("maxclients") + bulk("4064")
    refused = b"-NOPERM this user has no permissions to run the 'config' command\r\n"
    for reply, known in ((config, {"store_connections_max"}), (refused, set())):
        with Server(answers(PONG, info, reply)) as server:
            result = prober.run(spec(server))
        assert result.success, result
        assert store_facts(result) == {
            "store_version", "store_product", "store_role", "store_connections", *known
        }  # fmt: skip
        assert result.facts.get("store_connections_max") == (4064 if known else None)


ONE_ARGUMENT = b"-ERR wrong number of arguments for 'auth' command\r\n"


def test_releases_before_6(prober: Prober) -> None:
    """Check AUTH with only a password: these releases have no users."""
    with Server(
        answers(ONE_ARGUMENT, b"+OK\r\n", PONG, bulk("redis_version:5.0.7\r\nmaxclients:9\r\n"))
    ) as server:
        result = prober.run(spec(server, "watcher", PASSWORD))
    assert result.success, result
    assert result.facts["store_version"] == "5.0.7"


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (b"-ERR invalid password\r\n", "refused the login of the default user: 'invalid password'"),
        (
            b"-ERR Client sent AUTH, but no password is set\r\n",
            "refused the login of the default user: 'Client sent",
        ),
        (ONE_ARGUMENT, 'refused the login of the default user: "wrong number of arguments'),
        (b"+QUEUED\r\n", "the answer to the login of the default user is 'QUEUED'"),
        (b":1\r\n", "the answer to the login of the default user is a int"),
    ],
)
def test_refused_by_other_words(reply: bytes, detail: str, prober: Prober) -> None:
    with Server(answers(reply, reply)) as server:
        result = prober.run(spec(server, password=PASSWORD))
    assert result.reason is Reason.LOGIN, result
    assert detail in result.detail


def test_valkey(prober: Prober) -> None:
    """Check the version: Valkey reports a compatible Redis version next to its own. Debian 12 has no Valkey."""
    info = bulk(
        "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\nmaxclients:9\r\nrole:slave\r\n"
    )
    with Server(answers(PONG, info)) as server:
        result = prober.run(spec(server))
    assert result.success, result
    assert result.facts["store_version"] == "8.0.1"
    assert result.facts["store_product"] == "valkey"
    assert result.facts["store_role"] == "replica"


def test_secrets_are_read_at_each_run(
    prober: Prober, server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    from_file = RedisSpec("127.0.0.1", server.port, password=SecretText((FileReference(str(file)),)))
    file.write_text("old\n")
    assert prober.run(from_file).reason is Reason.LOGIN
    file.write_text(f"{PASSWORD}\n")
    assert prober.run(from_file).success
    file.unlink()
    result = prober.run(from_file)
    assert result.reason is Reason.SECRET
    assert result.detail == f"secret file {file} cannot be read: No such file or directory"
    assert not result.phases  # nothing was sent

    from_environment = RedisSpec(
        "127.0.0.1", server.port, password=SecretText((EnvironmentReference("TEST_REDIS_PASSWORD"),))
    )
    monkeypatch.setenv("TEST_REDIS_PASSWORD", PASSWORD)
    assert prober.run(from_environment).success
    monkeypatch.setenv("TEST_REDIS_PASSWORD", "caf\udce9")
    assert prober.run(from_environment).detail == "environment variable TEST_REDIS_PASSWORD is not UTF-8 text"
    monkeypatch.delenv("TEST_REDIS_PASSWORD")
    assert prober.run(from_environment).detail == "environment variable TEST_REDIS_PASSWORD is not set"


@pytest.mark.parametrize("password", [PASSWORD, PASSWORD * 20], ids=["short", "longer than Redis repeats"])
def test_password_that_the_server_repeats(
    password: str, prober: Prober, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Check a renamed AUTH: Redis repeats the arguments of unknown commands."""
    caplog.set_level(logging.DEBUG)
    with RedisServer(tmp_path / "redis", rename_command='AUTH ""') as server:
        result = prober.run(spec(server, password=password))
    assert result.reason is Reason.ANSWER, result
    assert "unknown command" in result.detail
    assert PASSWORD not in result.detail + repr(result) + caplog.text
