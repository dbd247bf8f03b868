"""Metric families of the exporter itself."""

from __future__ import annotations

from exporter.metrics.family import OwnFamily

OWN_FAMILIES = (
    OwnFamily(
        "exporter_build_info", "gauge", "The running version; always 1.", ("version", "python_version")
    ),
    OwnFamily("exporter_targets", "gauge", "Number of probed targets."),
    OwnFamily("exporter_probes_running", "gauge", "Number of running probes."),
    OwnFamily(
        "exporter_probes_missed",
        "counter",
        "Probes skipped because the target's last probe was still running, or because the exporter stalled for a "
        "whole interval.",
    ),
    OwnFamily(
        "exporter_probes_void",
        "counter",
        "Void runs, by reason: the exporter could not probe because its event loop stalled (stall) or it ran out "
        "of descriptors, memory, ports or threads. Void runs change no other series of their target.",
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
        "Stalls of the event loop longer than 50 ms: the process was stopped, or the machine was suspended or busy.",
        buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    ),
    OwnFamily(
        "exporter_probe_lateness_seconds",
        "histogram",
        "How late probes started.",
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
    ),
    OwnFamily(
        "exporter_scrape_duration_seconds",
        "histogram",
        "Time taken to build the text of a scrape.",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
    ),
    OwnFamily(
        "exporter_internal_errors",
        "counter",
        "Internal errors of the exporter, by the part that was skipped; the log has a traceback.",
        ("part",),
    ),
    OwnFamily(
        "exporter_tls_file_current",
        "gauge",
        "1 if the certificate or key file of a probe's tls is in use as it is on disk; 0 if it cannot be used and the "
        "previous content stays in use.",
        ("file",),
    ),
    OwnFamily(
        "exporter_config_last_reload_successful",
        "gauge",
        "1 if the last load of the catalog succeeded; after a failed reload the previous catalog stays active.",
    ),
    OwnFamily(
        "exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the active catalog was loaded, in seconds since the epoch.",
    ),
    OwnFamily("exporter_web_connections", "gauge", "Open connections to the exporter's web server."),
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
        "1 if the active web configuration matches its files; 0 if they have changed and cannot be used. Absent "
        "without --web.config.file.",
    ),
)
"""Names of counters are without `_total`, which the exposition adds."""
