"""Readers of stores' answers accept any input: a result other than `internal`, within limits, and the same for the
same bytes however they arrive."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.probes.base import Reason
from exporter.saslprep import saslprep
from tests.probes.stores.fed import (
    MONGODB_ANSWERS,
    MY_LOGIN,
    MY_NO_CHANNELS,
    MY_OK,
    MY_SCRAMBLE,
    MY_SETTINGS,
    PG_LOGIN,
    PG_OK,
    PG_READY,
    PG_STATE,
    SPECS,
    WHOLE,
    bulk,
    fed,
    mongodb_answers,
    my,
    my_error,
    my_greeting,
    my_rows,
    my_text,
    my_values,
    pg,
    pg_error,
    pg_row,
)

if TYPE_CHECKING:
    from exporter.probes.base import ProbeResult

PASSWORD = "s3cret-v4lue"
HOLDS_LOOP_SECONDS = 0.5
"""Limit for a run with all of the answer available: far more than any of these need, less than a reader that hangs."""
GIBIBYTE = 1 << 30


def numbers(result: ProbeResult) -> dict[str, Any]:
    return {name: value for name, value in result.facts.items() if name.startswith("store_")}


@pytest.mark.parametrize("protocol", WHOLE)
def test_good_conversation(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the bytes that other tests damage are valid."""
    result = fed(monkeypatch, SPECS[protocol](None), [WHOLE[protocol]])
    assert result.success, result
    assert {"store_version", "store_role", "store_connections", "store_replicas"} <= result.facts.keys()


def message_of(kind: str, length: int) -> bytes:
    """Return the start of a message that claims to be long."""
    return kind.encode() + struct.pack("!I", length) + b"x" * 1000


