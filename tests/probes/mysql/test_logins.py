"""Logins and states of MySQL itself, with servers written from its manual, because Debian does not package it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.planning.specs import MysqlSpec, TlsSpec
from exporter.catalog.values.secret_text import SecretText
from exporter.probes.base import Reason
from tests.probes.mysql.stand_in import (
    CHANNEL,
    DENIED,
    STATUS,
    UNKNOWN_STATEMENT,
    MysqlStandIn,
    asked,
)
from tests.probes.servers import Server, silence
from tests.probes.stores.fed import MY_NO_CHANNELS, my_error, my_greeting, my_rows, my_values

if TYPE_CHECKING:
    from exporter.probes.base import ProbeResult
    from tests.probes.certificates import Authority, Certificate
    from tests.probes.prober import Prober
    from tests.probes.servers import Connection, Script

DEADLINE = 0.5
PASSWORD = "p4ss'w\\ord ü"


def ask(prober: Prober, script: Script, seconds: float = 5.0, **fields: Any) -> ProbeResult:
    with Server(script) as server:
        named = {
            "host": "127.0.0.1",
            "port": server.port,
            "username": "monitor",
            "password": SecretText((PASSWORD,)),
        }
        return prober.run(MysqlSpec(**{**named, **fields}), seconds)


def facts_of(prober: Prober, script: Script, **fields: Any) -> dict[str, Any]:
    result = ask(prober, script, **fields)
    assert result.success, result
    return {name: value for name, value in result.facts.items() if name.startswith("store_")}


@pytest.mark.parametrize(
    "plugin", ["caching_sha2_password", "mysql_native_password", "sha256_password", "unknown"]
)
def test_a_user_that_the_server_knows(plugin: str, prober: Prober) -> None:
    """Check that the plugin of the user counts, and not the one that the server proposes to everybody."""
    server = MysqlStandIn(PASSWORD, plugin, account="caching_sha2_password")
    assert ask(prober, server).success
    assert PASSWORD.encode() not in b"".join(server.received)


def test_a_user_without_a_password(prober: Prober) -> None:
    for plugin in ("caching_sha2_password", "sha256_password"):
        assert ask(prober, MysqlStandIn("", plugin), password=None).success


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "sha256_password"])
def test_the_password_itself_is_sent_over_tls_only(
    plugin: str, prober: Prober, authority: Authority, certificate: Certificate
) -> None:
    server = MysqlStandIn(PASSWORD, account=plugin, knows=False, tls=certificate.server_context())
    result = ask(prober, server)
    assert result.reason is Reason.LOGIN, result
    assert f"asks for the password itself ({plugin}" in result.detail
    assert "over TLS only: set tls on the store" in result.detail
    assert PASSWORD.encode() not in b"".join(server.received)

    secured = ask(prober, server, tls=TlsSpec(ca_file=str(authority.ca_file)))
    assert secured.success, secured
    assert server.received[-1] == PASSWORD.encode() + b"\0"
    if plugin == "caching_sha2_password":
        assert ask(prober, server).success, "the server knows the user now"
    wrong = ask(prober, server, tls=TlsSpec(verify=False), password=SecretText(("wrong",)))
    assert wrong.reason is Reason.LOGIN, wrong


def test_a_server_that_nobody_trusts_gets_nothing(prober: Prober, certificate: Certificate) -> None:
    server = MysqlStandIn(PASSWORD, knows=False, tls=certificate.server_context())
    assert ask(prober, server, tls=TlsSpec()).reason is Reason.CERTIFICATE
    assert not server.received


def test_a_server_without_tls(prober: Prober) -> None:
    server = MysqlStandIn(PASSWORD)
    result = ask(prober, server, tls=TlsSpec(verify=False))
    assert (result.reason, result.detail) == (Reason.TLS, "the server does not offer TLS")
    assert not server.received


@pytest.mark.parametrize(
    ("start", "reason", "words"),
    [
        (my_greeting() + b"not yet", Reason.TLS, "'not yet' came in plain text where TLS should begin"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.PROTOCOL, "not speak MySQL: 'HTTP/1.1 400"),
        (my_greeting(), Reason.TIMEOUT, "the TLS handshake"),
        (b"", Reason.TIMEOUT, "the greeting of the server"),
    ],
)
def test_what_comes_before_tls(start: bytes, reason: Reason, words: str, prober: Prober) -> None:
    def script(connection: Connection) -> None:
        connection.send(start)
        connection.until_closed()

    result = ask(prober, script, DEADLINE, tls=TlsSpec(verify=False))
    assert result.reason is reason, result
    assert words in result.detail
    assert set(result.phases) == {"connect"}


def test_facts_of_mysql(prober: Prober) -> None:
    replicas = my_rows(("Server_Id", "Host"), ("2", "db-2"), ("3", "db-3"))
    server = MysqlStandIn(PASSWORD, answers=asked(SHOW_REPLICA_STATUS=MY_NO_CHANNELS, SHOW_REPLICAS=replicas))
    assert facts_of(prober, server) == {
        "store_version": "8.4.3",
        "store_product": "mysql",
        "store_role": "primary",
        "store_connections": 3,
        "store_connections_max": 151,
        "store_uptime": 86400,
        "store_replicas": 2,
        "store_accepts_writes": 1,
        "store_size": 7_654_321,
    }
    assert server.statements[-2] == "SET SESSION information_schema_stats_expiry = 0"
    assert "MAX_EXECUTION_TIME(" in server.statements[-1]


def test_releases_before_8(prober: Prober) -> None:
    """Check the statements of these releases, and that a setting they lack changes nothing."""
    state = my_rows(
        ("Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master", "Channel_Name"),
        ("Yes", "Yes", "7", ""),
    )
    answers = asked({"version": "5.7.44-log"}, SHOW_SLAVE_STATUS=state)
    answers["SET SESSION"] = my_error(1193, "Unknown system variable")
    facts = facts_of(prober, MysqlStandIn(PASSWORD, "mysql_native_password", answers=answers))
    assert facts["store_version"] == "5.7.44-log"
    assert (facts["store_role"], facts["store_replication_lag"]) == ("replica", 7)
    assert facts["store_size"] == 7_654_321


CHANNELS: dict[str, tuple[list[tuple[str | None, ...]], dict[str, Any]]] = {
    "well": ([("", "Yes", "Yes", "0")], {"connected": 1, "lag": 0}),
    "connecting": ([("", "Connecting", "Yes", None)], {"connected": 0}),
    "stopped by an error": ([("", "Yes", "No", None)], {"connected": 0}),
    "furthest of two": ([("a", "Yes", "Yes", "3"), ("b", "Yes", "Yes", "40")], {"connected": 1, "lag": 40}),
    "one of two is cut off": ([("a", "Yes", "Yes", "0"), ("b", "No", "Yes", None)], {"connected": 0}),
    "nonsense": ([("", "Perhaps", "Yes", "-1")], {"connected": 0}),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_of_a_replica(name: str, prober: Prober) -> None:
    rows, expected = CHANNELS[name]
    facts = facts_of(
        prober, MysqlStandIn(PASSWORD, answers=asked(SHOW_REPLICA_STATUS=my_rows(CHANNEL, *rows)))
    )
    found = {
        "connected": facts.get("store_replication_connected"),
        "lag": facts.get("store_replication_lag"),
    }
    assert facts["store_role"] == "replica"
    assert {key: value for key, value in found.items() if value is not None} == expected
    assert not {"store_replicas", "store_accepts_writes"} & facts.keys()


GALERA = {"wsrep_on": "ON", "version": "10.11.6-MariaDB"}
STATES: dict[str, tuple[dict[str, str], dict[str, bytes], dict[str, Any]]] = {
    "read-only": (
        {"read_only": "ON", "super_read_only": "ON"},
        {"SHOW_REPLICA_STATUS": MY_NO_CHANNELS},
        {"role": "primary", "accepts_writes": 0, "writes_refused": "read_only"},
    ),
    "read-only in MariaDB 12": (
        {"version": "12.0.2-MariaDB", "read_only": "NO_LOCK"},
        {"SHOW_ALL_SLAVES_STATUS": MY_NO_CHANNELS},
        {"role": "primary", "accepts_writes": 0, "writes_refused": "read_only"},
    ),
    "read-only in a way that is not known": (
        {"read_only": "MAYBE"}, {"SHOW_REPLICA_STATUS": MY_NO_CHANNELS}, {"role": "primary"}
    ),
    "primary of a group": ({"group_replication_group_name": "a-b"}, {}, {"role": "primary", "accepts_writes": 1}),
    "secondary of a group": (
        {"group_replication_group_name": "a-b", "read_only": "ON", "super_read_only": "ON"}, {}, {"role": "replica"}
    ),
    "no group": (
        {"group_replication_group_name": ""},
        {"SHOW_REPLICA_STATUS": MY_NO_CHANNELS},
        {"role": "primary", "accepts_writes": 1},
    ),
    "reader of Aurora": ({"innodb_read_only": "ON"}, {"SHOW_REPLICA_STATUS": MY_NO_CHANNELS}, {}),
    "node of Galera": (
        GALERA,
        {"SHOW_ALL_SLAVES_STATUS": MY_NO_CHANNELS, "SHOW_GLOBAL_STATUS": my_values(**STATUS, wsrep_ready="ON")},
        {"role": "primary", "accepts_writes": 1},
    ),
    "node of Galera without a quorum": (
        GALERA,
        {"SHOW_ALL_SLAVES_STATUS": MY_NO_CHANNELS, "SHOW_GLOBAL_STATUS": my_values(**STATUS, wsrep_ready="OFF")},
        {"role": "primary", "accepts_writes": 0, "writes_refused": "cluster"},
    ),
    "may not be asked": ({}, {"SHOW_REPLICA_STATUS": DENIED}, {}),
    "knows no replication": ({"version": "8.0.11-TiDB-v8.5.0"}, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_states(name: str, prober: Prober) -> None:
    settings, answers, expected = STATES[name]
    facts = facts_of(prober, MysqlStandIn(PASSWORD, answers=asked(settings, **answers)))
    keys = ("role", "accepts_writes", "writes_refused", "replication_connected")
    assert {key: facts[f"store_{key}"] for key in keys if f"store_{key}" in facts} == expected


def test_a_server_that_answers_no_question(prober: Prober) -> None:
    result = ask(
        prober, MysqlStandIn(PASSWORD, answers={"SHOW": my_error(1047, "WSREP has not yet prepared node")})
    )
    assert (result.reason, result.detail) == (
        Reason.ANSWER, "the server answered with 'WSREP has not yet prepared node' (1047)"
    )  # fmt: skip
    assert UNKNOWN_STATEMENT


def test_silence(prober: Prober) -> None:
    result = ask(prober, silence, DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert "waiting for the greeting of the server" in result.detail


def greets_and_leaves(connection: Connection) -> None:
    connection.send(my_greeting())
    connection.socket.recv(65536)


def leaves(connection: Connection) -> None:
    connection.send(b"")


@pytest.mark.parametrize(
    ("script", "words"),
    [(leaves, "the greeting of the server"), (greets_and_leaves, "the answer to the login")],
)
def test_server_that_leaves(script: Script, words: str, prober: Prober) -> None:
    result = ask(prober, script, DEADLINE)
    assert result.reason is Reason.DISCONNECT, result
    assert f"connection closed before {words} was complete" in result.detail
