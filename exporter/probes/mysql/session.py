"""One connection to a MySQL or MariaDB server: TLS, login, and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.mysql import wire
from exporter.probes.mysql.errors import answer_failure, login_failure
from exporter.probes.mysql.login import NATIVE, WITHOUT_PASSWORD
from exporter.probes.mysql.wire import Packets, Reader, greeting, server_error, strange
from exporter.probes.stores.stream import open_stream

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import MysqlSpec
    from exporter.probes.measure import Run
    from exporter.probes.mysql.login import Proof
    from exporter.probes.mysql.wire import Greeting
    from exporter.probes.stores.stream import StoreStream
    from exporter.probes.tls.handshake import Tls

Row = dict[str, bytes]
"""Values by column name in lower case, without NULLs."""

PROGRAM_NAME = "pageforge-exporter"
MAX_STEPS = 8
"""Packets of a login that a server may send before it accepts or refuses it."""
SWITCH, MORE = 0xFE, 0x01
"""First bytes of packets of a login: a switch to another plugin, or more data of this one."""


class Opening:
    """The start of a connection: the server greets first, and TLS starts after that."""

    __slots__ = ("_run", "_spec", "capabilities", "greeting", "packets")

    def __init__(self, spec: MysqlSpec, run: Run) -> None:
        self._spec = spec
        self._run = run
        self.capabilities = wire.OFFERED | (0 if spec.database is None else wire.CONNECT_WITH_DB)
        if spec.tls is not None:
            self.capabilities |= wire.TLS

    async def greet(self, stream: StoreStream) -> Greeting:
        """Read the greeting; `packets` continues after it.

        Raises:
            ProbeFailure: `full`, `login` or `answer`: the server refuses the connection; `protocol`, `size`,
                `disconnect`.
        """
        self._run.awaited = "the greeting of the server"
        self.packets = Packets(stream)
        body = await self.packets.next()
        if body[0] == wire.ERROR:
            raise login_failure(server_error(body), self._spec.username, self._spec.database)
        self.greeting = greeting(body)
        self.capabilities |= self.greeting.capabilities & wire.CONNECT_ATTRIBUTES
        return self.greeting

    async def offer_tls(self, stream: StoreStream) -> None:
        """Ask the server to start TLS.

        Raises:
            ProbeFailure: `tls` if it does not offer TLS, or sends plain text; also as `greet`.
        """
        said = await self.greet(stream)
        if not said.capabilities & wire.TLS:
            raise ProbeFailure(Reason.TLS, "the server does not offer TLS")
        if stream.has_more:
            raise ProbeFailure(
                Reason.TLS, "{} came in plain text where TLS should begin", PeerText(await stream.upcoming(1))
            )
        self.packets.send(wire.tls_request(self.capabilities))


class Session:
    """A connection for queries. Always `close` it."""

    __slots__ = ("_opening", "_packets", "_run", "_stream")

    def __init__(self, stream: StoreStream, opening: Opening, run: Run) -> None:
        self._stream = stream
        self._opening = opening
        self._packets = opening.packets
        self._run = run

    async def log_in(self, spec: MysqlSpec, proof: Proof) -> None:
        """Log in, and wait until the server accepts queries.

        Raises:
            ProbeFailure: `login`, `full`, `answer`, `protocol`, `size`, `disconnect`.
        """
        self._run.awaited = "the answer to the login"
        said = self._opening.greeting
        # If the plugin in the greeting is not the user's, the server asks to switch.
        plugin = said.plugin if said.plugin in WITHOUT_PASSWORD else NATIVE
        response = proof.first(plugin, said.scramble)
        self._packets.send(
            wire.login(
                self._opening.capabilities, spec.username, response, spec.database, plugin, PROGRAM_NAME
            )
        )
        for _ in range(MAX_STEPS):
            body = await self._packets.next()
            if body[0] == wire.OK:
                return
            if body[0] == wire.ERROR:
                raise login_failure(server_error(body), spec.username, spec.database)
            answer: bytes | None
            if body[0] == SWITCH:
                reader = Reader(body, 1)
                plugin, scramble = reader.until_nul(), reader.rest()
                answer = proof.first(plugin, scramble[: wire.SCRAMBLE_BYTES])
            elif body[0] == MORE:
                answer = proof.more(plugin, body[1:])
            else:
                raise strange(body)
            if answer is not None:
                self._packets.send(answer)
        raise ProbeFailure(Reason.PROTOCOL, "the server does not finish the login")

    async def ask(self, statement: str) -> list[Row]:
        """Return the rows of a statement; an empty list if it returns none.

        Raises:
            ProbeFailure: `answer`, after which another query may follow; `login`, `disconnect`, `protocol`,
                `size`.
        """
        self._run.awaited = "the answer to a question"
        self._packets.command(wire.COM_QUERY + statement.encode())
        body = await self._answer()
        if body[0] == wire.OK:
            return []
        if body[0] == wire.LOCAL_FILE:
            raise ProbeFailure(
                Reason.PROTOCOL,
                "the server asks for the file {} of the exporter's machine",
                PeerText(body[1:]),
            )
        count = Reader(body).length() or 0
        if count > wire.MAX_COLUMNS:
            raise ProbeFailure(Reason.SIZE, f"the server answered with more than {wire.MAX_COLUMNS} columns")
        names = [_column(await self._answer()) for _ in range(count)]
        if not wire.is_end(await self._answer()):
            raise strange(body)
        rows: list[Row] = []
        while not wire.is_end(body := await self._answer()):
            if len(rows) == wire.MAX_ROWS:
                raise ProbeFailure(Reason.SIZE, f"the server answered with more than {wire.MAX_ROWS} rows")
            reader = Reader(body)
            values = [reader.text() for _ in names]
            rows.append({name: value for name, value in zip(names, values, strict=True) if value is not None})
        return rows

    async def _answer(self) -> bytes:
        """Return the next packet of an answer. An error packet raises `answer` or `login`."""
        body = await self._packets.next()
        if body[0] == wire.ERROR:
            raise answer_failure(server_error(body))
        return body

    async def leave(self) -> None:
        """End the connection properly, so that the server does not count an aborted client."""
        self._packets.command(wire.COM_QUIT)
        await self._stream.flush()

    def close(self) -> None:
        """Drop the connection."""
        self._stream.close()


async def open_session(spec: MysqlSpec, tls: Tls | None, run: Run) -> Session:
    """Return a new connection before the login. Enters `resolve`, `connect`, which includes TLS, and `login`, which
    includes the greeting if there is no TLS.

    Raises:
        ProbeFailure: `resolve`, `connect`, `tls`, `certificate`, and as `Opening.greet`.
    """
    opening = Opening(spec, run)
    stream = await open_stream(spec, tls, run, opening.offer_tls)
    try:
        run.enter("login")
        if tls is None:
            await opening.greet(stream)
    except BaseException:
        stream.close()
        raise
    return Session(stream, opening, run)


def _column(body: bytes) -> str:
    """Return the name of a column in lower case, because the products differ in that."""
    reader = Reader(body)
    for _ in range(4):  # catalog, database, and the table by two names
        reader.text()
    return (reader.text() or b"").decode("utf-8", "replace").lower()
