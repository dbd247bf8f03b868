"""Families of ICMP probes."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Value
from exporter.probes.net.families import NETWORK

FAMILIES = (
    *NETWORK,
    Family(
        "probe_icmp_duration_seconds",
        "gauge",
        "Time of each phase.",
        Phases(("resolve", "setup", "rtt")),
    ),
    Family("probe_icmp_reply_hop_limit", "gauge", "Hop limit (TTL) of the reply.", Value("reply_hop_limit")),
)
