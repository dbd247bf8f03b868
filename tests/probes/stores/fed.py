"""Run a store's probe on bytes chosen by the test, in any pieces, without a network.

The server's complete answers are available before the first question, then the connection ends. The probe reads as
much of them as it needs.
"""

from __future__ import annotations

import asyncio
import struct
import time
from typing import TYPE_CHECKING, Any, cast

import bson

from exporter.catalog.planning.specs import MongodbSpec, MysqlSpec, PostgresqlSpec, RedisSpec
from exporter.catalog.values.secret_text import SecretText
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.stores import stream as store_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from exporter.catalog.planning.specs import ProbeSpec
    from exporter.probes.base import ProbeResult
    from exporter.probes.stores.stream import StoreStream

SECONDS = 5.0
SPECS: dict[str, Callable[[str | None], ProbeSpec]] = {
    "postgresql": lambda password: PostgresqlSpec("db.test", 1, "monitor", "app", secret(password)),
    "mysql": lambda password: MysqlSpec("db.test", 1, "monitor", None, secret(password)),
    "redis": lambda password: RedisSpec("db.test", 1, None, secret(password)),
    "mongodb": lambda password: MongodbSpec("db.test", 1, "monitor" if password else None, secret(password)),
}


def secret(password: str | None) -> SecretText | None:
    return None if password is None else SecretText((password,))


class _Transport:
    """The part of a transport that a stream uses; everything sent is dropped."""

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


def fed(monkeypatch: pytest.MonkeyPatch, spec: ProbeSpec, pieces: Iterable[bytes]) -> ProbeResult:
    """Return the result of one run that receives `pieces`, one in each turn of the loop."""

    async def connect(factory: Callable[[], StoreStream], *_: Any) -> tuple[Any, StoreStream]:
        stream = factory()
        transport = cast("asyncio.Transport", _Transport())
        stream.connection_made(transport)
        feeding.append(asyncio.create_task(feed(stream)))
        return transport, stream

    async def feed(stream: StoreStream) -> None:
        for piece in pieces:
            stream.data_received(piece)
            await asyncio.sleep(0)
        stream.eof_received()

    async def run() -> ProbeResult:
        probe = compile_probe(spec, Shared())
        result = await probe.run(time.monotonic() + SECONDS)
        for task in feeding:
            task.cancel()
        return result

    feeding: list[asyncio.Task[None]] = []
    with monkeypatch.context() as patched:
        patched.setattr(store_stream, "connect", connect)
        return asyncio.run(run())


def pg(kind: str, body: bytes = b"") -> bytes:
    """Return a message of PostgreSQL."""
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def pg_error(**fields: bytes | str) -> bytes:
    """Return an ErrorResponse; fields by their letters."""
    known = {"S": "ERROR", "V": "ERROR", "C": "XX000", "M": "words", **fields}
    return pg("E", b"".join(k.encode() + _bytes(v) + b"\0" for k, v in known.items()) + b"\0")


def pg_row(**values: bytes | str | None) -> bytes:
    """Return the answer to a query, with one row."""
    columns = b"".join(name.encode() + bytes(19) for name in values)
    cells = b"".join(
        b"\xff\xff\xff\xff" if value is None else struct.pack("!I", len(_bytes(value))) + _bytes(value)
        for value in values.values()
    )
    count = struct.pack("!H", len(values))
    return pg("T", count + columns) + pg("D", count + cells) + pg("C", b"SELECT 1\0") + PG_READY


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


PG_OK = pg("R", bytes(4))
PG_READY = pg("Z", b"I")
PG_LOGIN = PG_OK + pg("S", b"server_version\x0015.8\0") + pg("K", bytes(8)) + PG_READY
PG_STATE = pg_row(store_version="15.8", store_role="primary")
PG_WHOLE = (
    PG_LOGIN
    + PG_STATE
    + pg_row(store_connections="3", store_connections_max="97")
    + pg_row(store_replicas="1", store_replication_lag="0.000012")
    + pg_row(store_accepts_writes="1", store_writes_refused=None)
    + pg_row(store_size="7654321")
)


def my(sequence: int, body: bytes) -> bytes:
    """Return a packet of MySQL."""
    return len(body).to_bytes(3, "little") + bytes((sequence,)) + body


def my_text(text: bytes | str | None) -> bytes:
    """Return a text with its length, or NULL."""
    if text is None:
        return b"\xfb"
    raw = _bytes(text)
    return (bytes((len(raw),)) if len(raw) < 251 else b"\xfd" + len(raw).to_bytes(3, "little")) + raw


