"""The server: accepts connections, passes each request to the gate and the application, and stops."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING, Protocol

from exporter.daemon.web.answers import Answer, ask
from exporter.daemon.web.connection import HEAD_SECONDS, Connection
from exporter.daemon.web.crowd import Crowd

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from exporter.daemon.web.answers import Application, Headers
    from exporter.daemon.web.message import Request

ACCEPTED_AT_ONCE = 16
"""Connections accepted before the running probes get a turn: about 2 ms."""
NO_DESCRIPTOR_SECONDS = 0.1
"""Seconds to wait for a descriptor when the process has none left."""
STOP_SECONDS = 1.0
"""Seconds that answers in progress have to finish when the daemon stops."""

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = logging.getLogger(__name__)


class Gate(Protocol):
    """Access control, and the protocol to serve."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context for new connections; None for plain HTTP."""

    @property
    def headers(self) -> Headers: ...
    def admits(self, certificate: dict[str, object] | None) -> bool: ...
    async def judge(self, request: Request, client: tuple[str, int], *, secure: bool) -> None:
        """Raise RefusedError for a request that gets no answer."""


class Server:
    """A server of `application` on `listener` for requests that `gate` allows. `count` counts refusals by reason."""

    def __init__(
        self,
        application: Application,
        listener: socket.socket,
        gate: Gate,
        count: Callable[[str, int], None],
        limit: int | None = None,
    ) -> None:
        self.crowd = Crowd(limit)
        self.stopping = False
        self._application = application
        self._listener = listener
        self._gate = gate
        self._count = count
        self._stop = asyncio.Event()
        self._turn = asyncio.Lock()
        self._beginning: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """End `serve` once the answers in progress are finished."""
        self._stop.set()

    async def serve(self) -> None:
        """Serve until `stop` is called."""
        accepting = asyncio.create_task(self._accept())
        try:
            await self._stop.wait()
        finally:
            self.stopping = True
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            self._listener.close()
            await self._empty()

    # Called by connections

    @property
    def headers(self) -> Headers:
        return self._gate.headers

    def admits(self, certificate: dict[str, object] | None) -> bool:
        return self._gate.admits(certificate)

    def refused(self, reason: str, count: int = 1) -> None:
        if count:
            self._count(reason, count)

    async def answer(self, request: Request, client: tuple[str, int], *, secure: bool) -> Answer:
        # Only one request begins in each turn of the event loop, so a thousand at once do not delay a probe.
        async with self._turn:
            await asyncio.sleep(0)
        await self._gate.judge(request, client, secure=secure)
        return await ask(self._application, request, client, secure=secure)

    # Connections

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        accepted = 0
        while True:
            try:
                connected, address = await loop.sock_accept(self._listener)
            except OSError as error:
                # Any other error comes from a connection that ended before it was accepted.
                if error.errno in _NO_DESCRIPTOR:
                    self.refused("evicted", int(self.crowd.evict()))
                    await asyncio.sleep(NO_DESCRIPTOR_SECONDS)
                continue
            context = self._gate.tls
            connection = Connection(self, address[:2], secure=context is not None)
            self.refused("evicted", self.crowd.join(connection))
            task = loop.create_task(self._begin(connection, connected, context))
            connection.beginning = task
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)
            accepted += 1
            if accepted % ACCEPTED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _begin(
        self, connection: Connection, connected: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        """Create the transport of an accepted connection; with TLS, after its handshake."""
        loop = asyncio.get_running_loop()
        begun = False
        try:
            await loop.connect_accepted_socket(
                lambda: connection,
                connected,
                ssl=context,
                ssl_handshake_timeout=HEAD_SECONDS if context is not None else None,
            )
            begun = True
        except OSError:  # includes TLS errors and handshakes that took too long
            if context is not None:
                self.refused("tls")
        finally:
            connection.beginning = None
            if not begun:
                self.crowd.leave(connection)
                connected.close()

    async def _empty(self) -> None:
        """Give answers in progress a moment to finish, then close all connections."""
        work = [member.work for member in self._connections() if member.work is not None]
        if work:
            await asyncio.wait(work, timeout=STOP_SECONDS)
        for member in self._connections():
            member.abort()
        for task in self._beginning:
            task.cancel()
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _connections(self) -> list[Connection]:
        return [member for member in self.crowd.members() if isinstance(member, Connection)]
