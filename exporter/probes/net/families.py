"""Families of protocols that connect to an address."""

from __future__ import annotations

from exporter.probes.families import AddressHash, Family, Phase, Value

NETWORK = (
    Family(
        "probe_dns_lookup_time_seconds",
        "gauge",
        "Time to resolve the target's name; absent for an address.",
        Phase("resolve"),
    ),
    Family("probe_ip_protocol", "gauge", "Whether IPv4 or IPv6 was used.", Value("ip_protocol")),
    Family(
        "probe_ip_addr_hash",
        "gauge",
        "FNV-1a hash of the address used, to see when it changes.",
        AddressHash("ip_addr"),
    ),
)

REGEX = Family(
    "probe_failed_due_to_regex",
    "gauge",
    "Whether a regular expression was why the probe failed.",
    Value("failed_due_to_regex"),
)
"""Of protocols whose answers are matched with regular expressions."""
