"""Alerts about services, from probes and from the services' metrics."""

from __future__ import annotations

from decimal import Decimal

from exporter.outputs.alerts.model import Example, Recipe, Series

TRAFFIC_FLOOR = "0.1"
"""Requests per second below which ratios and quantiles mean nothing: 30 in five minutes."""

EXPORTER_ANSWERS = 'and on () (max(up{job="exporter"}) == 1)'
"""While the exporter is down, all its series are absent; only ExporterDown must fire then."""

WHY = (
    '{{ range query (printf "probe_failure_info{service=%q}" $labels.service) }}'
    "Probe {{ .Labels.probe }} of {{ .Labels.target }}: {{ .Labels.reason }}. {{ end }}"
)
"""The current reasons of failing probes. As a label, each change of the reason would start a new alert."""

PROBE = 'probe="health",target="http://example/health"'


def _down(example: Example) -> tuple[Series, ...]:
    return (
        Series(f"probe_success{{{example.who},{PROBE}}}", 0, 1),
        Series(f'probe_success{{{example.who},probe="other",target="x"}}', 1, 1),
    )


def _slow(example: Example) -> tuple[Series, ...]:
    return (
        Series(f"probe_success{{{example.who},{PROBE}}}", 1, 1),
        Series(f"probe_duration_seconds{{{example.who},{PROBE}}}", example.limit * 2, example.limit / 2),
    )


CERTIFICATE_ENDS = (
    "(probe_ssl_last_chain_expiry_timestamp_seconds{<who>} or probe_ssl_earliest_cert_expiry{<who>})"
)
"""The verified chain counts, because a server can send an expired certificate that clients do not need. If verification
failed, the chain that the server sent is used."""


def _certificate(example: Example) -> tuple[Series, ...]:
    """Return series of an expiring certificate; times are seconds, because the test's clock starts at 0.

    A further certificate that the server sends expired long ago, and does not count.
    """
    if example.limit <= 2 * example.seconds:
        return ()
    expiry = Decimal(example.seconds) + example.limit / 2
    labels = f"{example.who},{PROBE}"
    return (
        Series(
            f"probe_ssl_last_chain_expiry_timestamp_seconds{{{labels}}}", expiry, expiry + 4 * example.limit
        ),
        Series(f"probe_ssl_earliest_cert_expiry{{{labels}}}", 0, 0),
    )


def _expired(example: Example) -> tuple[Series, ...]:
    """Return series without a verified chain, then with one, while the server still sends an expired certificate."""
    labels = f"{example.who},{PROBE}"
    return (
        Series(f"probe_ssl_last_chain_expiry_timestamp_seconds{{{labels}}}", None, 10**9),
        Series(f"probe_ssl_earliest_cert_expiry{{{labels}}}", 0, 0),
    )


def requests(example: Example, errors: Decimal | int, later: Decimal | int) -> tuple[Series, ...]:
    """Return series with 6,000 successful requests per minute, and first `errors`, then `later` failing ones."""
    name, status = example.values["requests"], example.values["status"]
    labels = f'job="services",{example.who}'
    return (
        Series(f'{name}{{{labels},{status}="200"}}', 6000, 6000, counter=True),
        Series(f'{name}{{{labels},{status}="503"}}', errors, later, counter=True),
    )


def _errors(example: Example) -> tuple[Series, ...]:
    if example.limit >= 1 or not example.has_plain_metrics:
        return ()
    bad, good = (round(6000 * ratio / (1 - ratio)) for ratio in (example.above, example.below))
    return requests(example, bad, good)


def _latency(example: Example) -> tuple[Series, ...]:
    """Return series with all requests in the bucket over the limit, then in the bucket of the limit."""
    name, labels = example.values["durations"], f'job="services",{example.who}'
    return (
        Series(f'{name}_bucket{{{labels},le="{example.limit}"}}', 0, 6000, counter=True),
        Series(f'{name}_bucket{{{labels},le="{example.limit * 2}"}}', 6000, 6000, counter=True),
        Series(f'{name}_bucket{{{labels},le="+Inf"}}', 6000, 6000, counter=True),
    )


