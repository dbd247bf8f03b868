"""Connection to a PostgreSQL server: TLS, login, and queries that return one row."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.postgresql.errors import answer_failure, login_failure
from exporter.probes.postgresql.wire import (
    SSL_REQUEST,
    TERMINATE,
    Messages,
    columns,
    server_error,
    strange,
    values,
)
from exporter.probes.stores.scram import Exchange
from exporter.probes.stores.stream import open_stream
from exporter.saslprep import saslprep

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import PostgresqlSpec
    from exporter.probes.measure import Run
    from exporter.probes.postgresql.wire import ServerError
    from exporter.probes.stores.scram import KeyMaker, Mechanism
    from exporter.probes.stores.stream import StoreStream
    from exporter.probes.tls.handshake import Tls

SCRAM: Mechanism = "SCRAM-SHA-256"
OK, CLEARTEXT, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
"""Kinds of authentication messages."""


class Session:
    """A connection for queries. Always `close` it."""

    __slots__ = ("_messages", "_run", "_stream")

    def __init__(self, stream: StoreStream, run: Run) -> None:
        self._stream = stream
        self._run = run
        self._messages = Messages(stream)

    async def log_in(
        self, startup: bytes, spec: PostgresqlSpec, password: str | None, keys: KeyMaker
    ) -> None:
        """Send the first message (`wire.startup`), log in, and wait until the server is ready for queries.

        Raises:
            ProbeFailure: `login`, `full`, `answer`, `protocol`, `size`, `disconnect`.
        """
        self._run.enter("login")
        self._run.awaited = "the answer to the login"
        self._messages.send(b"", startup)
        kind, body = await self._authentication(spec)
        if kind == CLEARTEXT:
            self._reply(_needed(password).encode() + b"\0")
        elif kind == MD5:
            self._reply(_md5(spec.username, _needed(password), body[:4]))
        elif kind == SASL:
            await self._scram(body, _needed(password), spec, keys)
        elif kind != OK:
            raise ProbeFailure(Reason.LOGIN, f"the server requires an unsupported login method ({kind})")
        if kind != OK:
            await self._authentication(spec, OK)
        while True:
            kind_, body = await self._messages.next(b"KZE")
            if kind_ == b"E":
                raise self._refused(server_error(body), spec)
            if kind_ == b"Z":
                return

    async def _scram(self, offered: bytes, password: str, spec: PostgresqlSpec, keys: KeyMaker) -> None:
        if SCRAM.encode() not in offered.split(b"\0"):
            raise ProbeFailure(Reason.LOGIN, f"the server does not offer {SCRAM}")
        # The user is in the first message. PostgreSQL can be configured to any number of iterations.
        exchange = Exchange(SCRAM, "", min_iterations=1)
        first = exchange.first()
        self._reply(SCRAM.encode() + b"\0" + len(first).to_bytes(4, "big") + first)
        exchange.challenge((await self._authentication(spec, SASL_CONTINUE))[1])
        made = await keys.keys(exchange, _prepared(password), self._run)
        self._reply(exchange.proof(made))
        exchange.check((await self._authentication(spec, SASL_FINAL))[1], made)

    async def _authentication(self, spec: PostgresqlSpec, wanted: int | None = None) -> tuple[int, bytes]:
        """Return the next authentication message, which must be the `wanted` one."""
        kind, body = await self._messages.next(b"RE")
        if kind == b"E":
            raise self._refused(server_error(body), spec)
        number = int.from_bytes(body[:4], "big")
        if len(body) < 4 or wanted not in (None, number):
            raise strange(kind + body[:4])
        return number, body[4:]

    def _reply(self, body: bytes) -> None:
        self._messages.send(b"p", body)

    @staticmethod
    def _refused(error: ServerError, spec: PostgresqlSpec) -> ProbeFailure:
        return login_failure(error, spec.username, spec.database)

    async def ask(self, statements: str) -> dict[str, bytes]:
        """Return the only row of the last of `statements`: values by column, without those that are NULL.

        Raises:
            ProbeFailure: `answer`, after which another query is possible unless the server closed the connection;
                `disconnect`, `protocol`, `size`.
        """
        self._run.awaited = "the answer to a query"
        self._messages.send(b"Q", statements.encode() + b"\0")
        names: list[str] = []
        rows: list[dict[str, bytes]] = []
        failure: ProbeFailure | None = None
        while True:
            kind, body = await self._messages.next(b"TDCEZ")
            if kind == b"Z":
                break
            if kind == b"E":
                error = server_error(body)
                failure = failure or answer_failure(error)
                if error.fatal:
                    raise failure
            elif kind == b"T":
                names, rows = columns(body), []
            elif kind == b"D":
                row = zip(names, values(body), strict=False)
                rows.append({name: value for name, value in row if value is not None})
        if failure is not None:
            raise failure
        if len(rows) != 1:
            raise ProbeFailure(Reason.PROTOCOL, "the server answered a query with no row or with several")
        return rows[0]

    async def leave(self) -> None:
        """End the session in an orderly way, so that the server does not log a lost connection."""
        self._stream.send(TERMINATE)
        await self._stream.flush()

    def close(self) -> None:
        """Drop the connection; the server cancels its work."""
        self._stream.close()


async def open_session(spec: PostgresqlSpec, tls: Tls | None, run: Run) -> Session:
    """Return a new connection, not logged in. Enters `resolve` and `connect`, which includes TLS.

    Raises:
        ProbeFailure: `resolve`, `connect`, `tls`, `certificate`, `disconnect`, `protocol`.
    """
    return Session(await open_stream(spec, tls, run, _offer_tls), run)


async def _offer_tls(stream: StoreStream) -> None:
    """Ask the server to start TLS.

    Raises:
        ProbeFailure: `tls` if it refuses; `protocol`, `disconnect`.
    """
    stream.send(SSL_REQUEST)
    start = await stream.upcoming(1)
    if start[:1] == b"N":
        raise ProbeFailure(Reason.TLS, "the server does not offer TLS")
    if start[:1] != b"S":
        # An error in plain text could come from anybody, so its text is not trusted.
        raise strange(start)
    await stream.exactly(1)
    if stream.has_more:
        # These bytes would be taken as the start of the handshake, or as a protected answer (CVE-2021-23222).
        raise ProbeFailure(
            Reason.TLS, "{} came in plain text where TLS should begin", PeerText(await stream.upcoming(1))
        )


def _needed(password: str | None) -> str:
    if not password:
        raise ProbeFailure(Reason.LOGIN, "the server requires a password, but the catalog has none")
    return password


def _prepared(password: str) -> bytes:
    """Return the password prepared for SCRAM. One that SCRAM does not allow is used unchanged, as in the server."""
    try:
        return saslprep(password).encode()
    except ValueError:
        return password.encode()


def _md5(username: str, password: str, salt: bytes) -> bytes:
    inner = hashlib.md5(password.encode() + username.encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode() + b"\0"
