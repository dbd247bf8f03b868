"""The Redis probe with test servers that misbehave, as real ones do not on demand, and cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import uvloop

from exporter.catalog.planning.specs import RedisSpec, TlsSpec
from exporter.probes.base import Reason
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net.resolve import close_resolver
from tests.probes.prober import until
from tests.probes.redis.server import PASSWORD, PONG, answers, secret, spec
from tests.probes.servers import Server, black_hole, silence
from tests.probes.tcp.servers import closes, drips, pours_lines
from tests.waiting import free_port

if TYPE_CHECKING:
    from tests.probes.prober import Prober
    from tests.probes.servers import Script

DEADLINE = 0.4


class Row(NamedTuple):
    script: Script
    reason: Reason
    detail: str


NOT_REDIS = "not Redis's protocol"
FAULTS = {
    "a web server": Row(
        answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.PROTOCOL, f"{NOT_REDIS}: 'HTTP/1.1 400"
    ),
    "a mail server": Row(drips(b"220 mx.test\r\n", 0), Reason.PROTOCOL, f"{NOT_REDIS}: '2"),
    "binary garbage": Row(answers(b"\x00\xff\x17"), Reason.PROTOCOL, NOT_REDIS),
    "no number": Row(answers(b"$many\r\n"), Reason.PROTOCOL, f"{NOT_REDIS}: '.many"),
    "nested without end": Row(answers(b"*1\r\n" * 100_000), Reason.PROTOCOL, NOT_REDIS),
    "never-ending line": Row(pours_lines(b"+" * 100), Reason.PROTOCOL, "longer than 8192 bytes"),
    "pours": Row(pours_lines(b"$100000000\r\n" + b"x" * 1000), Reason.SIZE, "larger than 262144 bytes"),
    "silent": Row(silence, Reason.TIMEOUT, "waiting for the answer to PING"),
    "closes at once": Row(
        closes(b""), Reason.DISCONNECT, "closed before the answer to PING was complete|reset"
    ),
    "closes within": Row(
        closes(b"+PON"), Reason.DISCONNECT, "closed before the answer to PING was complete|reset"
    ),
    "another answer": Row(answers(b"$5\r\nHELLO\r\n"), Reason.ANSWER, "the answer to PING is 'HELLO'"),
    "protected mode": Row(
        answers(b"-DENIED Redis is running in protected mode because...\r\n"),
        Reason.LOGIN,
        "in protected mode and has no password.*'DENIED Redis is running",
    ),
    "link to the primary is down": Row(
        answers(b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"),
        Reason.ANSWER,
        "Link with MASTER is down",
    ),
    "a text that does not end": Row(answers(b"$4\r\nPONG+OK\r\n"), Reason.PROTOCOL, f"{NOT_REDIS}: '.O'"),
    "half of INFO": Row(answers(PONG, b"$1000\r\nredis_version:7\r\n"), Reason.TIMEOUT, "the answer to INFO"),
}


@pytest.mark.parametrize("row", FAULTS.values(), ids=FAULTS)
def test_faults(prober: Prober, row: Row) -> None:
    with Server(row.script) as server:
        result = prober.run(spec(server), DEADLINE)
    assert result.reason is row.reason, result
    assert re.search(row.detail, result.detail), result.detail


def test_nobody_listens(prober: Prober) -> None:
    result = prober.run(RedisSpec("127.0.0.1", free_port()))
    assert result.reason is Reason.CONNECT
    assert "Connection refused" in result.detail


def test_connection_is_swallowed(prober: Prober) -> None:
    with black_hole("127.0.0.1") as port:
        result = prober.run(RedisSpec("127.0.0.1", port), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert list(result.phases) == ["connect"]


def test_cancelled() -> None:
    """Cancel a run in every phase: it leaves neither task nor descriptor."""

    async def cancel_after(steps: int, spec: RedisSpec) -> None:
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
        with Server(silence) as dumb, Server(answers(PONG)) as half, Server(answers(b"+OK\r\n")) as login:
            specs = (
                RedisSpec("localhost", dumb.port),
                RedisSpec("127.0.0.1", dumb.port, tls=TlsSpec()),
                RedisSpec("127.0.0.1", dumb.port, password=secret(PASSWORD)),
                RedisSpec("127.0.0.1", login.port, password=secret(PASSWORD)),
                RedisSpec("127.0.0.1", half.port),
            )
            await cancel_after(10, specs[0])  # opens what is opened only once
            before = descriptors()
            for spec in specs:
                for steps in range(11):
                    await cancel_after(steps, spec)
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
            await until(lambda: descriptors() <= before, "descriptors are left open")

    uvloop.run(main())
