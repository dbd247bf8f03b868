"""The queries to a MySQL or MariaDB server. All are constant and read-only.

If versions differ there are several statements, of which a server supports at least one. They are tried in order: the
version number can be that of a proxy, or of another product.
"""

from __future__ import annotations


def _in(*names: str) -> str:
    return f"WHERE Variable_name IN ({', '.join(repr(name) for name in names)})"


SETTINGS = "SHOW GLOBAL VARIABLES " + _in(
    *("version", "max_connections", "read_only", "super_read_only", "innodb_read_only", "wsrep_on"),
    "group_replication_group_name",
)
"""Every user can query these. Settings that a server does not have are not in the answer."""

STATUS = "SHOW GLOBAL STATUS " + _in("Threads_connected", "Uptime", "Slaves_connected", "wsrep_ready")

CHANNELS = {
    "mariadb": ("SHOW ALL SLAVES STATUS",),
    "mysql": ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"),
}
"""The state of a replica, one row per channel. It needs REPLICATION CLIENT, of MariaDB from 10.5 on REPLICA MONITOR."""

REPLICAS = {"mariadb": (), "mysql": ("SHOW REPLICAS", "SHOW SLAVE HOSTS")}
"""One row per connected replica. It needs REPLICATION SLAVE. MariaDB has the number in its status."""

_SIZE = (
    "SELECT {}SUM(data_length + index_length) AS store_size FROM information_schema.tables "
    "WHERE table_schema NOT IN ('information_schema', 'performance_schema')"
)

FRESH_SIZES = {"mariadb": (), "mysql": ("SET SESSION information_schema_stats_expiry = 0",)}
"""Otherwise MySQL 8 returns sizes that are up to a day old. Earlier versions have no such setting."""


def size(product: str, seconds: float) -> tuple[str, ...]:
    """Return the query for the size of all tables that the user can see.

    The server opens every table for it, and continues after the client has gone. So the query has a time limit.
    """
    if product == "mariadb":
        return (f"SET STATEMENT max_statement_time = {max(0.001, seconds):.3f} FOR " + _SIZE.format(""),)
    return (_SIZE.format(f"/*+ MAX_EXECUTION_TIME({max(1, int(seconds * 1000))}) */ "),)
