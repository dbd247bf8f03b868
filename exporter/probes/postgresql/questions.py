"""Queries for a PostgreSQL server, and the expected columns of their answers.

The server controls the names and values of its answer. Only the listed columns become facts, and only with values of
their type: NULL, or text instead of a number, is omitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.probes.stores import values as store_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.peer_text import Secrets
    from exporter.probes.stores.values import Reader

HARMLESS = "SET TRANSACTION READ ONLY; SET LOCAL search_path = pg_catalog;"
"""Put before every query: it cannot change anything, and uses only the server's built-in functions."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query. `columns`: the facts in its answer, and the reader of each."""

    sql: str
    columns: Mapping[str, Reader]

    def facts(self, row: Mapping[str, bytes], secrets: Secrets) -> dict[str, float | str]:
        """Return the facts in a row of the answer."""
        read = {name: reader(row.get(name, b""), secrets) for name, reader in self.columns.items()}
        return {name: value for name, value in read.items() if value is not None}


STATE = Question(
    """
SELECT split_part(current_setting('server_version'), ' ', 1) AS store_version,
       CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END AS store_role
""",
    {"store_version": store_values.version, "store_role": store_values.one_of("primary", "replica")},
)
"""Every server answers this to every role."""

CONNECTIONS = Question(
    """
SELECT count(*) FILTER (WHERE CASE WHEN backend_type IS NULL THEN datid IS NOT NULL
                                   ELSE backend_type = 'client backend' END) AS store_connections,
       current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0) AS store_connections_max
FROM pg_stat_activity
""",
    {"store_connections": store_values.amount, "store_connections_max": store_values.amount},
)
"""The limit is that for ordinary roles: beyond it the server accepts superusers, but not the applications. Without
`pg_monitor` a role sees of other roles' processes only whether they use a database; autovacuum workers then count."""

REPLICA = Question(
    """
SELECT extract(epoch FROM CASE
           WHEN connected AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN interval '0'
           WHEN pg_last_xact_replay_timestamp() IS NOT NULL
           THEN greatest(clock_timestamp() - pg_last_xact_replay_timestamp(), interval '0')
       END) AS store_replication_lag,
       CASE WHEN connected THEN 1
            WHEN coalesce(current_setting('restore_command', true), '') = '' THEN 0
            WHEN NOT pg_has_role('pg_read_all_settings', 'USAGE') THEN NULL
            WHEN current_setting('primary_conninfo', true) <> '' THEN 0
       END AS store_replication_connected
FROM (SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status = 'streaming', pid IS NOT NULL))
             AS connected) AS receiver
""",
    {"store_replication_lag": store_values.amount, "store_replication_connected": store_values.flag},
)
"""A connected replica that has replayed all it received has no lag: judged by its last transaction alone, a replica of
an idle primary would seem to fall further and further behind. A replica that has replayed nothing since its start and
receives nothing does not know its lag. One that only restores archived WAL needs no connection."""

REPLICAS_OF_PRIMARY = Question(
    """
SELECT CASE WHEN count(*) = count(state) THEN count(*) FILTER (WHERE state <> 'backup') END AS store_replicas,
       extract(epoch FROM max(CASE WHEN replay_lsn >= pg_current_wal_lsn() THEN interval '0' ELSE replay_lag END))
           AS store_replication_lag
FROM pg_stat_replication
WHERE pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active_pid IS NOT NULL)
""",
    {"store_replicas": store_values.amount, "store_replication_lag": store_values.amount},
)
"""Base backups and subscribers of logical replication are not replicas. Without `pg_monitor` they cannot be told apart,
so the number is unknown unless it is 0. The lag of an idle replica that is up to date is NULL."""

WRITES = Question(
    """
SELECT CASE WHEN bool_or(setting = 'on') THEN 0 WHEN count(*) > 0 THEN 1 END AS store_accepts_writes,
       CASE WHEN bool_or(setting = 'on') THEN 'read_only' END AS store_writes_refused
FROM pg_settings
WHERE name = 'default_transaction_read_only' AND source NOT IN ('user', 'database user', 'client', 'session')
""",
    {"store_accepts_writes": store_values.flag, "store_writes_refused": store_values.one_of("read_only")},
)
"""No answer if the setting is that of the probe's role, which says nothing about writes of other roles."""

SIZE = Question(
    """
SELECT sum(pg_database_size(oid)) AS store_size FROM pg_database
WHERE has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
""",
    {"store_size": store_values.amount},
)
"""For this query the server checks every file of every table."""
