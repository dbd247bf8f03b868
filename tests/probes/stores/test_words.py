"""Details, facts and log lines of store probes: no secret that the store repeats, and nothing that acts on a
terminal. A marker is put into every text of each protocol."""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from exporter.catalog.planning.specs import SqliteSpec
from exporter.probes.base import Reason
from tests.probes.stores.fed import (
    MONGODB_ANSWERS,
    MY_LOGIN,
    MY_SETTINGS,
    PG_LOGIN,
    PG_STATE,
    REDIS_INFO,
    SPECS,
    bulk,
    fed,
    mongodb_answers,
    my,
    my_error,
    my_greeting,
    my_rows,
    my_values,
    pg,
    pg_error,
    pg_row,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.probes.base import ProbeResult
    from tests.probes.prober import Prober

PASSWORD = "pa55/w0rd+of&the=store ü"
MOST = 600
"""Characters of a detail: the peer's text is cut to 120, and an escape takes up to 10."""

SPELLINGS: dict[str, str] = {
    "raw": PASSWORD,
    "percent-encoded": quote(PASSWORD, safe=""),
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
    "base64 of more": base64.b64encode(b"x:" + PASSWORD.encode()).decode(),
    "JSON": json.dumps(PASSWORD)[1:-1],
    "hexadecimal": PASSWORD.encode().hex(),
}
CONTROLS = "\x9b31m\x1b]0;title\x07\u202e\u2066\u200b\x85\x7f"
WORDS = {
    **{name: f"a {text} b" for name, text in SPELLINGS.items()},
    "control characters": CONTROLS,
    "100 kB": "x" * 100_000,
    "100 kB and more": (CONTROLS + PASSWORD) * 2500,
    "braces": "{} {0} {words} %s",
}


def hello(**fields: object) -> bytes:
    return mongodb_answers({**MONGODB_ANSWERS[0], **fields})


def with_info(words: bytes, key: str) -> bytes:
    flat = words.replace(b"\n", b" ").decode()
    return b"+PONG\r\n" + bulk(f"{key}:{flat}\r\n" + REDIS_INFO.replace(f"{key}:", "other:"))


PLACES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "postgresql: greeting": ("postgresql", lambda w: w),
    "postgresql: error of 1997": ("postgresql", lambda w: b"E" + w + b"\n"),
    "postgresql: message of a refused login": ("postgresql", lambda w: pg_error(M=w, C="28P01", V="FATAL")),
    "postgresql: full": ("postgresql", lambda w: pg_error(M=w, C="53300", V="FATAL")),
    "postgresql: severity": ("postgresql", lambda w: pg_error(V=w)),
    "postgresql: state": ("postgresql", lambda w: pg_error(C=w)),
    "postgresql: notice": ("postgresql", lambda w: pg("N", b"M" + w + b"\0\0") + pg_error(M=w)),
    "postgresql: setting": ("postgresql", lambda w: pg("R", bytes(4)) + pg("S", w + b"\0" + w + b"\0") + b"?"),
    "postgresql: mechanism": ("postgresql", lambda w: pg("R", b"\0\0\0\x0a" + w[:900] + b"\0\0")),
    "postgresql: message of an answer": ("postgresql", lambda w: PG_LOGIN + pg_error(M=w)),
    "postgresql: message of an optional answer": (
        "postgresql", lambda w: PG_LOGIN + PG_STATE + (pg_error(M=w) + pg("Z", b"I")) * 4
    ),
    "postgresql: column": (
        "postgresql", lambda w: PG_LOGIN + pg("T", b"\0\1" + w + bytes(19)) + pg("D", b"\0\1\0\0\0\0") + pg("Z", b"I")
    ),
    "postgresql: version and role": ("postgresql", lambda w: PG_LOGIN + pg_row(store_version=w, store_role=w) + b"?"),
    "postgresql: after the login": ("postgresql", lambda w: PG_LOGIN + w),
    "mysql: greeting": ("mysql", lambda w: w),
    "mysql: version": ("mysql", lambda w: my_greeting(w) + b"?"),
    "mysql: plugin": ("mysql", lambda w: my_greeting() + my(2, b"\xfe" + w[:900] + b"\0")),
    "mysql: more of a login": ("mysql", lambda w: my_greeting() + my(2, b"\1" + w[:900])),
    "mysql: full": ("mysql", lambda w: my_error(1040, w[:60_000], 0, b"")),
    "mysql: refused login": ("mysql", lambda w: my_greeting() + my_error(1045, w, 2)),
    "mysql: state": ("mysql", lambda w: my_greeting() + my_error(1045, "words", 2, b"#" + w[:5])),
    "mysql: message of an answer": ("mysql", lambda w: MY_LOGIN + my_error(1105, w)),
    "mysql: message of an optional answer": ("mysql", lambda w: MY_LOGIN + MY_SETTINGS + my_error(1105, w) * 6),
    "mysql: file that it asks for": ("mysql", lambda w: MY_LOGIN + my(1, b"\xfb" + w)),
    "mysql: columns and values": ("mysql", lambda w: MY_LOGIN + my_rows((_text(w[:200]),), (w,)) + b"?"),
    "mysql: setting": ("mysql", lambda w: MY_LOGIN + my_values(version=w, read_only=w, max_connections=w) + b"?"),
    "redis: greeting": ("redis", lambda w: w),
    "redis: refused login": ("redis", lambda w: b"-WRONGPASS " + w + b"\r\n"),
    "redis: kind of error": ("redis", lambda w: b"-" + w + b"\r\n"),
    "redis: full": ("redis", lambda w: b"-ERR max number of clients reached " + w + b"\r\n"),
    "redis: protected": ("redis", lambda w: b"-DENIED " + w + b"\r\n"),
    "redis: answer to PING": ("redis", lambda w: b"+OK\r\n+" + w + b"\r\n"),
    "redis: text for PING": ("redis", lambda w: b"+OK\r\n" + bulk(w)),
    "redis: error to PING": ("redis", lambda w: b"+OK\r\n-NOPERM " + w + b"\r\n"),
    "redis: number": ("redis", lambda w: b"+OK\r\n:" + w + b"\r\n"),
    "redis: length": ("redis", lambda w: b"+OK\r\n$" + w + b"\r\n"),
    "redis: version": ("redis", lambda w: b"+OK\r\n" + with_info(w, "redis_version")),
    "redis: role": ("redis", lambda w: b"+OK\r\n" + with_info(w, "role")),
    "redis: policy": ("redis", lambda w: b"+OK\r\n" + with_info(w, "maxmemory_policy")),
    "mongodb: greeting": ("mongodb", lambda w: w),
    "mongodb: message": ("mongodb", lambda w: hello(ok=0, errmsg=_text(w))),
    "mongodb: name of the error": ("mongodb", lambda w: hello(ok=0, codeName=_text(w))),
    "mongodb: refused login": (
        "mongodb", lambda w: mongodb_answers(MONGODB_ANSWERS[0], {"ok": 0, "code": 18, "errmsg": _text(w)})
    ),
    "mongodb: challenge": (
        "mongodb", lambda w: mongodb_answers(MONGODB_ANSWERS[0], {"ok": 1, "conversationId": 1, "payload": w})
    ),
    "mongodb: conversation": (
        "mongodb",
        lambda w: mongodb_answers(MONGODB_ANSWERS[0], {"ok": 1, "conversationId": _text(w), "payload": b"r=x"}),
    ),
}  # fmt: skip


