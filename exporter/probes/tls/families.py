"""Families of protocols that see a certificate."""

from __future__ import annotations

from exporter.probes.families import Family, Text, Texts, Value

TLS = (
    Family(
        "probe_ssl_earliest_cert_expiry",
        "gauge",
        "When the first certificate of the presented chain ends, since the epoch; also of a chain that is expired "
        "or not trusted.",
        Value("certificate_expiry"),
    ),
    Family(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "gauge",
        "When the first certificate of the chain that verification relied on ends, since the epoch; absent where "
        "verification failed or is off.",
        Value("certificate_chain_expiry"),
    ),
    Family(
        "probe_ssl_last_chain_info",
        "gauge",
        "The server's own certificate; long texts are cut, and characters that do not print are escaped.",
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
        "The TLS version that was agreed on.",
        Text("version", "tls_version"),
    ),
    Family(
        "probe_tls_cipher_info",
        "gauge",
        "The cipher suite that was agreed on.",
        Text("cipher", "tls_cipher"),
    ),
)