HOSTILE: dict[str, tuple[str, str | None, bytes, Reason]] = {
    "pg: row of 1 GiB": ("postgresql", None, PG_LOGIN + message_of("D", GIBIBYTE), Reason.SIZE),
    "pg: row description of 1 GiB": ("postgresql", None, PG_LOGIN + message_of("T", GIBIBYTE), Reason.SIZE),
    "pg: error of 1 GiB": ("postgresql", None, PG_LOGIN + message_of("E", GIBIBYTE), Reason.SIZE),
    "pg: error of 1 GiB at login": ("postgresql", None, message_of("E", GIBIBYTE), Reason.SIZE),
    "pg: notice of 1 GiB at login": ("postgresql", None, message_of("N", GIBIBYTE), Reason.SIZE),
    "pg: setting of 1 GiB": ("postgresql", None, PG_OK + message_of("S", GIBIBYTE), Reason.SIZE),
    "pg: authentication of 1 GiB": ("postgresql", None, message_of("R", GIBIBYTE), Reason.PROTOCOL),
    "pg: negative length": ("postgresql", None, message_of("E", 0), Reason.PROTOCOL),
    "pg: notices without end": ("postgresql", None, pg("N", b"\0") * 200_000, Reason.SIZE),
    "pg: settings without end": ("postgresql", None, PG_OK + pg("S", b"a\0b\0") * 90_000, Reason.SIZE),
    "pg: rows without end": (
        "postgresql", None, PG_LOGIN + pg("T", b"\0\0") + pg("D", b"\0\0") * 140_000, Reason.SIZE
    ),
    "pg: many large messages": ("postgresql", None, PG_OK + pg("S", bytes(250_000)) * 9, Reason.SIZE),
    "pg: row longer than its message": (
        "postgresql", None, PG_LOGIN + pg("T", b"\0\1a\0" + bytes(18)) + pg("D", b"\0\1\x7f\0\0\0"), Reason.PROTOCOL
    ),
    "pg: value of negative length": (
        "postgresql", None, PG_LOGIN + pg("T", b"\0\1a\0" + bytes(18)) + pg("D", b"\0\1\x80\0\0\0"), Reason.PROTOCOL
    ),
    "pg: columns that are not there": ("postgresql", None, PG_LOGIN + pg("T", b"\xff\xff"), Reason.PROTOCOL),
    "pg: SCRAM without a password": ("postgresql", None, pg("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0"), Reason.LOGIN),
    "pg: another SASL": ("postgresql", PASSWORD, pg("R", b"\0\0\0\x0aEXTERNAL\0\0"), Reason.LOGIN),
    "pg: Kerberos": ("postgresql", PASSWORD, pg("R", b"\0\0\0\x07"), Reason.LOGIN),
    "pg: login that skips the proof": (
        "postgresql", PASSWORD, pg("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0") + PG_LOGIN, Reason.PROTOCOL
    ),
    "pg: out of processes": (
        "postgresql", None, b"Ecould not fork new process for connection: Cannot allocate memory\n", Reason.ANSWER
    ),
    "pg: SSH": ("postgresql", None, b"SSH-2.0-OpenSSH_9.2p1\r\n", Reason.PROTOCOL),
    "pg: RTSP": ("postgresql", None, b"RTSP/1.0 400 Bad Request\r\n", Reason.PROTOCOL),
    "pg: no state": ("postgresql", None, PG_LOGIN + PG_READY, Reason.PROTOCOL),
    "mysql: greeting of 16 MiB": ("mysql", None, b"\xff\xff\xff\0" + b"\x0a" * 1000, Reason.SIZE),
    "mysql: empty greeting": ("mysql", None, b"\0\0\0\0" + MY_LOGIN, Reason.PROTOCOL),
    "mysql: greeting that is cut off": ("mysql", None, my(0, b"\x0a8.4.3\0\1\0"), Reason.PROTOCOL),
    "mysql: greeting without capabilities": ("mysql", None, my_greeting(flags=0), Reason.PROTOCOL),
    "mysql: greeting of before 4.1": ("mysql", None, my(0, b"\x0a3.23\0" + bytes(15)), Reason.PROTOCOL),
    "mysql: protocol 9": ("mysql", None, my(0, b"\x093.20\0" + bytes(13)), Reason.PROTOCOL),
    "mysql: packet of another number": ("mysql", None, my_greeting() + my(5, MY_OK), Reason.PROTOCOL),
    "mysql: X protocol": ("mysql", None, b"\5\0\0\0\x0b\x08\5\x1a\0", Reason.PROTOCOL),
    "mysql: SSH": ("mysql", None, b"SSH-2.0-OpenSSH_9.2p1\r\n", Reason.PROTOCOL),
    "mysql: host is blocked": (
        "mysql", None, my_error(1129, "Host is blocked", 0, b""), Reason.LOGIN
    ),
    "mysql: too many connections": ("mysql", None, my_error(1040, "Too many connections", 0, b""), Reason.FULL),
    "mysql: error that is cut off": ("mysql", None, my(0, b"\xff\x10"), Reason.PROTOCOL),
    "mysql: password in clear": (
        "mysql", PASSWORD, my_greeting() + my(2, b"\xfemysql_clear_password\0"), Reason.LOGIN
    ),
    "mysql: password in clear at once": (
        "mysql", PASSWORD, my_greeting(plugin="mysql_clear_password") + my(2, b"\1\4"), Reason.PROTOCOL
    ),
    "mysql: dialog of PAM": ("mysql", PASSWORD, my_greeting() + my(2, b"\xfedialog\0\4Password: "), Reason.LOGIN),
    "mysql: login of before 4.1": ("mysql", PASSWORD, my_greeting() + my(2, b"\xfe"), Reason.LOGIN),
    "mysql: full login without TLS": ("mysql", PASSWORD, my_greeting() + my(2, b"\1\4"), Reason.LOGIN),
    "mysql: RSA key that nobody asked for": (
        "mysql", PASSWORD, my_greeting() + my(2, b"\1-----BEGIN PUBLIC KEY-----\n"), Reason.PROTOCOL
    ),
    "mysql: sha256_password without TLS": (
        "mysql", PASSWORD, my_greeting() + my(2, b"\xfesha256_password\0" + MY_SCRAMBLE + b"\0"), Reason.LOGIN
    ),
    "mysql: full login by another plugin": (
        "mysql", PASSWORD, my_greeting(plugin="mysql_native_password") + my(2, b"\1\4"), Reason.PROTOCOL
    ),
    "mysql: plugins without end": (
        "mysql", PASSWORD,
        my_greeting() + b"".join(my(n, b"\xfemysql_native_password\0" + MY_SCRAMBLE) for n in range(2, 100, 2)),
        Reason.PROTOCOL,
    ),
    "mysql: second factor": ("mysql", PASSWORD, my_greeting() + my(2, b"\2authentication_webauthn\0"), Reason.PROTOCOL),
    "mysql: asks for a file": ("mysql", None, MY_LOGIN + my(1, b"\xfb/etc/passwd"), Reason.PROTOCOL),
    "mysql: asks for a file later": (
        "mysql", None, MY_LOGIN + MY_SETTINGS + my(1, b"\xfb/etc/passwd"), Reason.PROTOCOL
    ),
    "mysql: row of 16 MiB": (
        "mysql", None, MY_LOGIN + my_rows(("a",))[:-9] + b"\xff\xff\xff\4" + b"x" * 1000, Reason.SIZE
    ),
    "mysql: columns without end": ("mysql", None, MY_LOGIN + my(1, b"\xfe" + b"\xff" * 8), Reason.SIZE),
    "mysql: 65,535 columns": ("mysql", None, MY_LOGIN + my(1, b"\xfc\xff\xff"), Reason.SIZE),
    "mysql: column that is cut off": ("mysql", None, MY_LOGIN + my(1, b"\1") + my(2, b"\3de"), Reason.PROTOCOL),
    "mysql: rows without end": (
        "mysql", None,
        MY_LOGIN + my_rows(("a",))[:-9] + b"".join(my(n & 0xFF, b"\1a") for n in range(4, 100_000)),
        Reason.SIZE,
    ),
    "mysql: value longer than its row": (
        "mysql", None, MY_LOGIN + my_rows(("a",))[:-9] + my(4, b"\xfe" + b"\xff" * 8), Reason.PROTOCOL
    ),
    "mysql: answers in several parts": (
        "mysql", None, MY_LOGIN + my_rows(("a",))[:-9] + my(4, b"\xfe\0\0\x0a\0"), Reason.PROTOCOL
    ),
    "mysql: no end of the columns": (
        "mysql", None, MY_LOGIN + my_rows(("a",))[:-18] + my(3, my_text("a")), Reason.PROTOCOL
    ),
    "mysql: many large packets": (
        "mysql", None,
        MY_LOGIN + my_rows(("a",))[:-9] + b"".join(my(n, my_text(bytes(250_000))) for n in range(4, 12)),
        Reason.SIZE,
    ),
    "mysql: must change the password": (
        "mysql", None, MY_LOGIN + my_error(1820, "You must reset your password"), Reason.LOGIN
    ),
    "redis: number for PING": ("redis", None, b":300000000\r\n", Reason.ANSWER),
    "redis: list for PING": ("redis", None, b"*1\r\n+PONG\r\n", Reason.ANSWER),
    "redis: nothing for PING": ("redis", None, b"$-1\r\n", Reason.ANSWER),
    "redis: number for INFO": ("redis", None, b"+PONG\r\n:300000000\r\n", Reason.PROTOCOL),
    "redis: list for INFO": ("redis", None, b"+PONG\r\n*2\r\n+a\r\n+b\r\n", Reason.PROTOCOL),
    "redis: nothing for INFO": ("redis", None, b"+PONG\r\n$-1\r\n", Reason.PROTOCOL),
    "redis: text of 1 GiB": ("redis", None, b"+PONG\r\n$%d\r\nx" % GIBIBYTE, Reason.SIZE),
    "redis: list of 2^31": ("redis", None, b"+PONG\r\n*2147483648\r\n", Reason.SIZE),
    "redis: list of lists of lists": ("redis", None, b"*9\r\n" * 100_000, Reason.PROTOCOL),
    "redis: many numbers": ("redis", None, b"*64\r\n" + b":1\r\n" * 200_000, Reason.PROTOCOL),
    "redis: negative length": ("redis", None, b"$-7\r\n", Reason.PROTOCOL),
    "redis: number of 4,000 digits": ("redis", None, b":" + b"9" * 4000 + b"\r\n", Reason.PROTOCOL),
    "redis: number with underscores": ("redis", None, b":1_0\r\n", Reason.PROTOCOL),
    "redis: line without end": ("redis", None, b"+" + b"x" * 900_000, Reason.PROTOCOL),
    "redis: number for AUTH": ("redis", PASSWORD, b":1\r\n", Reason.LOGIN),
    "mongodb: nested without end": (
        "mongodb", None,
        mongodb_answers(b"".join(struct.pack("<i", 200_000 - 8 * n) + b"\x03a\0" for n in range(24_000)) + bytes(9)),
        Reason.PROTOCOL,
    ),
    "mongodb: error that is no text": ("mongodb", None, mongodb_answers({"ok": 0, "errmsg": {"a": 1}}), Reason.ANSWER),
    "mongodb: ok that is text": ("mongodb", None, mongodb_answers({"ok": "1"}), Reason.PROTOCOL),
    "mongodb: reference that is none": (
        "mongodb", None, mongodb_answers({"ok": 1.0, "a": {"$ref": 1, "$id": 2}}), Reason.DISCONNECT
    ),
    "mongodb: message of 1 GiB": ("mongodb", None, struct.pack("<i", GIBIBYTE), Reason.PROTOCOL),
    "mongodb: message of 40 MB": ("mongodb", None, struct.pack("<i", 40_000_000), Reason.SIZE),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_server(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol, password, answer, reason = HOSTILE[name]
    pieces = [answer[at : at + 65536] for at in range(0, len(answer), 65536)]
    began = time.thread_time()
    result = fed(monkeypatch, SPECS[protocol](password), pieces)
    assert result.reason is reason, result
    assert time.thread_time() - began < HOLDS_LOOP_SECONDS


def scram(iterations: bytes) -> bytes:
    challenge = b"r=x,s=c2FsdA==,i=" + iterations
    return pg("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0") + pg("R", b"\0\0\0\x0b" + challenge)


@pytest.mark.parametrize("iterations", ["2147483647", "1000001", "0", "-1", "9" * 5000, "1_0", ""])
def test_logins_have_a_limit_of_work(iterations: str) -> None:
    """Check that a server cannot make the exporter compute for minutes."""
    from exporter.probes.base import ProbeFailure
    from exporter.probes.stores.scram import Exchange

    exchange = Exchange("SCRAM-SHA-256", "", min_iterations=1)
    nonce = exchange.first().partition(b"r=")[2]
    with pytest.raises(ProbeFailure, match=r"asks for \{\} iterations, not 1 to 1000000") as caught:
        exchange.challenge(b"r=%sx,s=c2FsdA==,i=%s" % (nonce, iterations.encode()))
    assert caught.value.reason is Reason.PROTOCOL


def test_other_nonce_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fed(monkeypatch, SPECS["postgresql"](PASSWORD), [scram(b"4096")])
    assert result.reason is Reason.PROTOCOL
    assert "does not belong to this login" in result.detail


NO_NUMBERS = (
    None,
    "",
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1",
    "text",
    "1_0",
    " 1",
    "\u0661",
    "0x10",
    "9" * 40,
)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_is_no_fact(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        pg_row(store_connections=value, store_connections_max=value),
        pg_row(store_replicas=value, store_replication_lag=value),
        pg_row(store_accepts_writes=value, store_writes_refused=value),
        pg_row(store_size=value),
    ]
    result = fed(monkeypatch, SPECS["postgresql"](None), [PG_LOGIN + PG_STATE + b"".join(answers)])
    assert result.success, result
    assert numbers(result) == {"store_version": "15.8", "store_role": "primary"}
    text = value or ""
    answers = [
        my_values(version="8.4.3", max_connections=text),
        MY_NO_CHANNELS,
        my_values(Threads_connected=text, Uptime=text),
        my_rows(("Host",)),
        my(1, MY_OK),
        my_rows(("store_size",), (value,)),
    ]
    result = fed(monkeypatch, SPECS["mysql"](None), [MY_LOGIN + b"".join(answers)])
    assert result.success, result
    assert numbers(result) == {
        "store_version": "8.4.3", "store_product": "mysql", "store_role": "primary", "store_replicas": 0
    }  # fmt: skip
    keys = (
        "connected_clients",
        "maxclients",
        "used_memory",
        "used_memory_dataset",
        "maxmemory",
        "connected_slaves",
    )
    info = "role:master\r\n" + "".join(f"{key}:{text}\r\n" for key in keys)
    answer = b"+PONG\r\n" + bulk(info) + b"*2\r\n" + bulk("maxclients") + bulk(text)
    result = fed(monkeypatch, SPECS["redis"](None), [answer])
    assert result.success, result
    assert numbers(result) == {"store_role": "primary"}


@pytest.mark.parametrize("value", [None, "12", float("nan"), float("inf"), -1, True, [1], {"a": 1}, b"1"])
def test_what_is_no_number_of_mongodb_is_no_fact(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hello, ping, build, _, members, _ = MONGODB_ANSWERS
    status = {"ok": 1.0, "connections": {"current": value, "available": value}}
    answer = mongodb_answers(
        hello, ping, {**build, "version": value}, status, members, {"ok": 1.0, "totalSize": value}
    )
    result = fed(monkeypatch, SPECS["mongodb"](None), [answer])
    assert result.success, result
    found = set(numbers(result)) - {"store_version"}
    assert found == {"store_role", "store_accepts_writes", "store_replicas"}


def test_server_cannot_make_up_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return chosen column names from the server: those that were not requested must be dropped."""
    state = pg_row(store_version="15.8", store_role="emperor", ip_addr="6.6.6.6", certificate_expiry="1")
    rest = pg_row(store_connections="3") + pg_row(store_size="1")
    result = fed(monkeypatch, SPECS["postgresql"](None), [PG_LOGIN + state + rest])
    assert result.success, result
    assert dict(result.facts) == {"store_version": "15.8", "store_connections": 3, "store_size": 1}


@pytest.mark.parametrize("protocol", WHOLE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_same_bytes_same_verdict(protocol: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feed valid conversations, damaged and cut short: whole, byte by byte, and in pieces of any size."""
    answer = bytearray(WHOLE[protocol])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(answer) - 1))
        answer[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=4))
        if not answer:
            break
    del answer[data.draw(st.integers(0, len(answer)), label="end") or len(answer) :]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    ways = [
        [bytes(answer)],
        [bytes([byte]) for byte in answer],
        [bytes(answer[a:b]) for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True) if a < b],
    ]
    results = [fed(monkeypatch, SPECS[protocol](None), pieces) for pieces in ways]
    assert results[0].reason is not Reason.INTERNAL, results[0]
    assert {(result.reason, repr(sorted(result.facts.items()))) for result in results} == {
        (results[0].reason, repr(sorted(results[0].facts.items())))
    }


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_passwords_are_prepared_as_pymongo_does(password: str) -> None:
    from pymongo.saslprep import saslprep as theirs

    def outcome(prepare: Any) -> str:
        try:
            return str(prepare(password))
        except ValueError:
            return "refused"
        except IndexError:  # raised by pymongo for a password that is empty after SASLprep
            return ""

    assert outcome(saslprep) == outcome(theirs)


def test_errors_without_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fed(monkeypatch, SPECS["postgresql"](None), [pg_error(C="no state", M="off")])
    assert (result.reason, result.detail) == (
        Reason.ANSWER, "the server answered the login of 'monitor' to 'app' with 'off'"
    )  # fmt: skip
