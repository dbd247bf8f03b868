"""The MongoDB probe with servers that misbehave, and cancelled. `test_mongodb.py` lists what is not tested."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import uvloop

from exporter.catalog.planning.specs import MongodbSpec, TlsSpec
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net.resolve import close_resolver
from tests.probes.mongodb.server import HELLO, PASSWORD, USER, Mongod, answers, message, refuses, spec, stuck
from tests.probes.prober import until
from tests.probes.servers import Server, black_hole, silence
from tests.probes.tcp.servers import closes, drips
from tests.waiting import free_port

if TYPE_CHECKING:
    from tests.probes.prober import Prober
    from tests.probes.servers import Script

DEADLINE = 0.4


class Row(NamedTuple):
    script: Script
    reason: Reason
    detail: str


def silent_from(command: str) -> Script:
    return Mongod(answers={command: stuck, "hello": stuck if command == "hello" else HELLO})


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
        answers((1_000_000).to_bytes(4, "little")), Reason.SIZE, "hello has 1000000 bytes, more than 262144"
    ),
    "another question's answer": Row(answers(message(1, 7, {"ok": 1.0})), Reason.PROTOCOL, "in answer to 7"),
    "another operation": Row(
        answers(message(1, 1, {"ok": 1.0}, operation=1)), Reason.PROTOCOL, f"{STRANGE}: operation 1 "
    ),
    "more to come": Row(answers(message(1, 1, {"ok": 1.0}, flags=2)), Reason.PROTOCOL, STRANGE),
    "damaged document": Row(
        answers(message(1, 1, {"ok": 1.0}).replace(b"ok\0", b"ok!")),
        Reason.PROTOCOL,
        "the document is malformed",
    ),
    "not an answer": Row(answers(message(1, 1, {"hello": "you"})), Reason.PROTOCOL, "it has no field ok"),
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
    """Check that a checksum after an answer is skipped, because TCP has its own."""
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
        answers(GREETING, STARTED), Reason.PROTOCOL, "the server's challenge does not belong to this login"
    ),
    "no challenge": Row(
        answers(GREETING, STARTED.replace(b"s=c2Fs", b"x=c2Fs")),
        Reason.PROTOCOL,
        "the server's challenge is incomplete",
    ),
    "nothing": Row(
        answers(GREETING, message(2, 2, {"ok": 1.0})), Reason.PROTOCOL, "the server's answer has no payload"
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


def test_cancelled() -> None:
    """Cancel a run in every phase, also while the keys are computed: it leaves neither task nor descriptor."""

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
            await cancel_after(10, specs[0])  # opens what is opened only once
            before = descriptors()
            for each in specs:
                for steps in range(11):
                    await cancel_after(steps, each)
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
            await until(lambda: descriptors() <= before, "descriptors are left open")
        await until(lambda: threading.active_count() <= threads, "threads are left")

    uvloop.run(main())
