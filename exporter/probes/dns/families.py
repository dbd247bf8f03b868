"""Families of DNS probes."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Value
from exporter.probes.net.families import NETWORK

FAMILIES = (
    *NETWORK,
    Family(
        "probe_dns_duration_seconds",
        "gauge",
        "Time of each phase.",
        Phases(("resolve", "connect", "request")),
    ),
    Family("probe_dns_answer_rrs", "gauge", "Records in the answer section.", Value("answer_rrs")),
    Family("probe_dns_authority_rrs", "gauge", "Records in the authority section.", Value("authority_rrs")),
    Family(
        "probe_dns_additional_rrs", "gauge", "Records in the additional section.", Value("additional_rrs")
    ),
    Family(
        "probe_dns_query_succeeded",
        "gauge",
        "1 if any answer was received, even an error.",
        Value("query_succeeded"),
    ),
    Family("probe_dns_serial", "gauge", "Serial number of the zone, for an SOA query.", Value("serial")),
)
