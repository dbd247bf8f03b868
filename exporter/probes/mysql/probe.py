"""MySQL and MariaDB: log in, query the state, the connections, the replication and the size.

Any user that can log in can query the version and the connections. The role and the replication need REPLICATION
CLIENT (MariaDB: REPLICA MONITOR), the replicas of a MySQL primary REPLICATION SLAVE, and the size a privilege on the
tables. Facts that the user may not query are absent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe
from exporter.probes.mysql import questions
from exporter.probes.mysql.facts import (
    note_role,
    note_server,
    note_size,
    note_status,
    note_writes,
    product_of,
    values_of,
)
from exporter.probes.mysql.login import Proof
from exporter.probes.mysql.session import open_session
from exporter.probes.mysql.wire import encoded
from exporter.probes.stores.costly import Costly
from exporter.probes.stores.stream import read_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.catalog.planning.specs import MysqlSpec
    from exporter.probes.compile import Shared
    from exporter.probes.measure import Run
    from exporter.probes.mysql.facts import Values
    from exporter.probes.mysql.session import Row, Session
    from exporter.probes.tls.handshake import Tls

log = logging.getLogger(__name__)


class MysqlProbe(MeasuredProbe):
    """One connection, one login, and read-only queries.

    Raises:
        ValueError: a value cannot be sent to a server; one sentence.
        TlsError: a certificate file or key cannot be used.
    """

    __slots__ = ("_size", "_spec", "_tls")

    def __init__(self, spec: MysqlSpec, shared: Shared) -> None:
        self._spec = spec
        self._tls: Tls | None = None if spec.tls is None else shared.tls(spec.tls)
        for name, value in (("user", spec.username), ("database", spec.database or "")):
            if "\0" in value:
                raise ValueError(f"the {name} holds a NUL character")
        self._size = Costly("store_size")

    async def ask(self, run: Run) -> None:
        password = read_secret(self._spec.password, run) or ""
        if "\0" in password:
            raise ProbeFailure(Reason.SECRET, "the password holds a NUL character")
        session = await open_session(self._spec, self._tls, run)
        try:
            await session.log_in(self._spec, Proof(encoded(password), self._tls is not None))
            run.enter("query")
            settings = values_of(await session.ask(questions.SETTINGS))
            product = product_of(settings)
            await _look_around(session, settings, product, run)
            # The last query, because an abandoned one may still be answered.
            if await self._size.note(run, lambda seconds: _measure(session, product, run, seconds)):
                await session.leave()
        finally:
            session.close()


async def _look_around(session: Session, settings: Values, product: str, run: Run) -> None:
    note_server(settings, run.facts, run.secrets)
    note_role(settings, await _asked(session, questions.CHANNELS[product], run), run.facts)
    status = values_of(await _asked(session, (questions.STATUS,), run) or ())
    note_status(status, run.facts)
    note_writes(settings, status, run.facts)
    if run.facts.get("store_role") == "primary":
        replicas = await _asked(session, questions.REPLICAS[product], run)
        if replicas is not None:
            run.facts["store_replicas"] = len(replicas)


async def _measure(session: Session, product: str, run: Run, seconds: float) -> None:
    await _asked(session, questions.FRESH_SIZES[product], run)
    rows = await _asked(session, questions.size(product, seconds), run)
    note_size(rows or (), run.facts)


async def _asked(session: Session, statements: Sequence[str], run: Run) -> list[Row] | None:
    """Return the rows of the first statement that the server supports and this user may run; None if there is none."""
    for statement in statements:
        try:
            return await session.ask(statement)
        except ProbeFailure as failure:
            if failure.reason is not Reason.ANSWER:
                raise
            log.debug("%s: %s, in answer to %s", run.peer, failure.sentence.shown(run.secrets), statement)
    return None
