"""Metric families of the exporter itself."""

from __future__ import annotations

from exporter.metrics.family import OwnFamily

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
