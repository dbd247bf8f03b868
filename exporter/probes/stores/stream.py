"""Connection to the server of a store, read up to a mark or a length; TLS is part of connecting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.net.connect import connect
from exporter.probes.net.stream import MAX_BYTES, MAX_LINE_BYTES, LineStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exporter.catalog.planning.specs import IpProtocol
    from exporter.catalog.values.secret_text import SecretText
    from exporter.probes.measure import Run
    from exporter.probes.tls.handshake import Tls


HANDSHAKE = "the TLS handshake"
UPCOMING_BYTES = 256
"""Bytes returned for a detail, which shows fewer."""


class ServerSpec(Protocol):
    """Attributes that the specs of all servers have."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ip_protocol(self) -> IpProtocol: ...


class StoreStream(LineStream):
    """The client side of a connection to a store.

    Reading fails with `disconnect` if the server closed the connection before the data was complete; the message names
    the run's `awaited`. It fails with `size` after `stream.MAX_BYTES` in total.
    """

    __slots__ = ()

    @property
    def has_more(self) -> bool:
        """True if there are unread bytes."""
        return bool(self._buffer)

    async def upcoming(self, count: int) -> bytes:
        """Return the start of the unread bytes, at least `count`; they stay unread."""
        while len(self._buffer) < count:
            await self._more()
        return bytes(self._buffer[: max(count, UPCOMING_BYTES)])

    async def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def until(self, end: bytes) -> bytes:
        """Return the next bytes up to and including `end`.

        Raises:
            ProbeFailure: also `protocol`, after `MAX_LINE_BYTES` without it.
        """
        searched = 0
        while (found := self._buffer.find(end, searched)) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ProbeFailure(Reason.PROTOCOL, f"a line is longer than {MAX_LINE_BYTES} bytes")
            searched = max(0, len(self._buffer) + 1 - len(end))
            await self._more()
        return self._take(found + len(end))

    def data_received(self, data: bytes) -> None:
        """Buffer the bytes up to the limit before those beyond it.

        The result must not depend on how the bytes were split into packets.
        """
        room = MAX_BYTES - self._received
        if room > 0 and len(data) > room:
            super().data_received(data[:room])
            data = data[room:]
        super().data_received(data)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def _more(self) -> None:
        """Wait for more bytes."""
        if self._failure is not None:
            raise self._failure
        if self._ended:
            raise ProbeFailure(
                Reason.DISCONNECT, f"connection closed before {self._run.awaited} was complete"
            )
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


async def open_stream(
    spec: ServerSpec,
    tls: Tls | None,
    run: Run,
    offer: Callable[[StoreStream], Awaitable[None]] | None = None,
) -> StoreStream:
    """Return a new connection, with TLS if `tls`. Enters `resolve` and `connect`, which includes the handshake.

    `offer`: asks the server to start TLS, if the protocol begins without.

    Raises:
        ProbeFailure: `resolve`, `connect`, `tls` or `certificate`, and those of `offer`.
    """

    async def plain() -> StoreStream:
        stream = (await connect(lambda: StoreStream(run), spec.host, spec.port, spec.ip_protocol, run))[1]
        if tls is not None and offer is not None:
            run.awaited = HANDSHAKE
            try:
                await offer(stream)
            except BaseException:
                stream.close()
                raise
        return stream

    stream = await plain()
    if tls is None:
        return stream
    try:
        await stream.start_tls(tls, spec.host, run, plain)
    except BaseException:
        stream.close()
        raise
    finally:
        run.enter("connect")
        run.phases["connect"] += run.phases.pop("tls", 0.0)
        run.awaited = HANDSHAKE
    return stream


def read_secret(secret: SecretText | None, run: Run) -> str | None:
    """Return the current value of `secret`; it is redacted in all details of the run.

    Raises:
        ProbeFailure: `secret`, if it cannot be read.
    """
    if secret is None:
        return None
    value = run.read(secret)
    run.secrets.add(value)
    return value
