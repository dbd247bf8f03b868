"""Every metric family that this program exports, in one table; the exposition and docs/metrics.md are made of it.

Names follow blackbox_exporter where it has one, so that dashboards and rules written for it keep working. A sample
that a run did not measure is absent, never 0.
"""

from __future__ import annotations

from exporter.metrics import samples
from exporter.metrics.family import PROTOCOLS, Family, OwnFamily
from exporter.metrics.store_families import STORE_FAMILIES

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds of `probe_latency_seconds`; the catalog's latency SLOs add theirs."""

NETWORKED = tuple(protocol for protocol in PROTOCOLS if protocol != "sqlite")
TLS = ("http", "tcp", "websocket", "grpc", "postgresql", "redis", "mongodb")
"""Protocols whose probes see the certificate."""

PROBE_FAMILIES = (
    Family(
        "probe_success",
        "gauge",
        "Whether the last probe met every condition.",
        samples.success,
    ),
    Family(
        "probe_duration_seconds",
        "gauge",
        "How long the last probe took.",
        samples.duration,
    ),
    Family(
        "probe_failure_info",
        "gauge",
        "Why the last probe failed; absent while it succeeds.",
        samples.failure,
        ("reason",),
    ),
    Family(
        "probe_results_total",
        "counter",
        "Probes that ended, by result.",
        samples.results,
        ("result",),
    ),
    Family(
        "probe_latency_seconds",
        "histogram",
        "Durations of successful probes. Failed ones are in probe_results_total only, so a quick failure never "
        "counts as a fast answer.",
        samples.latency,
    ),
    Family(
        "probe_dns_lookup_time_seconds",
        "gauge",
        "Time to resolve the target's name; absent for an address.",
        samples.phase("resolve"),
        protocols=NETWORKED,
    ),
    Family(
        "probe_ip_protocol",
        "gauge",
        "Whether IPv4 or IPv6 was used.",
        samples.Fact("ip_protocol"),
        protocols=NETWORKED,
    ),
    Family(
        "probe_ip_addr_hash",
        "gauge",
        "FNV-1a hash of the address used, to see when it changes.",
        samples.AddressHash("ip_addr"),
        protocols=NETWORKED,
    ),
    Family(
        "probe_failed_due_to_regex",
        "gauge",
        "Whether a regular expression was why the probe failed.",
        samples.Fact("failed_due_to_regex"),
        protocols=("http", "tcp", "websocket"),
    ),
    Family(
        "probe_http_duration_seconds",
        "gauge",
        "Time of each phase, summed over redirects; a phase that was never entered is absent.",
        samples.phases("resolve", "connect", "tls", "processing", "transfer"),
        ("phase",),
        ("http",),
    ),
    Family(
        "probe_http_status_code",
        "gauge",
        "Status code of the last answer.",
        samples.Fact("status_code"),
        protocols=("http",),
    ),
    Family(
        "probe_http_redirects",
        "gauge",
        "Redirects that were followed.",
        samples.Fact("redirects"),
        protocols=("http",),
    ),
    Family(
        "probe_http_content_length",
        "gauge",
        "The Content-Length header; absent when there was none.",
        samples.Fact("content_length"),
        protocols=("http",),
    ),
    Family(
        "probe_http_uncompressed_body_length",
        "gauge",
        "Bytes of the body after decompression.",
        samples.Fact("body_bytes"),
        protocols=("http",),
    ),
    Family(
        "probe_http_version",
        "gauge",
        "HTTP version of the answer.",
        samples.Fact("version"),
        protocols=("http",),
    ),
    Family(
        "probe_http_ssl",
        "gauge",
        "Whether TLS was used on the last connection.",
        samples.Fact("ssl"),
        protocols=("http",),
    ),
    Family(
        "probe_http_last_modified_timestamp_seconds",
        "gauge",
        "The Last-Modified header, since the epoch; absent when there was none.",
        samples.Fact("last_modified"),
        protocols=("http",),
    ),
    Family(
        "probe_ssl_earliest_cert_expiry",
        "gauge",
        "When the first certificate of the presented chain ends, since the epoch; also of a chain that is expired "
        "or not trusted.",
        samples.Fact("certificate_expiry"),
        protocols=TLS,
    ),
    Family(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "gauge",
        "When the first certificate of the chain that verification relied on ends, since the epoch; absent where "
        "verification failed or is off.",
        samples.Fact("certificate_chain_expiry"),
        protocols=TLS,
    ),
    Family(
        "probe_ssl_last_chain_info",
        "gauge",
        "The server's own certificate; long texts are cut, and characters that do not print are escaped.",
        samples.Infos(
            ("fingerprint_sha256", "certificate_fingerprint"),
            ("subject", "certificate_subject"),
            ("issuer", "certificate_issuer"),
            ("subjectalternative", "certificate_names"),
            ("serialnumber", "certificate_serial"),
        ),
        ("fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"),
        TLS,
    ),
    Family(
        "probe_tls_version_info",
        "gauge",
        "The TLS version that was agreed on.",
        samples.Info("version", "tls_version"),
        ("version",),
        TLS,
    ),
    Family(
        "probe_tls_cipher_info",
        "gauge",
        "The cipher suite that was agreed on.",
        samples.Info("cipher", "tls_cipher"),
        ("cipher",),
        TLS,
    ),
    Family(
        "probe_dns_duration_seconds",
        "gauge",
        "Time of each phase.",
        samples.phases("resolve", "connect", "request"),
        ("phase",),
        ("dns",),
    ),
    Family(
        "probe_dns_answer_rrs",
        "gauge",
        "Records in the answer section.",
        samples.Fact("answer_rrs"),
        protocols=("dns",),
    ),
    Family(
        "probe_dns_authority_rrs",
        "gauge",
        "Records in the authority section.",
        samples.Fact("authority_rrs"),
        protocols=("dns",),
    ),
    Family(
        "probe_dns_additional_rrs",
        "gauge",
        "Records in the additional section.",
        samples.Fact("additional_rrs"),
        protocols=("dns",),
    ),
    Family(
        "probe_dns_query_succeeded",
        "gauge",
        "Whether any answer came back, whatever it said.",
        samples.Fact("query_succeeded"),
        protocols=("dns",),
    ),
    Family(
        "probe_dns_serial",
        "gauge",
        "Serial number of the zone, of an SOA query.",
        samples.Fact("serial"),
        protocols=("dns",),
    ),
    Family(
        "probe_icmp_duration_seconds",
        "gauge",
        "Time of each phase.",
        samples.phases("resolve", "setup", "rtt"),
        ("phase",),
        ("icmp",),
    ),
    Family(
        "probe_icmp_reply_hop_limit",
        "gauge",
        "Hop limit (TTL) of the reply.",
        samples.Fact("reply_hop_limit"),
        protocols=("icmp",),
    ),
    *STORE_FAMILIES,
)

