"""Table of the generated alerts: what can be set, and the defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Wait, Words, parse_duration, parse_percentage
from exporter.catalog.values.words import quoted, shown, suggestion

Severity = Literal["critical", "warning", "info"]
ThresholdKind = Literal["percentage", "duration", "number"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit. `value`: a percentage from 0 to 100, seconds, or a plain number, by `kind`."""

    kind: ThresholdKind
    value: Decimal


@dataclass(frozen=True, slots=True)
class AlertDefault:
    """Defaults of one alert. `for_`: seconds. `threshold`: None if the alert has no limit to set."""

    meaning: str
    severity: Severity
    for_: float
    threshold: Threshold | None = None


def _percent(value: int) -> Threshold:
    return Threshold("percentage", Decimal(value))


def _seconds(value: str) -> Threshold:
    return Threshold("duration", Decimal(value))


def _count(value: int) -> Threshold:
    return Threshold("number", Decimal(value))


_DAY = 86400

ALERTS: dict[str, AlertDefault] = {
    "ServiceDown": AlertDefault("The service's probes fail.", "critical", 60),
    "ServiceSlow": AlertDefault("A probe takes longer than the threshold.", "warning", 300, _seconds("1")),
    "ServiceFlapping": AlertDefault(
        "A probe changes state more often than the threshold in an hour.", "warning", 0, _count(6)
    ),
    "ServiceAbsent": AlertDefault("The service is configured but has no series.", "warning", 300),
    "ServiceNotRunning": AlertDefault("No container of the service is running.", "critical", 120),
    "ReplicasMissing": AlertDefault(
        "Fewer containers of the service are running than its replicas.", "warning", 300
    ),
    "ScrapeTargetDown": AlertDefault("Prometheus cannot scrape the service's own metrics.", "warning", 300),
    "CertificateExpiring": AlertDefault(
        "A certificate expires within the threshold.", "warning", 3600, _seconds(str(14 * _DAY))
    ),
    "CertificateExpiringSoon": AlertDefault(
        "A certificate expires within the threshold.", "critical", 3600, _seconds(str(3 * _DAY))
    ),
    "CertificateExpired": AlertDefault("A certificate has expired.", "critical", 0),
    "HighErrorRate": AlertDefault(
        "The ratio of 5xx responses is above the threshold.", "warning", 300, _percent(5)
    ),
    "HighLatency": AlertDefault(
        "The 95th percentile of request durations is above the threshold.", "warning", 300, _seconds("1")
    ),
    "SloBurnRateFast": AlertDefault(
        "The error budget burns so fast that it will be used up within days.", "critical", 120
    ),
    "SloBurnRateSlow": AlertDefault("The error budget burns faster than its period allows.", "warning", 900),
    "HighMemoryUsage": AlertDefault(
        "A container's working set is above the threshold, a share of its limit.",
        "warning",
        300,
        _percent(80),
    ),
    "CpuThrottling": AlertDefault(
        "A container is throttled in a larger share of its periods than the threshold.",
        "warning",
        900,
        _percent(25),
    ),
    "ContainerRestarting": AlertDefault(
        "A container restarted, or was replaced, more often than the threshold in 15 minutes.",
        "warning",
        0,
        _count(3),
    ),
    "ContainerOomKilled": AlertDefault("A process of a container was killed: out of memory.", "critical", 0),
    "ContainerUnhealthy": AlertDefault("The health check of a container fails.", "warning", 120),
    "ContainerExited": AlertDefault(
        "A container exited with an error, or could not be started.", "critical", 60
    ),
    "StoreDown": AlertDefault("The store's probes fail.", "critical", 60),
    "StoreConnectionsHigh": AlertDefault(
        "Connections in use are above the threshold, a share of the maximum.", "warning", 300, _percent(80)
    ),
    "StoreReplicationLag": AlertDefault(
        "A replica is further behind than the threshold.", "warning", 300, _seconds("30")
    ),
    "StoreReplicationBroken": AlertDefault("A replica receives nothing from its primary.", "critical", 120),
    "StoreReplicasMissing": AlertDefault(
        "Fewer replicas are connected than the threshold; default: the number in the catalog.",
        "warning",
        300,
        _count(1),
    ),
    "StoreWithoutPrimary": AlertDefault(
        "A store with replicas answers, but no server is its primary.", "critical", 60
    ),
    "StoreWritesRefused": AlertDefault("The store answers but refuses writes.", "critical", 60),
    "StoreMemoryHigh": AlertDefault(
        "Memory is above the threshold, a share of its limit, and the store evicts nothing.",
        "warning",
        300,
        _percent(90),
    ),
    "BackupMissing": AlertDefault("No backup of a store or volume exists.", "critical", 3600),
    "BackupStale": AlertDefault("The last good backup is older than its schedule allows.", "warning", 3600),
    "BackupFailed": AlertDefault("The last backup failed.", "critical", 0),
    "BackupDrillFailed": AlertDefault("The last restore drill failed.", "critical", 0),
    "DiskFilling": AlertDefault(
        "A volume's file system is fuller than the threshold, or will be full within a day.",
        "warning",
        900,
        _percent(85),
    ),
    "LogErrors": AlertDefault(
        "More log lines per minute match a pattern than the threshold.", "warning", 300, _count(10)
    ),
    "ExporterDown": AlertDefault("Prometheus cannot scrape the exporter.", "critical", 120),
    "ExporterReloadFailed": AlertDefault(
        "The exporter uses an older catalog than the one in its file.", "warning", 300
    ),
    "ExporterWebConfigFailed": AlertDefault(
        "The exporter uses an older web configuration than the one in its files.", "warning", 300
    ),
    "ExporterProbesMissed": AlertDefault(
        "Probes are missed because the previous run has not finished.", "warning", 600
    ),
    "ExporterStalled": AlertDefault("The exporter stalls for seconds at a time.", "warning", 300),
    "ExporterOutOfResources": AlertDefault(
        "The exporter has no file descriptors, memory, ports or threads left.", "critical", 60
    ),
    "ExporterDockerUnreachable": AlertDefault("The exporter cannot reach Docker.", "warning", 300),
    "ExporterDockerRefused": AlertDefault(
        "A socket proxy refuses requests of the exporter to Docker.", "warning", 300
    ),
    "ExporterContainersUnknown": AlertDefault(
        "Docker gives no usable data about some containers.", "warning", 600
    ),
    "ExporterInternalErrors": AlertDefault("The exporter has an internal error.", "warning", 0),
    "ExporterTlsFileUnusable": AlertDefault(
        "A certificate or key file has changed and cannot be used.", "warning", 300
    ),
    "ExporterNoTargets": AlertDefault("The exporter watches nothing.", "warning", 300),
    "Watchdog": AlertDefault("Always fires. If it stops arriving, alerting is broken.", "info", 0),
}

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def _parse_name(value: object) -> str:
    if not isinstance(value, str) or value not in ALERTS:
        raise ValueError(f"unknown alert {shown(value)}; {suggestion(str(value), ALERTS)}")
    return value


