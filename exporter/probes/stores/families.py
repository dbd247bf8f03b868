"""Families that several protocols of databases export."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Text, Value

STORE = (
    Family(
        "probe_store_duration_seconds",
        "gauge",
        "Time of each phase: resolve, connect (with TLS), login and query of a server, open and query of a file.",
        Phases(("resolve", "connect", "login", "open", "query")),
    ),
    Family(
        "store_version_info",
        "gauge",
        "The version that the store says it is.",
        Text("version", "store_version"),
    ),
)
"""Of every store; also `SIZE`."""

SERVER = (
    *STORE,
    Family(
        "store_role_info", "gauge", "What the server is now: primary or replica.", Text("role", "store_role")
    ),
    Family(
        "store_connections",
        "gauge",
        "Connections in use, with the probe's own.",
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
        "How far a replica is behind its primary: what a replica says of itself; absent when it cannot know. A primary "
        "that knows its replicas reports the furthest behind.",
        Value("store_replication_lag"),
    ),
    Family("store_replicas", "gauge", "Replicas that are connected to a primary.", Value("store_replicas")),
    Family(
        "store_replication_connected",
        "gauge",
        "Whether a replica receives from its primary: PostgreSQL's WAL receiver streams, Redis's link is up, MongoDB's "
        "member has a source and is neither recovering nor rolling back. Without a connection its lag says little.",
        Value("store_replication_connected"),
    ),
    Family(
        "store_accepts_writes",
        "gauge",
        "Whether a primary takes writes, as far as it says; absent of a replica.",
        Value("store_accepts_writes"),
    ),
    Family(
        "store_writes_refused_info",
        "gauge",
        "Why the server refuses writes; absent while it takes them. cause: memory (Redis is at maxmemory and has "
        "nothing to evict), cluster (Redis Cluster is down), replicas (fewer than min-replicas-to-write), read_only "
        "(PostgreSQL's default_transaction_read_only, MongoDB's readOnly).",
        Text("cause", "store_writes_refused"),
    ),
)
"""Of every store that is a server; also `SIZE`."""

SIZE = Family(
    "store_size_bytes",
    "gauge",
    "Size of the data: all databases of PostgreSQL that the user may see, the memory of Redis's data, the storage "
    "of MongoDB's databases, the file of SQLite.",
    Value("store_size"),
)