SERVICE_RECIPES = (
    Recipe(
        "ServiceDown", "alerts", "probed services",
        expr="min by (service) (probe_success{<who>}) == 0",
        summary="{{ $labels.service }} is down",
        description=f"A probe of {{{{ $labels.service }}}} fails. {WHY}"
        "For the full error, run: exporter check {{ $labels.service }}",
        dashboard="service",
        example=_down,
    ),
    Recipe(
        "ServiceSlow", "alerts", "probed",
        # A failed probe can take up to its timeout: ServiceDown covers it.
        expr="(probe_duration_seconds{<who>} > <limit>) and (probe_success{<who>} == 1)",
        summary="{{ $labels.service }} is slow",
        description="Probe {{ $labels.probe }} of {{ $labels.target }} takes {{ $value | humanizeDuration }}; "
        "the limit is <shown>.",
        dashboard="service",
        example=_slow,
        keeps=PROBE,
    ),
    Recipe(
        "ServiceFlapping", "alerts", "probed",
        expr="changes(probe_success{<who>}[1h]) > <limit>",
        summary="{{ $labels.service }} is flapping",
        description="Probe {{ $labels.probe }} of {{ $labels.target }} changed between success and failure "
        "{{ $value | humanize }} times in an hour.",
        dashboard="service",
        example=lambda e: () if e.limit > 50 else (Series(f"probe_success{{{e.who},{PROBE}}}", "0 1", 1),),
        window=60,
        keeps=PROBE,
    ),
    Recipe(
        "ServiceAbsent", "alerts", "always probed",
        expr=f"(\n  <each>\n)\n{EXPORTER_ANSWERS}",
        each="absent(probe_success{<who>})",
        summary="{{ $labels.service }} is not monitored",
        description="The exporter answers but has no metrics of {{ $labels.service }}. Either it runs with another "
        "catalog, or it could not run the probes of this service.",
        dashboard="exporter",
        example=lambda example: (
            Series(f"probe_success{{{example.who}}}", None, 1),
            Series('up{job="exporter"}', 1, 1),
        ),
    ),
    Recipe(
        "ScrapeTargetDown", "alerts", "always measured",
        expr='(up{job="services",<who>} == 0)\nor\n(\n  <each>\n)',
        each='absent(up{job="services",<who>})',
        summary="Metrics of {{ $labels.service }} are not scraped",
        description="Prometheus gets no metrics of {{ $labels.service }}{{ with $labels.instance }} at {{ . }}{{ end "
        "}}. Its error, latency and SLO alerts cannot fire until it does.",
        dashboard="service",
        example=lambda example: (
            Series(f'up{{job="services",{example.who},instance="example:80"}}', 0, 1),
        ),
        keeps='instance="example:80",job="services"',
    ),
    Recipe(
        "CertificateExpiring", "alerts", "probed",
        expr=f"(({CERTIFICATE_ENDS} - time()) > 0) < <limit>",
        summary="A certificate of {{ $labels.service }} expires in {{ $value | humanizeDuration }}",
        description="A certificate of {{ $labels.target }} expires in {{ $value | humanizeDuration }}.",
        dashboard="service",
        example=_certificate,
        keeps=PROBE,
    ),
    Recipe(
        "CertificateExpiringSoon", "alerts", "probed",
        expr=f"(({CERTIFICATE_ENDS} - time()) > 0) < <limit>",
        summary="A certificate of {{ $labels.service }} expires in {{ $value | humanizeDuration }}",
        description="A certificate of {{ $labels.target }} expires in {{ $value | humanizeDuration }}. "
        "It has not been renewed yet.",
        dashboard="service",
        example=_certificate,
        keeps=PROBE,
    ),
    Recipe(
        "CertificateExpired", "alerts", "probed",
        expr=f"(time() - {CERTIFICATE_ENDS}) >= 0",
        summary="A certificate of {{ $labels.service }} has expired",
        description="A certificate of {{ $labels.target }} expired {{ $value | humanizeDuration }} ago.",
        dashboard="service",
        example=_expired,
        keeps=PROBE,
    ),
    Recipe(
        "HighErrorRate", "alerts", "measured",
        expr="(service:http_request_errors:ratio_rate5m{<who>} > <limit>)\n"
        f"and\n(service:http_requests:rate5m{{<who>}} > {TRAFFIC_FLOOR})",
        summary="{{ $value | humanizePercentage }} of requests to {{ $labels.service }} fail",
        description="{{ $value | humanizePercentage }} of the answers of {{ $labels.service }} in the last five "
        "minutes were 5xx; the limit is <shown>.",
        dashboard="service",
        example=_errors,
        window=5,
    ),
    Recipe(
        "HighLatency", "alerts", "measured",
        expr="(service:http_request_duration_seconds:p95_5m{<who>} > <limit>)\n"
        f"and\n(service:http_requests:rate5m{{<who>}} > {TRAFFIC_FLOOR})",
        summary="{{ $labels.service }} is slow for its users",
        description="5 % of requests to {{ $labels.service }} take longer than {{ $value | humanizeDuration }}; "
        "the limit is <shown>.",
        dashboard="service",
        example=lambda e: (*requests(e, 0, 0), *_latency(e)) if e.has_plain_metrics else (),
        window=5,
    ),
)  # fmt: skip
