"""A probe that is cancelled at any point, as when the daemon ends, leaves no socket and no task."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

from exporter.catalog.planning.specs import DnsSpec, Exchange, HttpSpec, IcmpSpec, ProbeSpec, TcpSpec, TlsSpec
from exporter.probes.compile import Shared, compile_probe
from exporter.probes.net.resolve import close_resolver
from tests.probes.dns.servers import DnsServer, nothing
from tests.probes.prober import until
from tests.probes.servers import Server, silence

if TYPE_CHECKING:
    from collections.abc import Iterator

Spec = Callable[[int], ProbeSpec]

PROBES: dict[str, Spec] = {
    "tcp": lambda port: TcpSpec("127.0.0.1", port, exchanges=(Exchange(expect="x"),)),
    "tcp over two addresses": lambda port: TcpSpec("localhost", port, exchanges=(Exchange(expect="x"),)),
    "tls": lambda port: TcpSpec("127.0.0.1", port, tls=TlsSpec()),
    "smtp": lambda port: TcpSpec("127.0.0.1", port, starttls="smtp"),
    "http": lambda port: HttpSpec(f"http://127.0.0.1:{port}/"),
    "proxy": lambda port: HttpSpec("http://server.test/", proxy=f"http://127.0.0.1:{port}"),
    "tunnel": lambda port: HttpSpec("https://server.test/", proxy=f"http://127.0.0.1:{port}"),
    "dns by udp": lambda port: DnsSpec("a.test", server=f"127.0.0.1:{port}"),
    "dns by tcp": lambda port: DnsSpec("a.test", server=f"127.0.0.1:{port}", transport="tcp"),
    "icmp": lambda _: IcmpSpec("127.0.0.1"),
    "icmp over two addresses": lambda _: IcmpSpec("localhost"),
}


def open_descriptors() -> int:
    """Return all open descriptors, not only sockets: the ICMP probe has its own epoll."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextlib.contextmanager
def silent(name: str) -> Iterator[int]:
    with DnsServer(nothing) if name.startswith("dns") else Server(silence) as server:
        yield server.port


@pytest.mark.parametrize("name", PROBES)
def test_cancelled(name: str) -> None:
    """Cancel at each of the first steps of the loop, and once after the probe has come as far as it can."""

    async def cancel_after(steps: int, spec: ProbeSpec) -> None:
        running = asyncio.create_task(compile_probe(spec, Shared()).run(time.monotonic() + 30))
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 10 else 0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running  # ICMP may already have its answer
        await close_resolver()

    async def main() -> None:
        with silent(name) as port:
            await cancel_after(10, PROBES[name](port))  # opens what is opened only once
            before = open_descriptors()
            for steps in range(11):
                await cancel_after(steps, PROBES[name](port))
            await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left")
            await until(lambda: open_descriptors() <= before, "descriptors are left open")

    uvloop.run(main())
