"""Families of all protocols that connect to an address."""

from __future__ import annotations

from exporter.probes.families import AddressHash, Family, Phase, Value

NETWORK = (
    Family(
        "probe_dns_lookup_time_seconds",
        "gauge",
        "Time to resolve the target's name; absent if the target is an address.",
        Phase("resolve"),
    ),
    Family("probe_ip_protocol", "gauge", "IP version used: 4 or 6.", Value("ip_protocol")),
    Family(
        "probe_ip_addr_hash",
        "gauge",
        "FNV-1a hash of the address used, to detect changes.",
        AddressHash("ip_addr"),
    ),
)

REGEX = Family(
    "probe_failed_due_to_regex",
    "gauge",
    "1 if the probe failed because of a regular expression.",
    Value("failed_due_to_regex"),
)
"""For protocols whose answers are matched with regular expressions."""
