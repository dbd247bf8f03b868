"""Probe of PostgreSQL: can you log in, what are version and role, how many connections, how far behind is the replica.

Any role that may log in can read the version, the role of the server, the connections and, on a replica, its link and
lag. `pg_monitor` is needed for the rest: the size of databases that the role may not connect to, and the replicas of a
primary.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe, Run
from exporter.probes.postgresql.questions import (
    CONNECTIONS,
    HARMLESS,
    REPLICA,
    REPLICAS_OF_PRIMARY,
    SIZE,
    STATE,
    WRITES,
)
from exporter.probes.postgresql.session import open_session
from exporter.probes.postgresql.wire import startup
from exporter.probes.stores.costly import Costly
from exporter.probes.stores.scram import KeyMaker
from exporter.probes.stores.stream import read_secret

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import PostgresqlSpec
    from exporter.probes.compile import Shared
    from exporter.probes.postgresql.questions import Question
    from exporter.probes.postgresql.session import Session
    from exporter.probes.tls.handshake import Tls

log = logging.getLogger(__name__)

APPLICATION_NAME = "pageforge-exporter"


class PostgresqlProbe(MeasuredProbe):
    """One connection, one login, and read-only queries.

    Raises:
        ValueError: a value cannot be sent to a server; one sentence.
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_keys", "_size", "_spec", "_startup", "_tls")

    def __init__(self, spec: PostgresqlSpec, shared: Shared) -> None:
        self._spec = spec
        self._tls: Tls | None = None if spec.tls is None else shared.tls(spec.tls)
        self._startup = startup(
            {
                "user": spec.username,
                "database": spec.database,
                "application_name": APPLICATION_NAME,
                "client_encoding": "UTF8",
            }
        )
        self._keys = KeyMaker()
        self._size = Costly("store_size")

    async def ask(self, run: Run) -> None:
        password = read_secret(self._spec.password, run)
        if password and "\0" in password:
            raise ProbeFailure(Reason.SECRET, "the password holds a NUL character")
        session = await open_session(self._spec, self._tls, run)
        try:
            await session.log_in(self._startup, self._spec, password, self._keys)
            run.enter("query")
            run.facts.update(await _answer(session, STATE, run, run.time_left()))
            of_role = {"replica": (REPLICA,), "primary": (REPLICAS_OF_PRIMARY, WRITES)}
            for question in (CONNECTIONS, *of_role.get(str(run.facts.get("store_role")), ())):
                await _note_if_allowed(session, question, run, run.time_left())
            # The last query, because an abandoned one may still be answered.
            if await self._size.note(run, lambda seconds: _note_if_allowed(session, SIZE, run, seconds)):
                await session.leave()
        finally:
            session.close()


async def _note_if_allowed(session: Session, question: Question, run: Run, seconds: float) -> None:
    """Note the answer; nothing if the server does not support the query or refuses it to this role."""
    try:
        run.facts.update(await _answer(session, question, run, seconds))
    except ProbeFailure as failure:
        if failure.reason is not Reason.ANSWER:
            raise
        detail = failure.sentence.shown(run.secrets)
        log.debug("%s: %s, in answer to %s", run.peer, detail, " ".join(question.sql.split()))


async def _answer(session: Session, question: Question, run: Run, seconds: float) -> dict[str, float | str]:
    """Return the facts by column name.

    The settings end with the query, even if a pooler such as PgBouncer then gives the connection to another client.
    """
    limit = max(1, int(seconds * 1000))
    row = await session.ask(f"{HARMLESS} SET LOCAL statement_timeout = {limit}; {question.sql}")
    return question.facts(row, run.secrets)
