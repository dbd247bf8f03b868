"""Families of Redis probes."""

from __future__ import annotations

from exporter.probes.families import Family, Text, Value
from exporter.probes.net.families import NETWORK
from exporter.probes.stores.families import PRODUCT, SERVER, SIZE, UPTIME
from exporter.probes.tls.families import TLS

FAMILIES = (
    *NETWORK,
    *TLS,
    *SERVER,
    PRODUCT,
    UPTIME,
    Family(
        "store_memory_used_bytes",
        "gauge",
        "Memory used by Redis, as compared with maxmemory.",
        Value("store_memory_used"),
    ),
    Family(
        "store_memory_max_bytes",
        "gauge",
        "Redis's maxmemory; absent without a limit.",
        Value("store_memory_max"),
    ),
    Family(
        "store_memory_policy_info",
        "gauge",
        "The maxmemory-policy of Redis: what it does at maxmemory; always 1.",
        Text("policy", "store_memory_policy"),
    ),
    Family(
        "store_out_of_memory_errors_total",
        "counter",
        "Commands that Redis refused at maxmemory since it started (errorstat_OOM).",
        Value("store_out_of_memory_errors"),
    ),
    Family(
        "store_cluster_ok",
        "gauge",
        "1 if Redis Cluster is up, by CLUSTER INFO; absent if the server is not in a cluster.",
        Value("store_cluster_ok"),
    ),
    SIZE,
)