OWN_FAMILIES = (
    OwnFamily(
        "exporter_build_info", "gauge", "The version that runs; always 1.", ("version", "python_version")
    ),
    OwnFamily("exporter_targets", "gauge", "Targets that are probed."),
    OwnFamily("exporter_probes_running", "gauge", "Probes under way."),
    OwnFamily(
        "exporter_probes_missed",
        "counter",
        "Probes left out because the same target's last probe still ran, or because the exporter was held up for "
        "a whole interval.",
    ),
    OwnFamily(
        "exporter_probes_void",
        "counter",
        "Runs that say nothing about their target because the exporter could not do its part, by reason: stall (its "
        "event loop was held up), descriptors, memory, ports, threads (it had none left). Such a run changes no other "
        "series of its target.",
        ("reason",),
    ),
    OwnFamily(
        "exporter_resource_exhausted",
        "gauge",
        "1 if the exporter ran out of the resource within the last minute.",
        ("resource",),
    ),
    OwnFamily(
        "exporter_event_loop_stall_seconds",
        "histogram",
        "Stalls of the event loop of more than 50 ms: the process was stopped, the machine suspended or busy.",
        buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ),
    OwnFamily(
        "exporter_probe_lateness_seconds",
        "histogram",
        "How long after their time probes started.",
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
    ),
    OwnFamily(
        "exporter_scrape_duration_seconds",
        "histogram",
        "How long it took to make the text of a scrape.",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
    ),
    OwnFamily(
        "exporter_internal_errors",
        "counter",
        "Errors in the exporter itself, by the part that is left out then; the log has a traceback.",
        ("part",),
    ),
    OwnFamily(
        "exporter_tls_file_current",
        "gauge",
        "1 if a certificate or key file of a probe's tls is in use as it is on disk, 0 if it cannot be used and what "
        "was read before stays in use.",
        ("file",),
    ),
    OwnFamily(
        "exporter_config_last_reload_successful",
        "gauge",
        "Whether the last load of the catalog succeeded; after a failed reload the old one runs on.",
    ),
    OwnFamily(
        "exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the running catalog was loaded, since the epoch.",
    ),
    OwnFamily("exporter_web_connections", "gauge", "Connections to the exporter's own web server."),
    OwnFamily(
        "exporter_web_refused",
        "counter",
        "Requests and connections that the web server refused, by reason: malformed, too_large (a head or body), "
        "timeout, evicted (too many connections), host (not in exporter.hosts), origin (another site's page), login, "
        "rate, tls.",
        ("reason",),
    ),
    OwnFamily(
        "exporter_web_config_last_reload_successful",
        "gauge",
        "1 if the web configuration in use is what its files say; 0 if they have changed and cannot be used. Absent "
        "without --web.config.file.",
    ),
)
"""Counters without the `_total` that the exposition adds."""
