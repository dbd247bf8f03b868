"""The dashboard of the exporter itself, and of Prometheus and Alertmanager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import (
    GREEN,
    RED,
    UP_OR_DOWN,
    YES_OR_NO,
    Board,
    Panel,
    Query,
    Section,
    Step,
)
from exporter.outputs.dashboards.phrases import NO_CONTAINERS, NO_EXPORTER
from exporter.outputs.dashboards.text import title_of
from exporter.outputs.dashboards.uids import EXPORTER

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

OWN = '{job="exporter"}'
RANGE = "[$__rate_interval]"
UP_STEPS = (Step(RED), Step(GREEN, 1))
LATE_SECONDS = 1.0
SLOW_SCRAPE_SECONDS = 1.0
QUANTILES = (("0.5", "p50"), ("0.99", "p99"))
NO_PROMETHEUS = "Prometheus does not scrape itself: add the job prometheus"
NO_ALERTMANAGER = "Alertmanager is not scraped: add the job alertmanager to Prometheus"


def exporter(catalog: Catalog) -> Board:
    return Board(
        EXPORTER,
        f"{title_of(catalog)} Exporter",
        "The exporter itself: whether it keeps up, is scraped, and alerts are delivered.",
        (
            Section("Now", _now()),
            Section("Schedule", _schedule()),
            Section("Scrapes and process", _process()),
            Section("Alert delivery", _delivery()),
        ),
        alerts='alertname=~"Exporter.*"',
    )


def _now() -> tuple[Panel, ...]:
    return (
        Panel(
            "Scraped",
            "stat",
            (Query(f"min(up{OWN})", "exporter", instant=True),),
            "short",
            "Whether Prometheus reaches the exporter.",
            NO_EXPORTER,
            4,
            4,
            steps=UP_STEPS,
            mapping=UP_OR_DOWN,
        ),
        Panel(
            "Targets",
            "stat",
            (Query(f"sum(exporter_targets{OWN})", "targets", instant=True),),
            "short",
            "Probes in the catalog: health, probes and port of services and stores.",
            NO_EXPORTER,
            4,
            4,
            steps=UP_STEPS,
        ),
        Panel(
            "Catalog loaded",
            "stat",
            (Query(f"min(exporter_config_last_reload_successful{OWN})", "reload", instant=True),),
            "short",
            "Whether the last load of the catalog succeeded. If it failed, the previous catalog stays active, and the "
            "log has all mistakes.",
            NO_EXPORTER,
            4,
            4,
            steps=UP_STEPS,
            mapping=YES_OR_NO,
        ),
        Panel(
            "Time since load",
            "stat",
            (
                Query(
                    f"time() - max(exporter_config_last_reload_success_timestamp_seconds{OWN})",
                    "since",
                    instant=True,
                ),
            ),
            "dtdurations",
            "Time since the active catalog was loaded.",
            NO_EXPORTER,
            4,
            4,
        ),
        Panel(
            "Docker reachable",
            "stat",
            (Query(f"min(exporter_docker_up{OWN})", "Docker", instant=True),),
            "short",
            "Whether the exporter reaches Docker, as set in exporter.containers.",
            NO_CONTAINERS,
            4,
            4,
            steps=UP_STEPS,
            mapping=YES_OR_NO,
        ),
        Panel(
            "Version",
            "stat",
            (Query(f"max by (version) (exporter_build_info{OWN})", "{{version}}", instant=True),),
            "short",
            "The running version; two during a deploy.",
            NO_EXPORTER,
            4,
            4,
            mapping=(("1", "runs", GREEN),),
        ),
    )


def _schedule() -> tuple[Panel, ...]:
    return (
        Panel(
            "Lateness of probes",
            "lines",
            _quantiles("exporter_probe_lateness_seconds_bucket"),
            "s",
            "How late probes start. If it grows, the exporter is short of CPU.",
            NO_EXPORTER,
            steps=(Step(GREEN), Step(RED, LATE_SECONDS)),
            minimum=0,
        ),
        Panel(
            "Missed probes",
            "lines",
            (Query(f"sum(increase(exporter_probes_missed_total{OWN}{RANGE}))", "missed"),),
            "short",
            "Probes that were skipped because the target's previous probe was still running, or because the exporter "
            "was stalled. ExporterProbesMissed alerts on them.",
            NO_EXPORTER,
            minimum=0,
        ),
        Panel(
            "Probes",
            "lines",
            (
                Query(f"sum by (result) (rate(probe_results_total{RANGE}))", "{{result}} per second"),
                Query(f"sum(exporter_probes_running{OWN})", "running"),
            ),
            "short",
            "Finished probes per second, by result, and running probes.",
            NO_EXPORTER,
            minimum=0,
        ),
        Panel(
            "Void probes",
            "lines",
            (Query(f"sum by (reason) (increase(exporter_probes_void_total{OWN}{RANGE}))", "{{reason}}"),),
            "short",
            "Probes that say nothing about their target, because the exporter was stalled or out of descriptors, "
            "memory, ports or threads. They change no state.",
            NO_EXPORTER,
            12,
            minimum=0,
        ),
        Panel(
            "Stalls",
            "lines",
            (
                Query(
                    f"sum(increase(exporter_event_loop_stall_seconds_sum{OWN}{RANGE}))",
                    "stalled",
                ),
            ),
            "s",
            "How long the exporter was stalled: the process was stopped, or the machine was suspended or too busy. "
            "ExporterStalled alerts on it.",
            NO_EXPORTER,
            12,
            minimum=0,
        ),
    )


def _process() -> tuple[Panel, ...]:
    return (
        Panel(
            "Scrape time",
            "lines",
            (
                *_quantiles("exporter_scrape_duration_seconds_bucket"),
                Query(f"max(scrape_duration_seconds{OWN})", "measured by Prometheus"),
            ),
            "s",
            "Duration of a scrape of the exporter, measured on both sides.",
            NO_EXPORTER,
            steps=(Step(GREEN), Step(RED, SLOW_SCRAPE_SECONDS)),
            minimum=0,
        ),
        Panel(
            "Series",
            "lines",
            (Query(f"sum(scrape_samples_scraped{OWN})", "samples per scrape"),),
            "short",
            "Samples in one scrape of the exporter.",
            NO_EXPORTER,
            minimum=0,
        ),
        Panel(
            "CPU",
            "lines",
            (Query(f"sum(rate(process_cpu_seconds_total{OWN}{RANGE}))", "exporter"),),
            "cores",
            "Cores that the exporter uses.",
            NO_EXPORTER,
            minimum=0,
        ),
        Panel(
            "Memory",
            "lines",
            (Query(f"sum(process_resident_memory_bytes{OWN})", "exporter"),),
            "bytes",
            "Resident memory of the exporter.",
            NO_EXPORTER,
            12,
            minimum=0,
        ),
        Panel(
            "Open files",
            "lines",
            (
                Query(f"sum(process_open_fds{OWN})", "open"),
                Query(f"min(process_max_fds{OWN})", "limit"),
            ),
            "short",
            "Open files and connections of the exporter, and their limit.",
            NO_EXPORTER,
            12,
            minimum=0,
        ),
        Panel(
            "Web server",
            "lines",
            (
                Query(f"sum(exporter_web_connections{OWN})", "connections"),
                Query(
                    f"sum by (reason) (increase(exporter_web_refused_total{OWN}{RANGE})) > 0",
                    "refused: {{reason}}",
                ),
            ),
            "short",
            "Connections to the exporter's web server, and requests and connections that it refused.",
            NO_EXPORTER,
            12,
            minimum=0,
        ),
    )


def _delivery() -> tuple[Panel, ...]:
    return (
        Panel(
            "Scrape targets",
            "states",
            (Query("min by (job) (up)", "{{job}}"),),
            "short",
            "Whether Prometheus reaches all targets of each job. The job services has the services with metrics.",
            NO_PROMETHEUS,
            steps=UP_STEPS,
            mapping=(("0", "some down", RED), ("1", "all up", GREEN)),
        ),
        Panel(
            "Rules that could not be evaluated",
            "lines",
            (Query(f"sum(increase(prometheus_rule_evaluation_failures_total{RANGE}))", "failures"),),
            "short",
            "Failed evaluations of rules; their alerts cannot fire. It should be 0.",
            NO_PROMETHEUS,
            minimum=0,
        ),
        Panel(
            "Notifications",
            "lines",
            (
                Query(
                    f"sum by (integration) (increase(alertmanager_notifications_total{RANGE}))",
                    "{{integration}} sent",
                ),
                Query(
                    f"sum by (integration) (increase(alertmanager_notifications_failed_total{RANGE}))",
                    "{{integration}} failed",
                ),
            ),
            "short",
            "Sent and failed notifications per integration. Integrations come from owners.",
            NO_ALERTMANAGER,
            minimum=0,
        ),
    )


def _quantiles(buckets: str) -> tuple[Query, ...]:
    return tuple(
        Query(f"histogram_quantile({quantile}, sum by (le) (rate({buckets}{OWN}{RANGE})))", legend)
        for quantile, legend in QUANTILES
    )
