"""Families of protocols with TLS."""

from __future__ import annotations

from exporter.probes.families import Family, Text, Texts, Value

TLS = (
    Family(
        "probe_ssl_earliest_cert_expiry",
        "gauge",
        "When the first certificate of the presented chain expires, in seconds since the epoch; also for an expired "
        "or untrusted chain.",
        Value("certificate_expiry"),
    ),
    Family(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "gauge",
        "When the first certificate of the verified chain expires, in seconds since the epoch; absent if verification "
        "failed or is off.",
        Value("certificate_chain_expiry"),
    ),
    Family(
        "probe_ssl_last_chain_info",
        "gauge",
        "The server's certificate; always 1. Long texts are cut, and unprintable characters are escaped.",
        Texts(
            (
                ("fingerprint_sha256", "certificate_fingerprint"),
                ("subject", "certificate_subject"),
                ("issuer", "certificate_issuer"),
                ("subjectalternative", "certificate_names"),
                ("serialnumber", "certificate_serial"),
            )
        ),
    ),
    Family(
        "probe_tls_version_info",
        "gauge",
        "The negotiated TLS version; always 1.",
        Text("version", "tls_version"),
    ),
    Family(
        "probe_tls_cipher_info",
        "gauge",
        "The negotiated cipher suite; always 1.",
        Text("cipher", "tls_cipher"),
    ),
)
