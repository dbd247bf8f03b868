"""One connection of libpq, driven by the event loop, so that each phase is known and no name is resolved in a thread.

psycopg's own connections wait for connecting, TLS and login at once; its layer `psycopg.pq` tells where they are.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from functools import partial
from typing import TYPE_CHECKING

from psycopg import OperationalError
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PollingStatus
from psycopg.pq import PGconn as LibpqConnection

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.connect import ATTEMPT_DELAY, note_address, shown
from exporter.probes.postgresql_conninfo import text
from exporter.probes.postgresql_errors import (
    answer_failure,
    connect_failure,
    disconnected,
    login_failure,
)
from exporter.probes.race import race
from exporter.probes.resolve import resolve

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

    from exporter.catalog.specs import PostgresqlSpec
    from exporter.probes.measure import Run
    from exporter.probes.resolve import Address

CONNECTING = {ConnStatus.STARTED, ConnStatus.MADE, ConnStatus.SSL_STARTUP}
"""Before the server was told who wants to log in: TCP and TLS."""

# psycopg does not offer this call, without which libpq keeps the SQLSTATE of a refused login to itself, and words alone
# are in the server's language. The library that psycopg is linked with is found through psycopg's own module, which is
# a library itself unless psycopg was told to do without.
try:
    _set_error_verbosity = ctypes.CDLL(sys.modules[LibpqConnection.__module__].__file__).PQsetErrorVerbosity
except OSError:
    raise ModuleNotFoundError("psycopg is there without its compiled part", name="psycopg_binary") from None
_set_error_verbosity.argtypes = (ctypes.c_void_p, ctypes.c_int)
_VERBOSE = 2


class Session:
    """A connection on which questions can be asked. `close` it in any case."""

    __slots__ = ("_password", "_pg", "_run")

    def __init__(self, pg: PGconn, password: str, run: Run) -> None:
        self._pg = pg
        self._password = password
        self._run = run

    async def ask(self, statements: str) -> dict[str, bytes]:
        """The one row that the last of `statements` answers: values by column, without those that are NULL.

        Raises:
            ProbeFailure: `answer`, after which another question may be asked; `disconnect`, `protocol`.
        """
        pg = self._pg
        try:
            pg.send_query(statements.encode())
            while pg.flush():
                await _ready(pg.socket, PollingStatus.WRITING)
            last: PGresult | None = None
            failure: ProbeFailure | None = None
            while (result := await self._result()) is not None:
                last = result
                failure = failure or self._failure(result)
        except OperationalError:
            raise disconnected(self._run.doing()) from None
        if failure is not None:
            raise failure
        if last is None or last.ntuples != 1:
            raise ProbeFailure(Reason.PROTOCOL, "the server answered a question with no row, or with several")
        row = {
            (last.fname(i) or b"").decode("utf-8", "replace"): last.get_value(0, i)
            for i in range(last.nfields)
        }
        return {name: value for name, value in row.items() if value is not None}

    async def _result(self) -> PGresult | None:
        pg = self._pg
        while pg.is_busy():
            await _ready(pg.socket, PollingStatus.READING)
            pg.consume_input()
        return pg.get_result()

    def _failure(self, result: PGresult) -> ProbeFailure | None:
        """What `result` says of an error.

        Raises:
            ProbeFailure: after it, no more can be had of this connection.
        """
        if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            return None
        if result.status != ExecStatus.FATAL_ERROR:
            raise ProbeFailure(
                Reason.PROTOCOL, "the server answered a question with something else than rows"
            )
        state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode("utf-8", "replace")
        words = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
        if not state:
            raise disconnected(self._run.doing())
        failure = answer_failure(state, words, self._password)
        if (result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED) or b"") in (b"FATAL", b"PANIC"):
            raise failure
        return failure

    def close(self) -> None:
        """Leave; the server ends what it is doing."""
        self._pg.finish()


async def open_session(spec: PostgresqlSpec, fixed: str, password: str, run: Run) -> Session:
    """Resolve, connect and log in. Enters `resolve`, `connect` and `login`; notes `ip_protocol` and `ip_addr`.

    `fixed`: of `postgresql_conninfo.fixed`.

    Raises:
        ProbeFailure: `resolve`, `connect`, `tls`, `certificate`, `disconnect`, `protocol`, `login`, `full`, `answer`.
        OSError: this machine has no socket left.
    """
    addresses = await resolve(spec.host, spec.ip_protocol, run)
    run.enter("connect")
    run.peer = f"{spec.host} port {spec.port}"
    ways = [partial(_connect, address, spec.port, fixed, password) for address in addresses]
    pg, address = await race(ways, ATTEMPT_DELAY)
    try:
        note_address(address, run)
        if spec.tls is not None:
            run.awaited = "the TLS handshake"
        await _log_in(pg, spec, password, run)
    except BaseException:
        pg.finish()
        raise
    return Session(pg, password, run)


async def _connect(address: Address, port: int, fixed: str, password: str) -> tuple[PGconn, Address]:
    """A connection of TCP, on which nothing was said yet."""
    own = {"hostaddr": address[1], "password": password}
    connection = LibpqConnection.connect_start(f"{fixed} {text(own)}".encode("utf-8", "surrogateescape"))
    pg: PGconn = connection
    try:
        _set_error_verbosity(connection.pgconn_ptr, _VERBOSE)  # type: ignore[attr-defined] # psycopg has it and does not declare it
        while pg.status == ConnStatus.STARTED:
            await _ready(pg.socket, PollingStatus.WRITING)
            pg.connect_poll()
    except BaseException:
        pg.finish()
        raise
    if pg.status == ConnStatus.BAD:
        message = _message(pg)
        pg.finish()
        raise connect_failure(message, shown(address[1], port))
    return pg, address


async def _log_in(pg: PGconn, spec: PostgresqlSpec, password: str, run: Run) -> None:
    connecting = True
    polling: int = PollingStatus.WRITING
    while polling != PollingStatus.OK:
        await _ready(pg.socket, polling)
        polling = pg.connect_poll()
        if polling == PollingStatus.FAILED:
            login = f"{spec.username!r} to {spec.database!r}"
            raise login_failure(_message(pg), login, run.doing(), password)
        if connecting and pg.status not in CONNECTING:
            connecting = False
            run.enter("login")
    # Set once connected: in between, libpq sets it as it needs it.
    pg.nonblocking = 1


async def _ready(descriptor: int, polling: int) -> None:
    """Wait until the socket can be read, or written."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    reading = polling == PollingStatus.READING
    (loop.add_reader if reading else loop.add_writer)(descriptor, _wake, ready)
    try:
        await ready
    finally:
        (loop.remove_reader if reading else loop.remove_writer)(descriptor)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _message(pg: PGconn) -> str:
    return pg.error_message.decode("utf-8", "replace")
