"""Families of HTTP probes."""

from __future__ import annotations

from exporter.probes.families import Family, Phases, Value
from exporter.probes.net.families import NETWORK, REGEX
from exporter.probes.tls.families import TLS

FAMILIES = (
    *NETWORK,
    REGEX,
    Family(
        "probe_http_duration_seconds",
        "gauge",
        "Time of each phase, summed over redirects; a phase that was never entered is absent.",
        Phases(("resolve", "connect", "tls", "processing", "transfer")),
    ),
    Family("probe_http_status_code", "gauge", "Status code of the last answer.", Value("status_code")),
    Family("probe_http_redirects", "gauge", "Number of redirects followed.", Value("redirects")),
    Family(
        "probe_http_content_length",
        "gauge",
        "The Content-Length header; absent if there was none.",
        Value("content_length"),
    ),
    Family(
        "probe_http_uncompressed_body_length",
        "gauge",
        "Bytes of the body after decompression.",
        Value("body_bytes"),
    ),
    Family("probe_http_version", "gauge", "HTTP version of the answer.", Value("version")),
    Family("probe_http_ssl", "gauge", "1 if TLS was used on the last connection.", Value("ssl")),
    Family(
        "probe_http_last_modified_timestamp_seconds",
        "gauge",
        "The Last-Modified header, in seconds since the epoch; absent if there was none.",
        Value("last_modified"),
    ),
    *TLS,
)
