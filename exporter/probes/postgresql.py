"""PostgreSQL: that it lets a user in and answers, what it is, how full it is, and how far its replicas are behind.

Any role that may log in is enough for the version, the role of the server, the connections and, on a replica, the lag.
A role with `pg_monitor` sees the rest: the size of databases that it may not connect to, and a primary's replicas.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from exporter.catalog.secrets import SecretError
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe, Run, clock
from exporter.probes.postgresql_certificate import explained
from exporter.probes.postgresql_conninfo import fixed
from exporter.probes.postgresql_session import open_session

if TYPE_CHECKING:
    from exporter.catalog.specs import PostgresqlSpec
    from exporter.probes.compile import Shared
    from exporter.probes.postgresql_session import Session

log = logging.getLogger(__name__)

HARMLESS = "SET TRANSACTION READ ONLY; SET LOCAL search_path = pg_catalog;"
"""Before every question: nothing is changed, and the functions are the server's own."""

STATE = """
SELECT split_part(current_setting('server_version'), ' ', 1) AS store_version,
       CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END AS store_role
"""
"""What every server answers to everybody; each column is a fact."""

CONNECTIONS = """
SELECT count(*) FILTER (WHERE CASE WHEN backend_type IS NULL THEN datid IS NOT NULL
                                   ELSE backend_type = 'client backend' END) AS store_connections,
       current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0) AS store_connections_max
FROM pg_stat_activity
"""
"""The limit is that of ordinary roles: beyond it only superusers are let in, and the applications are not. Of other
roles' processes one without `pg_monitor` sees only whether they are in a database: an autovacuum worker then counts."""

LAG_OF_REPLICA = """
SELECT extract(epoch FROM CASE
           WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
                AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status = 'streaming', pid IS NOT NULL))
           THEN interval '0'
           ELSE greatest(clock_timestamp() - pg_last_xact_replay_timestamp(), interval '0')
       END) AS store_replication_lag
"""
"""A replica that has replayed all that it received is behind only if it receives no more: the time of the last
transaction alone would let a replica of an idle primary look ever later."""

REPLICAS_OF_PRIMARY = """
SELECT CASE WHEN count(*) = count(state) THEN count(*) FILTER (WHERE state <> 'backup') END AS store_replicas,
       extract(epoch FROM max(CASE WHEN replay_lsn >= pg_current_wal_lsn() THEN interval '0' ELSE replay_lag END))
           AS store_replication_lag
FROM pg_stat_replication
WHERE pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active_pid IS NOT NULL)
"""
"""Base backups and subscribers of logical replication are no replicas. Without `pg_monitor` one cannot be told from
the other, and there is no number unless it is 0. The lag is NULL of a replica that is idle and up to date."""

SIZE = """
SELECT sum(pg_database_size(oid)) AS store_size FROM pg_database
WHERE has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
"""
"""The server looks at every file of every table for it."""

SIZE_SHARE = 0.01
"""The part of all time that the server may spend on its size: after an answer that took a second, the next question
waits for a hundred, and the size that was measured stays until then."""

SIZE_PATIENCE = 0.5
"""The part of a run's time left that an answer to it is waited for."""

TEXTS = {"store_version", "store_role"}
"""Facts that are no numbers."""


class PostgresqlProbe(MeasuredProbe):
    """One connection, one login, and questions that change nothing.

    Raises:
        ValueError: a value cannot be said to libpq; one sentence.
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_fixed", "_size", "_size_due", "_spec", "_tls")

    def __init__(self, spec: PostgresqlSpec, shared: Shared) -> None:
        self._spec = spec
        # libpq makes its own context of the files; made here as well, a wrong one is an error of the load.
        self._tls = None if spec.tls is None else shared.tls(spec.tls)
        self._fixed = fixed(spec)
        self._size: float | str | None = None
        self._size_due = 0.0

    async def ask(self, run: Run) -> None:
        password = self._password()
        try:
            session = await open_session(self._spec, self._fixed, password, run)
        except ProbeFailure as failure:
            if failure.reason is not Reason.CERTIFICATE or self._tls is None:
                raise
            raise await explained(failure, self._tls, self._spec, run) from None
        try:
            run.enter("query")
            run.facts.update(await _answer(session, STATE, run.time_left()))
            replica = run.facts["store_role"] == "replica"
            for question in (CONNECTIONS, LAG_OF_REPLICA if replica else REPLICAS_OF_PRIMARY):
                await _note_if_allowed(session, question, run, run.time_left())
            await self._note_size(session, run)
        finally:
            session.close()

    def _password(self) -> str:
        if self._spec.password is None:
            return ""
        try:
            password = self._spec.password.read()
        except SecretError as error:
            raise ProbeFailure(Reason.SECRET, str(error)) from None
        if "\0" in password:
            raise ProbeFailure(Reason.SECRET, "the password holds a NUL character")
        return password

    async def _note_size(self, session: Session, run: Run) -> None:
        """Last of all, since after a time-out the answer is still to come."""
        began = clock()
        if began >= self._size_due:
            patience = run.time_left() * SIZE_PATIENCE
            self._size = None
            try:
                async with asyncio.timeout(patience) as limit:
                    await _note_if_allowed(session, SIZE, run, patience)
            except TimeoutError:
                if not limit.expired():
                    raise
            self._size = run.facts.get("store_size")
            self._size_due = clock() + (clock() - began) / SIZE_SHARE
        elif self._size is not None:
            run.facts["store_size"] = self._size


async def _note_if_allowed(session: Session, question: str, run: Run, seconds: float) -> None:
    """Note the answer; none of a server that has no such thing, or does not tell it to this role."""
    try:
        run.facts.update(await _answer(session, question, seconds))
    except ProbeFailure as failure:
        if failure.reason is not Reason.ANSWER:
            raise
        log.debug("%s: %s, asked for %s", run.peer, failure.detail, " ".join(question.split()))


async def _answer(session: Session, question: str, seconds: float) -> dict[str, float | str]:
    """Facts by the names of columns. The settings end with the question, also where a pooler such as PgBouncer gives
    the connection to another client after it."""
    limit = max(1, int(seconds * 1000))
    row = await session.ask(f"{HARMLESS} SET LOCAL statement_timeout = {limit}; {question}")
    try:
        return {name: value.decode() if name in TEXTS else float(value) for name, value in row.items()}
    except ValueError:
        raise ProbeFailure(Reason.PROTOCOL, "the server answered a question with what is no number") from None
