"""Why PostgreSQL's certificate was not accepted: libpq only says that it was not.

The server is asked for it once more, as `probes.tls` does everywhere, on a connection that goes no further.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.connect import connect
from exporter.probes.measure import Run
from exporter.probes.tls import LOOK_SHARE

if TYPE_CHECKING:
    from exporter.catalog.specs import PostgresqlSpec
    from exporter.probes.tls import Tls

SSL_REQUEST = struct.pack("!II", 8, 80877103)
YES = b"S"


async def explained(failure: ProbeFailure, tls: Tls, spec: PostgresqlSpec, run: Run) -> ProbeFailure:
    """A failure that says what is wrong with the certificate; `failure` itself if the server does not show it again."""
    aside = Run(run.deadline)  # its phases are not those of the probe

    async def reopen() -> tuple[asyncio.Transport, asyncio.Protocol]:
        transport, offer = await connect(_Offer, spec.host, spec.port, spec.ip_protocol, aside)
        try:
            await offer.accepted
        except BaseException:
            transport.abort()
            raise
        return transport, offer

    try:
        async with asyncio.timeout(run.time_left() * LOOK_SHARE):
            transport, offer = await reopen()
            try:
                transport = await tls.start(transport, offer, spec.host, aside, reopen)
            finally:
                transport.abort()
    except ProbeFailure as found:
        return found if found.reason is Reason.CERTIFICATE else failure
    except OSError:  # also of the time-out
        return failure
    return failure


class _Offer(asyncio.Protocol):
    """Asks for TLS; `accepted` has no value, or the failure."""

    def __init__(self) -> None:
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.accepted.add_done_callback(_retrieve)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(SSL_REQUEST)

    def data_received(self, data: bytes) -> None:
        if not self.accepted.done():
            if data == YES:
                self.accepted.set_result(None)
            else:
                self.accepted.set_exception(ConnectionAbortedError())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionResetError())


def _retrieve(future: asyncio.Future[None]) -> None:
    """An exception that nobody waits for any more is no news."""
    if not future.cancelled():
        future.exception()
