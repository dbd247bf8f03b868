"""Families of SQLite probes."""

from __future__ import annotations

from exporter.probes.families import Family, Value
from exporter.probes.stores.families import SIZE, STORE

FAMILIES = (
    *STORE,
    SIZE,
    Family(
        "store_wal_size_bytes",
        "gauge",
        "Size of SQLite's write-ahead log; 0 if there is none.",
        Value("store_wal_size"),
    ),
    Family(
        "store_integrity_ok",
        "gauge",
        "1 if the last finished PRAGMA quick_check found no damage; absent before the first.",
        Value("store_integrity_ok"),
    ),
    Family(
        "store_integrity_check_timestamp_seconds",
        "gauge",
        "When the last PRAGMA quick_check ended, in seconds since the epoch.",
        Value("store_integrity_checked_at"),
    ),
    Family(
        "store_integrity_check_duration_seconds",
        "gauge",
        "Duration of the last PRAGMA quick_check.",
        Value("store_integrity_seconds"),
    ),
)
