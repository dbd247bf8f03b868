"""What probes of stores, of gRPC servers and of WebSockets add to the table of `metrics.families`."""

from __future__ import annotations

from exporter.metrics import samples
from exporter.metrics.family import Family

SERVERS = ("postgresql", "redis", "mongodb")
STORES = (*SERVERS, "sqlite")

STORE_FAMILIES = (
    Family(
        "probe_store_duration_seconds",
        "gauge",
        "Time of each phase: resolve, connect (with TLS), login and query of a server, open and query of a file.",
        samples.phases("resolve", "connect", "login", "open", "query"),
        ("phase",),
        STORES,
    ),
    Family(
        "store_version_info",
        "gauge",
        "The version that the store says it is.",
        samples.Info("version", "store_version"),
        ("version",),
        STORES,
    ),
    Family(
        "store_role_info",
        "gauge",
        "What the server is now: primary or replica.",
        samples.Info("role", "store_role"),
        ("role",),
        SERVERS,
    ),
    Family(
        "store_connections",
        "gauge",
        "Connections in use, with the probe's own.",
        samples.Fact("store_connections"),
        protocols=SERVERS,
    ),
    Family(
        "store_connections_max",
        "gauge",
        "Connections that the server allows.",
        samples.Fact("store_connections_max"),
        protocols=SERVERS,
    ),
    Family(
        "store_replication_lag_seconds",
        "gauge",
        "How far a replica is behind its primary: what a replica says of itself; absent when it cannot know. A primary "
        "that knows its replicas reports the furthest behind.",
        samples.Fact("store_replication_lag"),
        protocols=SERVERS,
    ),
    Family(
        "store_replicas",
        "gauge",
        "Replicas that are connected to a primary.",
        samples.Fact("store_replicas"),
        protocols=SERVERS,
    ),
    Family(
        "store_replication_connected",
        "gauge",
        "Whether a replica receives from its primary: PostgreSQL's WAL receiver streams, Redis's link is up, MongoDB's "
        "member has a source and is neither recovering nor rolling back. Without a connection its lag says little.",
        samples.Fact("store_replication_connected"),
        protocols=SERVERS,
    ),
    Family(
        "store_accepts_writes",
        "gauge",
        "Whether a primary takes writes, as far as it says; absent of a replica.",
        samples.Fact("store_accepts_writes"),
        protocols=SERVERS,
    ),
    Family(
        "store_writes_refused_info",
        "gauge",
        "Why the server refuses writes; absent while it takes them. cause: memory (Redis is at maxmemory and has "
        "nothing to evict), cluster (Redis Cluster is down), replicas (fewer than min-replicas-to-write), read_only "
        "(PostgreSQL's default_transaction_read_only, MongoDB's readOnly).",
        samples.Info("cause", "store_writes_refused"),
        ("cause",),
        SERVERS,
    ),
    Family(
        "store_memory_used_bytes",
        "gauge",
        "Memory of Redis that counts for maxmemory.",
        samples.Fact("store_memory_used"),
        protocols=("redis",),
    ),
    Family(
        "store_memory_max_bytes",
        "gauge",
        "Redis's maxmemory; absent without a limit.",
        samples.Fact("store_memory_max"),
        protocols=("redis",),
    ),
    Family(
        "store_memory_policy_info",
        "gauge",
        "What Redis does at maxmemory: its maxmemory-policy.",
        samples.Info("policy", "store_memory_policy"),
        ("policy",),
        ("redis",),
    ),
    Family(
        "store_out_of_memory_errors_total",
        "counter",
        "Commands that Redis refused because it was at maxmemory, since it started (errorstat_OOM).",
        samples.Fact("store_out_of_memory_errors"),
        protocols=("redis",),
    ),
    Family(
        "store_cluster_ok",
        "gauge",
        "Whether Redis Cluster serves, by CLUSTER INFO; absent of a server that is in none.",
        samples.Fact("store_cluster_ok"),
        protocols=("redis",),
    ),
    Family(
        "store_size_bytes",
        "gauge",
        "Size of the data: all databases of PostgreSQL that the user may see, the memory of Redis's data, the storage "
        "of MongoDB's databases, the file of SQLite.",
        samples.Fact("store_size"),
        protocols=STORES,
    ),
    Family(
        "store_wal_size_bytes",
        "gauge",
        "Size of SQLite's write-ahead log; 0 when there is none.",
        samples.Fact("store_wal_size"),
        protocols=("sqlite",),
    ),
    Family(
        "store_integrity_ok",
        "gauge",
        "Whether the last finished PRAGMA quick_check found nothing; absent before the first.",
        samples.Fact("store_integrity_ok"),
        protocols=("sqlite",),
    ),
    Family(
        "store_integrity_check_timestamp_seconds",
        "gauge",
        "When the last PRAGMA quick_check ended, since the epoch.",
        samples.Fact("store_integrity_checked_at"),
        protocols=("sqlite",),
    ),
    Family(
        "store_integrity_check_duration_seconds",
        "gauge",
        "How long the last PRAGMA quick_check took.",
        samples.Fact("store_integrity_seconds"),
        protocols=("sqlite",),
    ),
    Family(
        "probe_grpc_duration_seconds",
        "gauge",
        "Time of each phase.",
        samples.phases("resolve", "connect", "tls", "check"),
        ("phase",),
        ("grpc",),
    ),
    Family(
        "probe_grpc_healthcheck_response",
        "gauge",
        "The serving status that the server answered: one series, of that status, which is 1.",
        samples.Info("serving_status", "grpc_serving_status"),
        ("serving_status",),
        ("grpc",),
    ),
    Family(
        "probe_grpc_status_code",
        "gauge",
        "The status code of the call (0 is OK).",
        samples.Fact("grpc_status_code"),
        protocols=("grpc",),
    ),
    Family(
        "probe_grpc_ssl",
        "gauge",
        "Whether TLS was used.",
        samples.Fact("ssl"),
        protocols=("grpc",),
    ),
    Family(
        "probe_websocket_duration_seconds",
        "gauge",
        "Time of each phase.",
        samples.phases("resolve", "connect", "tls", "handshake", "message", "close"),
        ("phase",),
        ("websocket",),
    ),
    Family(
        "probe_websocket_status_code",
        "gauge",
        "Status code of the answer to the handshake; 101 of one that was accepted.",
        samples.Fact("status_code"),
        protocols=("websocket",),
    ),
    Family(
        "probe_websocket_subprotocol_info",
        "gauge",
        "The subprotocol that the server chose.",
        samples.Info("subprotocol", "websocket_subprotocol"),
        ("subprotocol",),
        ("websocket",),
    ),
)
