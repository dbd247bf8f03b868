"""Alerts about objectives, the exporter itself, and alert delivery."""

from __future__ import annotations

from decimal import Decimal

from exporter.outputs.alerts.model import Example, Recipe, Series
from exporter.outputs.alerts.services import requests
from exporter.outputs.burn_rates import quiet_minutes

STALLED_SECONDS = 6
"""Per ten minutes: 1 % of the time."""


def _burning(example: Example) -> tuple[Series, ...]:
    """Return series in which everything fails, then nothing."""
    if example.values["slo"] != "availability" or 16 * Decimal(example.values["budget"]) >= 1:
        return ()
    if "requests" in example.values:
        if not example.has_plain_metrics:
            return ()
        ok, failed = requests(example, 6000, 0)
        return (Series(ok.selector, 0, 6000, counter=True), failed)
    labels = f'{example.who},probe="health",target="x"'
    return (
        Series(f'probe_results_total{{{labels},result="success"}}', 0, 4, counter=True),
        Series(f'probe_results_total{{{labels},result="failure"}}', 4, 0, counter=True),
    )


SLO_RECIPES = tuple(
    Recipe(
        alert, "slos", "slos",
        expr="<burn rates>",
        summary=f"{{{{ $labels.service }}}} burns its error budget {speed}",
        description="{{ $value | humanizePercentage }} of the events that count for the {{ $labels.slo }} objective of "
        f"{{{{ $labels.service }}}} fail. {outlook}",
        dashboard="slos",
        example=_burning,
        window=quiet_minutes(alert),
        keeps='slo="availability"',
    )
    for alert, speed, outlook in (
        ("SloBurnRateFast", "fast", "At this rate the budget of the whole period is used up within days."),
        ("SloBurnRateSlow", "too fast", "At this rate the budget is used up before the period ends."),
    )
)  # fmt: skip