def _parse_threshold(value: object) -> Threshold:
    if isinstance(value, str) and value.endswith("%"):
        return Threshold("percentage", parse_percentage(value))
    text = str(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool) and _NUMBER.fullmatch(text):
        return Threshold("number", Decimal(text))
    if isinstance(value, str):
        try:
            return Threshold("duration", Decimal(str(parse_duration(value))))
        except ValueError:
            pass
    raise ValueError(
        f"{shown(value)} is not a threshold; write a percentage, a duration or a number, such as 80%, 500ms or 3"
    )


AlertName = Annotated[
    str,
    PlainValidator(_parse_name),
    WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(ALERTS)})$", "title": "alert name"}),
]


class Alert(Model):
    """Changes to one alert."""

    enabled: bool = Field(
        default=True,
        description="Generate the alert; `off` in place of the mapping is short for false.",
    )
    threshold: (
        Annotated[
            Threshold,
            PlainValidator(_parse_threshold),
            WithJsonSchema({"type": ["string", "number"], "title": "threshold"}),
        ]
        | None
    ) = Field(
        default=None, description="Limit: a percentage, a duration or a number, depending on the alert."
    )
    for_: Wait | None = Field(
        default=None,
        alias="for",
        description="How long the condition must last before the alert fires; 0s: at once.",
    )
    severity: Severity | None = Field(default=None, description="Severity, which decides who is notified.")
    runbook: Words | None = Field(default=None, description="URL of the runbook.")


def _alert_shorthand(value: object) -> object:
    if value is False or value == "off":
        return {"enabled": False}
    return {} if value is True or value == "on" else value


Alerts = dict[
    AlertName,
    Annotated[
        Alert, BeforeValidator(_alert_shorthand, json_schema_input_type=Alert | Literal["off", "on"] | bool)
    ],
]


def threshold_problem(name: str, threshold: Threshold) -> str | None:
    """Return why this threshold does not suit this alert; None if it does."""
    default = ALERTS[name].threshold
    if default is None:
        return f"{quoted(name)} has no threshold"
    if default.kind != threshold.kind:
        return f"the threshold of {quoted(name)} must be a {default.kind}, found a {threshold.kind}"
    return None
