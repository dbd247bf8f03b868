"""Families that several protocols of databases export."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Text, Value

STORE = (
    Family(
        "probe_store_duration_seconds",
        "gauge",
        "Time of each phase: resolve, connect (with TLS), login and query for a server, open and query for a file.",
        Phases(("resolve", "connect", "login", "open", "query")),
    ),
    Family(
        "store_version_info",
        "gauge",
        "The version that the store reports; always 1.",
        Text("version", "store_version"),
    ),
)
"""For every store; also `SIZE`."""

SERVER = (
    *STORE,
    Family(
        "store_role_info",
        "gauge",
        "The current role of the server, primary or replica; always 1.",
        Text("role", "store_role"),
    ),
    Family(
        "store_connections",
        "gauge",
        "Connections in use, including that of the probe.",
        Value("store_connections"),
    ),
    Family(
        "store_connections_max",
        "gauge",
        "Connections that the server allows.",
        Value("store_connections_max"),
    ),
    Family(
        "store_replication_lag_seconds",
        "gauge",
        "How far a replica is behind its primary, as reported by the replica; absent if it does not know. On a primary "
        "that knows its replicas: the lag of the one furthest behind.",
        Value("store_replication_lag"),
    ),
    Family("store_replicas", "gauge", "Replicas connected to the primary.", Value("store_replicas")),
    Family(
        "store_replication_connected",
        "gauge",
        "1 if a replica receives from its primary: PostgreSQL's WAL receiver streams, MySQL's IO and SQL threads "
        "run, Redis's link is up, MongoDB's member has a source and is neither recovering nor rolling back. Without "
        "a connection its lag says little.",
        Value("store_replication_connected"),
    ),
    Family(
        "store_accepts_writes",
        "gauge",
        "1 if a primary accepts writes, as far as it reports; absent on a replica.",
        Value("store_accepts_writes"),
    ),
    Family(
        "store_writes_refused_info",
        "gauge",
        "Why the server refuses writes; absent while it accepts them. cause: memory (Redis is at maxmemory and has "
        "nothing to evict), cluster (Redis Cluster is down, or a Galera node is not ready), replicas (fewer than "
        "min-replicas-to-write), read_only (PostgreSQL's default_transaction_read_only, MySQL's read_only, MongoDB's "
        "readOnly).",
        Text("cause", "store_writes_refused"),
    ),
)
"""For every store that is a server; also `SIZE`."""

SIZE = Family(
    "store_size_bytes",
    "gauge",
    "Size of the data: all PostgreSQL databases and MySQL tables that the user may see, the memory of Redis's data, "
    "the storage of MongoDB's databases, the SQLite file.",
    Value("store_size"),
)

PRODUCT = Family(
    "store_product_info",
    "gauge",
    "The product that the server reports: mysql or mariadb, redis or valkey; always 1.",
    Text("product", "store_product"),
)

UPTIME = Family("store_uptime_seconds", "gauge", "Seconds since the server started.", Value("store_uptime"))
