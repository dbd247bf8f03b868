"""Families of WebSocket probes."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Text, Value
from exporter.probes.net.families import NETWORK, REGEX
from exporter.probes.tls.families import TLS

FAMILIES = (
    *NETWORK,
    REGEX,
    *TLS,
    Family(
        "probe_websocket_duration_seconds",
        "gauge",
        "Time of each phase.",
        Phases(("resolve", "connect", "tls", "handshake", "message", "close")),
    ),
    Family(
        "probe_websocket_status_code",
        "gauge",
        "Status code of the answer to the handshake; 101 if it was accepted.",
        Value("status_code"),
    ),
    Family(
        "probe_websocket_subprotocol_info",
        "gauge",
        "The subprotocol that the server chose; always 1.",
        Text("subprotocol", "websocket_subprotocol"),
    ),
)
