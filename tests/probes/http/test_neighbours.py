"""Ports without a server, and faulty targets next to a healthy one."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from exporter.catalog.planning.specs import HttpSpec
from exporter.probes.base import ProbeResult, Reason
from exporter.probes.compile import compile_probe
from tests.probes.http.test_faults import DEADLINE, ROWS
from tests.probes.servers import Server, answer, answers, black_hole

if TYPE_CHECKING:
    from tests.probes.prober import Prober


def test_port_that_refuses(prober: Prober) -> None:
    result = prober.run(HttpSpec("http://127.0.0.1:1/"))
    assert result.reason is Reason.CONNECT
    assert result.detail == "cannot connect to 127.0.0.1:1: Connection refused"
    assert set(result.phases) == {"connect"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_port_that_never_accepts(host: str, prober: Prober) -> None:
    with black_hole(host) as port:
        url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        result = prober.run(HttpSpec(url), DEADLINE)
    assert result.reason is Reason.TIMEOUT
    assert result.detail == f"timed out after 0.4 s connecting ({host} port {port})"
    assert set(result.phases) == {"connect"}


def test_faulty_targets_delay_no_other(prober: Prober) -> None:
    """Let thirty targets hang, stream and lie; a healthy one must answer as quickly as alone."""
    faults = [row.script for row in ROWS if row.reason in (Reason.TIMEOUT, Reason.DISCONNECT, Reason.SIZE)]

    async def together(urls: list[str], healthy: str) -> ProbeResult:
        end = time.monotonic() + 1.5
        specs = [HttpSpec(url, max_body_bytes=1_000_000) for url in urls]
        running = [asyncio.ensure_future(compile_probe(spec, prober.shared).run(end)) for spec in specs]
        slowest = 0.0
        probe = compile_probe(HttpSpec(healthy), prober.shared)
        for _ in range(20):
            await asyncio.sleep(0.02)
            result = await probe.run(time.monotonic() + 5)
            assert result.success
            slowest = max(slowest, result.duration_seconds)
        assert any(not task.done() for task in running), (
            "the faulty targets ended too early to prove anything"
        )
        for failed in await asyncio.gather(*running):
            assert not failed.success
            assert failed.reason is not Reason.INTERNAL
        assert slowest < 0.5, f"a healthy target took {slowest:.3f} s"
        return result

    with ExitStack() as stack:
        servers = [stack.enter_context(Server(faults[i % len(faults)])) for i in range(30)]
        healthy = stack.enter_context(Server(answers(lambda _: answer(b"fine"))))
        prober.wait(together([server.url() for server in servers], healthy.url()))
