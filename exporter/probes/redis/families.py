"""Families of Redis probes."""

from __future__ import annotations

from exporter.probes.families import Family, Text, Value
from exporter.probes.net.families import NETWORK
from exporter.probes.stores.families import SERVER, SIZE
from exporter.probes.tls.families import TLS

FAMILIES = (
    *NETWORK,
    *TLS,
    *SERVER,
    Family(
        "store_memory_used_bytes",
        "gauge",
        "Memory of Redis that counts for maxmemory.",
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
        "What Redis does at maxmemory: its maxmemory-policy.",
        Text("policy", "store_memory_policy"),
    ),
    Family(
        "store_out_of_memory_errors_total",
        "counter",
        "Commands that Redis refused because it was at maxmemory, since it started (errorstat_OOM).",
        Value("store_out_of_memory_errors"),
    ),
    Family(
        "store_cluster_ok",
        "gauge",
        "Whether Redis Cluster serves, by CLUSTER INFO; absent of a server that is in none.",
        Value("store_cluster_ok"),
    ),
    SIZE,
)
