"""Families of gRPC probes."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Text, Value
from exporter.probes.net.families import NETWORK
from exporter.probes.tls.families import TLS

FAMILIES = (
    *NETWORK,
    *TLS,
    Family(
        "probe_grpc_duration_seconds",
        "gauge",
        "Time of each phase.",
        Phases(("resolve", "connect", "tls", "check")),
    ),
    Family(
        "probe_grpc_healthcheck_response",
        "gauge",
        "The serving status in the answer, as a label; always 1.",
        Text("serving_status", "grpc_serving_status"),
    ),
    Family(
        "probe_grpc_status_code",
        "gauge",
        "The status code of the call (0 is OK).",
        Value("grpc_status_code"),
    ),
    Family("probe_grpc_ssl", "gauge", "1 if TLS was used.", Value("ssl")),
)
