"""The questions to a MySQL or MariaDB server. All are constant, and none changes anything.

Where versions differ there are several statements, of which a server knows at least one. Trying them is surer than a
number, which a proxy or another product may have chosen.
"""

from __future__ import annotations


def _in(*names: str) -> str:
    return f"WHERE Variable_name IN ({', '.join(repr(name) for name in names)})"


SETTINGS = "SHOW GLOBAL VARIABLES " + _in(
    *("version", "max_connections", "read_only", "super_read_only", "innodb_read_only", "wsrep_on"),
    "group_replication_group_name",
)
"""What every server answers to everybody. Of a server that lacks a setting, it is not in the answer."""

STATUS = "SHOW GLOBAL STATUS " + _in("Threads_connected", "Uptime", "Slaves_connected", "wsrep_ready")

CHANNELS = {
    "mariadb": ("SHOW ALL SLAVES STATUS",),
    "mysql": ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"),
}
"""What a replica receives, one row a channel. It needs REPLICATION CLIENT, of MariaDB from 10.5 on REPLICA MONITOR."""

REPLICAS = {"mariadb": (), "mysql": ("SHOW REPLICAS", "SHOW SLAVE HOSTS")}
"""A row for each replica that is connected. It needs REPLICATION SLAVE; MariaDB has the number in its status."""

_SIZE = (
    "SELECT {}SUM(data_length + index_length) AS store_size FROM information_schema.tables "
    "WHERE table_schema NOT IN ('information_schema', 'performance_schema')"
)

FRESH_SIZES = {"mariadb": (), "mysql": ("SET SESSION information_schema_stats_expiry = 0",)}
"""Or MySQL 8 answers with sizes of up to a day ago. Earlier versions have no such setting."""


def size(product: str, seconds: float) -> tuple[str, ...]:
    """Return the question for the size of all tables that the user may see.

    The server looks at every one of them for it, and goes on with that when nobody waits for it any more. So it gets a
    limit.
    """
    if product == "mariadb":
        return (f"SET STATEMENT max_statement_time = {max(0.001, seconds):.3f} FOR " + _SIZE.format(""),)
    return (_SIZE.format(f"/*+ MAX_EXECUTION_TIME({max(1, int(seconds * 1000))}) */ "),)
