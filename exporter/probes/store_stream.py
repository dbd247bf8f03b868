"""A connection to a store's server, read in pieces whose end or length the protocol says; TLS is part of connecting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from exporter.catalog.secrets import SecretError
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.connect import connect
from exporter.probes.stream import MAX_LINE_BYTES, LineStream

if TYPE_CHECKING:
    from exporter.catalog.secrets import SecretText
    from exporter.catalog.specs import IpProtocol
    from exporter.probes.measure import Run
    from exporter.probes.tls import Tls


class ServerSpec(Protocol):
    """What the specs of all servers have."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ip_protocol(self) -> IpProtocol: ...


class StoreStream(LineStream):
    """The client's end. Reading fails with `disconnect` when the server closed before all was there; what is waited
    for is the run's `awaited`. `size` after `stream.MAX_BYTES` in all.
    """

    __slots__ = ()

    async def upcoming(self, count: int) -> bytes:
        """What has come and was not read, `count` bytes at least; it stays to be read."""
        while len(self._buffer) < count:
            await self._more()
        return bytes(self._buffer)

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def until(self, end: bytes) -> bytes:
        """The next bytes up to `end`, with it.

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

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def _more(self) -> None:
        """Wait until more has come."""
        if self._failure is not None:
            raise self._failure
        if self._ended:
            raise ProbeFailure(
                Reason.DISCONNECT, f"connection closed before {self._run.awaited} was complete"
            )
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


async def open_stream(spec: ServerSpec, tls: Tls | None, run: Run) -> StoreStream:
    """A new connection, in TLS if `tls`. Enters `resolve` and `connect`, which holds the handshake's time too.

    Raises:
        ProbeFailure: `resolve`, `connect`, `tls` or `certificate`.
    """

    async def plain() -> StoreStream:
        return (await connect(lambda: StoreStream(run), spec.host, spec.port, spec.ip_protocol, run))[1]

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
        run.awaited = "the TLS handshake"
    return stream


def read_secret(secret: SecretText | None) -> str | None:
    """The value that `secret` has now.

    Raises:
        ProbeFailure: `secret`, when it cannot be read or sent.
    """
    if secret is None:
        return None
    try:
        value = secret.read()
        value.encode()
    except SecretError as error:
        raise ProbeFailure(Reason.SECRET, str(error)) from None
    except UnicodeEncodeError:
        raise ProbeFailure(Reason.SECRET, "the password is not UTF-8 text") from None
    return value
