"""Facts from the answers of a MySQL or MariaDB server. Missing values, and values of the wrong type, are no facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.peer_text import Secrets
from exporter.probes.stores import values as store_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.probes.mysql.session import Row

Facts = dict[str, float | str]
Values = dict[str, bytes]

SWITCHES = {
    b"OFF": False, b"0": False, b"ON": True, b"1": True, b"NO_LOCK": True, b"NO_LOCK_NO_ADMIN": True,
}  # fmt: skip
"""Values of settings that are on or off; the last two are further values of MariaDB's `read_only`."""
THREADS = (("replica_io_running", "slave_io_running"), ("replica_sql_running", "slave_sql_running"))
LAG = ("seconds_behind_source", "seconds_behind_master")
"""Columns of a channel's state: the name in MySQL 8.0.22 or later, then the name in all others."""


def values_of(rows: Iterable[Row]) -> Values:
    """Return the values of SHOW VARIABLES and SHOW STATUS by their names in lower case."""
    pairs = [(row.get("variable_name", b""), row.get("value", b"")) for row in rows]
    return {name.decode("utf-8", "replace").lower(): value for name, value in pairs}


def note_server(settings: Values, facts: Facts, secrets: Secrets) -> None:
    """Note `store_version`, `store_product` and `store_connections_max`."""
    version = store_values.version(settings.get("version", b""), secrets)
    if version is not None:
        facts["store_version"] = version
        facts["store_product"] = product_of(settings)
    _note(facts, "store_connections_max", _number(settings.get("max_connections", b"")))


def product_of(settings: Values) -> str:
    """Return `mariadb`, or `mysql` for MySQL, Percona Server and other servers with its protocol."""
    return "mariadb" if b"mariadb" in settings.get("version", b"").lower() else "mysql"


def note_status(status: Values, facts: Facts) -> None:
    """Note `store_connections`, `store_uptime` and, of a primary that is MariaDB, `store_replicas`."""
    _note(facts, "store_connections", _number(status.get("threads_connected", b"")))
    _note(facts, "store_uptime", _number(status.get("uptime", b"")))
    if facts.get("store_role") == "primary":
        _note(facts, "store_replicas", _number(status.get("slaves_connected", b"")))


def note_role(settings: Values, channels: Sequence[Row] | None, facts: Facts) -> None:
    """Note `store_role`, and the replication of a replica. `channels`: None if the user may not query them.

    A member of a MySQL replication group is a replica while it refuses writes. A server without channels whose InnoDB
    is read-only, such as a reader of Aurora, follows a primary without saying so: it has no role.
    """
    if settings.get("group_replication_group_name"):
        read_only = _switch(settings, "super_read_only")
        if read_only is not None:
            facts["store_role"] = "replica" if read_only else "primary"
    elif channels:
        facts["store_role"] = "replica"
        _note_replication(channels, facts)
    elif channels is not None and not _switch(settings, "innodb_read_only"):
        facts["store_role"] = "primary"


def _note_replication(channels: Sequence[Row], facts: Facts) -> None:
    """Note whether all channels receive and apply changes, and the largest lag.

    The lag of a channel is NULL while one of its threads is stopped. Then the largest lag is unknown.
    """
    threads = [_first(row, names) for row in channels for names in THREADS]
    facts["store_replication_connected"] = 1 if all(state == b"Yes" for state in threads) else 0
    lags = [_number(_first(row, LAG)) for row in channels]
    known = [lag for lag in lags if lag is not None]
    if len(known) == len(lags):
        facts["store_replication_lag"] = max(known)


def note_writes(settings: Values, status: Values, facts: Facts) -> None:
    """Note whether a primary accepts writes, and the cause if not."""
    if facts.get("store_role") != "primary":
        return
    read_only = _switch(settings, "read_only")
    if _switch(settings, "wsrep_on") and _switch(status, "wsrep_ready") is False:
        facts["store_writes_refused"] = "cluster"
    elif read_only:
        facts["store_writes_refused"] = "read_only"
    elif read_only is None:
        return
    facts["store_accepts_writes"] = 0 if "store_writes_refused" in facts else 1


def note_size(rows: Iterable[Row], facts: Facts) -> None:
    """Note `store_size`. It is NULL for a user that can see no table."""
    for row in rows:
        _note(facts, "store_size", _number(row.get("store_size", b"")))


def _switch(values: Values, name: str) -> bool | None:
    return SWITCHES.get(values.get(name, b""))


def _first(row: Row, names: Iterable[str]) -> bytes:
    return next((row[name] for name in names if name in row), b"")


def _number(raw: bytes) -> float | None:
    return store_values.amount(raw, Secrets())


def _note(facts: Facts, key: str, value: float | str | None) -> None:
    if value is not None:
        facts[key] = value