def _text(words: bytes) -> str:
    return words.decode("utf-8", "replace")


@pytest.mark.parametrize("place", PLACES)
def test_words_of_a_server(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    protocol, answer = PLACES[place]
    for name, words in WORDS.items():
        result = fed(monkeypatch, SPECS[protocol](PASSWORD), [answer(words.encode())])
        check(result, name)
        assert result.reason is not Reason.INTERNAL, (name, result)
    for line in caplog.messages:
        check_text(line, "log")


@pytest.mark.parametrize("protocol", ["postgresql", "mysql", "mongodb"])
def test_version_is_no_place_for_a_secret(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the version, which becomes a label, where a secret could stay for years."""
    password = "s3cretv4lue"
    if protocol == "postgresql":
        login = pg("R", b"\0\0\0\x03") + PG_LOGIN
        answer = login + pg_row(store_version=password, store_role="primary") + b"?"
    elif protocol == "mysql":
        answer = MY_LOGIN + my_values(version=password) + my_rows(("Host",)) + b"?"
    else:
        spec = SPECS[protocol](None)
        answer = mongodb_answers(*MONGODB_ANSWERS[:2], {"ok": 1.0, "version": "\x1b[31m7.0"})
        assert "store_version" not in fed(monkeypatch, spec, [answer]).facts
        return
    result = fed(monkeypatch, SPECS[protocol](password), [answer])
    assert result.facts.get("store_role") == "primary"
    assert "store_version" not in result.facts


@pytest.mark.parametrize("name", ["control characters", "100 kB", "braces"])
def test_words_of_a_file(name: str, prober: Prober, tmp_path: Path) -> None:
    """Check SQLite's message about an unreadable schema, which contains the name of the table as in the file."""
    path = tmp_path / "words.db"
    words = WORDS[name][:5000]
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE harmless (a)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET name = ?, sql = 'CREATE TABLE broken ('", [words])
    connection.close()
    result = prober.run(SqliteSpec(str(path)))
    assert result.reason is Reason.CORRUPT, result
    assert "malformed database schema" in result.detail
    check(result, name)


def check(result: ProbeResult, name: str) -> None:
    check_text(result.detail, name)
    assert len(result.detail) < MOST, name
    for value in result.facts.values():
        check_text(str(value), name)


def check_text(text: str, name: str) -> None:
    assert text.isprintable(), (name, text)
    for spelling, secret in SPELLINGS.items():
        assert secret not in text, (name, spelling, text)
        assert secret.strip("=")[4:-4] not in text, (name, spelling, text)
