"""TCP connections; several addresses of a name are raced (RFC 8305, "happy eyeballs")."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import OUT_OF_SOCKETS
from exporter.probes.net.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.planning.specs import IpProtocol
    from exporter.probes.measure import Run
    from exporter.probes.net.resolve import Address

ATTEMPT_DELAY = 0.25
"""Seconds without an answer before the next address is tried as well (RFC 8305 section 8)."""

P = TypeVar("P", bound=asyncio.Protocol)


async def connect(
    factory: Callable[[], P], host: str, port: int, ip_protocol: IpProtocol, run: Run
) -> tuple[asyncio.Transport, P]:
    """Resolve `host` and connect to it. Enters `resolve` and `connect`; notes the `ip_protocol` and `ip_addr` facts.

    Raises:
        ProbeFailure: `resolve` or `connect`.
        OSError: this machine has no socket left.
    """
    addresses = await resolve(host, ip_protocol, run)
    run.enter("connect")
    run.peer = f"{host} port {port}"
    if len(addresses) == 1:
        address = addresses[0]
        transport, protocol = await _attempt(factory, address, port)
    else:
        transport, protocol, address = await _race(factory, addresses, port)
    note_address(address, run)
    return transport, protocol


def note_address(address: Address, run: Run) -> None:
    """Note the address that the run talks to."""
    run.facts["ip_protocol"] = 6 if ":" in address[1] else 4
    run.facts["ip_addr"] = address[1]


async def _attempt(factory: Callable[[], P], address: Address, port: int) -> tuple[asyncio.Transport, P]:
    family, host = address
    try:
        return await asyncio.get_running_loop().create_connection(factory, host, port, family=family)
    except OSError as error:
        if error.errno in OUT_OF_SOCKETS:
            raise
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ProbeFailure(Reason.CONNECT, f"cannot connect to {shown(host, port)}: {why}") from None


async def _race(
    factory: Callable[[], P], addresses: list[Address], port: int
) -> tuple[asyncio.Transport, P, Address]:
    """Return the first connection made; the next address is tried when the last one failed or was silent too long."""
    attempts: dict[asyncio.Task[tuple[asyncio.Transport, P]], Address] = {}
    waiting = list(addresses)
    failures: list[ProbeFailure] = []
    try:
        while waiting or attempts:
            if waiting:
                address = waiting.pop(0)
                attempts[asyncio.ensure_future(_attempt(factory, address, port))] = address
            done, _ = await asyncio.wait(
                attempts, timeout=ATTEMPT_DELAY if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                won = attempts.pop(task)
                error = task.exception()
                if error is None:
                    return *task.result(), won
                if not isinstance(error, ProbeFailure):
                    raise error
                failures.append(error)
    finally:
        for task in attempts:
            task.add_done_callback(_discard)
            task.cancel()
    each = "; ".join(failure.detail for failure in failures)
    raise ProbeFailure(Reason.CONNECT, each) from ExceptionGroup("of each address", failures)


def _discard(task: asyncio.Task[tuple[asyncio.Transport, P]]) -> None:
    """Close a connection that was made after another had won."""
    if not task.cancelled() and task.exception() is None:
        task.result()[0].abort()


def shown(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