EXPORTER_RECIPES = (
    Recipe(
        "ExporterDown", "exporter", "exporter",
        expr='(up{job="exporter"} == 0)\nor\nabsent(up{job="exporter"})',
        summary="The exporter is down",
        description="Prometheus cannot scrape the exporter{{ with $labels.instance }} at {{ . }}{{ end }}: nothing is "
        "monitored, and no other alert about services can fire.",
        dashboard="exporter",
        example=lambda _: (Series('up{job="exporter"}', 0, 1),),
        keeps='job="exporter"',
    ),
    Recipe(
        "ExporterReloadFailed", "exporter", "exporter",
        expr="exporter_config_last_reload_successful == 0",
        summary="The exporter runs on an old catalog",
        description="The last reload of the catalog failed; the previous catalog stays active. To see what is wrong, "
        "run: exporter validate",
        dashboard="exporter",
        example=lambda _: (Series("exporter_config_last_reload_successful", 0, 1),),
    ),
    Recipe(
        "ExporterWebConfigFailed", "exporter", "exporter",
        expr="exporter_web_config_last_reload_successful == 0",
        summary="The exporter cannot use its changed web configuration",
        description="A file of the exporter's web configuration (TLS, users) has changed and cannot be used. The "
        "previous configuration stays active: a renewed certificate is not served, and the old one will expire. The "
        "exporter's log says why.",
        dashboard="exporter",
        example=lambda _: (Series("exporter_web_config_last_reload_successful", 0, 1),),
    ),
    Recipe(
        "ExporterProbesMissed", "exporter", "exporter",
        # The window is shorter than what the alert waits for, so one missed probe does not fire it.
        expr="increase(exporter_probes_missed_total[5m]) > 0",
        summary="The exporter misses probes",
        description="{{ $value | humanize }} probes were skipped in five minutes: the previous probe of the target was "
        "still running, or the machine is too busy.",
        dashboard="exporter",
        example=lambda _: (Series("exporter_probes_missed_total", 3, 0, counter=True),),
        window=5,
    ),
    Recipe(
        "ExporterStalled", "exporter", "exporter",
        expr=f"increase(exporter_event_loop_stall_seconds_sum[10m]) > {STALLED_SECONDS}",
        summary="The exporter stalls",
        description="The exporter was stalled for {{ $value | humanizeDuration }} of the last ten minutes. During that "
        "time it ran no probes and answered no requests. Interrupted probes do not count as failures.",
        dashboard="exporter",
        example=lambda _: (Series("exporter_event_loop_stall_seconds_sum", STALLED_SECONDS, 0, counter=True),),
        window=10,
    ),
    Recipe(
        "ExporterOutOfResources", "exporter", "exporter",
        expr="max_over_time(exporter_resource_exhausted[5m]) > 0",
        summary="The exporter is out of {{ $labels.resource }}",
        description="The exporter has no {{ $labels.resource }} left. Probes that need them do not count: their "
        "targets keep their last state for five minutes, then their state is unknown and no alert about them fires.",
        dashboard="exporter",
        example=lambda _: (Series('exporter_resource_exhausted{resource="descriptors"}', 1, 0),),
        window=5,
        keeps='resource="descriptors"',
    ),
    Recipe(
        "ExporterDockerUnreachable", "exporter", "docker",
        expr="exporter_docker_up == 0",
        summary="The exporter cannot reach Docker",
        description="The exporter cannot reach Docker. The state of containers is unknown, and no alert on it fires.",
        dashboard="exporter",
        example=lambda _: (Series("exporter_docker_up", 0, 1),),
    ),
    Recipe(
        "ExporterDockerRefused", "exporter", "docker",
        expr="exporter_docker_refused == 1",
        summary="The Docker socket proxy refuses the exporter",
        description="The proxy in front of Docker refuses GET {{ $labels.endpoint }}, so metrics of containers are "
        "missing. Allow this endpoint. For docker-socket-proxy, set CONTAINERS=1, INFO=1, EVENTS=1, VERSION=1 and "
        "PING=1.",
        dashboard="exporter",
        example=lambda _: (
            Series('exporter_docker_refused{endpoint="/containers/{id}/json"}', 1, None),
        ),
        keeps='endpoint="/containers/{id}/json"',
    ),
    Recipe(
        "ExporterContainersUnknown", "exporter", "docker",
        expr="exporter_containers_unknown > 0",
        summary="Some containers cannot be monitored",
        description="Docker lists {{ $value }} containers but does not describe them, or not in a way that the "
        "exporter can read. No container alert can fire for them. The exporter's log gives their ids and the reason.",
        dashboard="exporter",
        example=lambda _: (Series("exporter_containers_unknown", 2, 0),),
    ),
    Recipe(
        "ExporterInternalErrors", "exporter", "exporter",
        expr="increase(exporter_internal_errors_total[10m]) > 0",
        summary="An error in the exporter itself",
        description="The exporter had {{ $value | humanize }} internal errors in ten minutes (part: "
        "{{ $labels.part }}). The metrics concerned are missing. Its log has a traceback: please report it.",
        dashboard="exporter",
        example=lambda _: (Series('exporter_internal_errors_total{part="containers"}', 2, 0, counter=True),),
        window=10,
        keeps='part="containers"',
    ),
    Recipe(
        "ExporterTlsFileUnusable", "exporter", "prober",
        expr="exporter_tls_file_current == 0",
        summary="The exporter cannot use {{ $labels.file }}",
        description="{{ $labels.file }} has changed on disk and cannot be used. Probes use the previous version of the "
        "file, which may expire. The exporter's log says why.",
        dashboard="exporter",
        example=lambda _: (Series('exporter_tls_file_current{file="/tls/client.pem"}', 0, 1),),
        keeps='file="/tls/client.pem"',
    ),
    Recipe(
        "ExporterNoTargets", "exporter", "prober",
        expr="exporter_targets == 0",
        summary="The exporter monitors nothing",
        description="The exporter runs but has no targets: its catalog has no service to probe.",
        dashboard="exporter",
        example=lambda _: (Series("exporter_targets", 0, 1),),
    ),
    Recipe(
        "Watchdog", "exporter", "watchdog",
        expr="vector(1)",
        summary="Alerts arrive",
        description="This alert always fires. If it stops arriving, alerting is broken.",
        dashboard="overview",
        example=lambda _: (),
    ),
)  # fmt: skip