def my_greeting(
    version: bytes | str = "8.4.3", plugin: bytes | str = "caching_sha2_password", flags: int = 0xFFFFFFFF
) -> bytes:
    """Return the first packet of a server."""
    low, high = (flags & 0xFFFF).to_bytes(2, "little"), (flags >> 16).to_bytes(2, "little")
    body = b"".join(
        (
            b"\x0a" + _bytes(version) + b"\0" + b"\1\0\0\0" + MY_SCRAMBLE[:8] + b"\0",
            low + b"\x2d\2\0" + high + b"\x15" + bytes(10) + MY_SCRAMBLE[8:] + b"\0",
            _bytes(plugin) + b"\0",
        )
    )
    return my(0, body)


def my_error(code: int, words: bytes | str, sequence: int = 1, state: bytes = b"#HY000") -> bytes:
    return my(sequence, b"\xff" + code.to_bytes(2, "little") + state + _bytes(words))


def my_rows(columns: Iterable[str], *rows: Iterable[bytes | str | None]) -> bytes:
    """Return the answer to a question."""
    names = list(columns)
    described = [my_text("def") + my_text("") * 3 + my_text(name) * 2 + b"\x0c" + bytes(12) for name in names]
    cells = [b"".join(my_text(value) for value in row) for row in rows]
    packets = [bytes((len(names),)), *described, MY_END, *cells, MY_END]
    return b"".join(my(number, packet) for number, packet in enumerate(packets, 1))


def my_values(**values: bytes | str) -> bytes:
    """Return the answer to SHOW VARIABLES or SHOW STATUS."""
    return my_rows(("Variable_name", "Value"), *values.items())


MY_SCRAMBLE = b"abcdefghijklmnopqrst"
MY_END = b"\xfe\0\0\2\0"
MY_OK = b"\0\0\0\2\0\0\0"
MY_LOGIN = my_greeting() + my(2, MY_OK)
MY_SETTINGS = my_values(version="8.4.3", max_connections="151", read_only="OFF", super_read_only="OFF")
MY_NO_CHANNELS = my_rows(("Replica_IO_State", "Replica_IO_Running"))
MY_STATUS = my_values(Threads_connected="3", Uptime="86400")
MY_WHOLE = (
    MY_LOGIN
    + MY_SETTINGS
    + MY_NO_CHANNELS
    + MY_STATUS
    + my_rows(("Server_Id", "Host"), ("2", "db-2"))
    + my(1, MY_OK)
    + my_rows(("store_size",), ("7654321",))
)


def bulk(text: bytes | str) -> bytes:
    """Return a bulk string of Redis."""
    return b"$%d\r\n%s\r\n" % (len(_bytes(text)), _bytes(text))


REDIS_INFO = (
    "# Server\r\nredis_version:7.0.15\r\nconnected_clients:3\r\nmaxclients:10000\r\nrole:master\r\n"
    "used_memory:1000000\r\nused_memory_dataset:5000\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
    "connected_slaves:1\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=1\r\ncluster_enabled:0\r\n"
)
REDIS_WHOLE = b"+PONG\r\n" + bulk(REDIS_INFO)

MONGODB_ANSWERS: tuple[dict[str, Any], ...] = (
    {"ok": 1.0, "isWritablePrimary": True, "setName": "rs0"},
    {"ok": 1.0},
    {"ok": 1.0, "version": "7.0.14"},
    {"ok": 1.0, "connections": {"current": 12, "available": 807}},
    {"ok": 1.0, "myState": 1, "members": [{"state": 1, "self": True}, {"state": 2, "health": 1.0}]},
    {"ok": 1.0, "totalSize": 8_192_000},
)


def mongodb(number: int, document: dict[str, Any] | bytes) -> bytes:
    """Return the answer to command `number`."""
    body = document if isinstance(document, bytes) else bson.encode(document)
    return struct.pack("<iiiiIB", 21 + len(body), number, number, 2013, 0, 0) + body


def mongodb_answers(*documents: dict[str, Any] | bytes) -> bytes:
    return b"".join(mongodb(number, document) for number, document in enumerate(documents, 1))


MONGODB_WHOLE = mongodb_answers(*MONGODB_ANSWERS)
WHOLE = {"postgresql": PG_WHOLE, "mysql": MY_WHOLE, "redis": REDIS_WHOLE, "mongodb": MONGODB_WHOLE}
