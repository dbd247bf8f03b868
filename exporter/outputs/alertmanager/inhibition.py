"""Inhibition rules: one notification per cause.

The names are alerts of `exporter.catalog.keys.container.alerts.ALERTS`. The watchdog is never muted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.base import any_name
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.catalog.catalog import Catalog

WATCHDOG = "Watchdog"
SCOPE = ("project", "environment")
"""External labels of each Prometheus: several can share an Alertmanager."""

CAUSES = ("ServiceDown", "StoreDown", "ServiceNotRunning")
"""Alerts about a service or store that explain the symptoms of those that depend on it."""

SYMPTOMS = (
    "ServiceDown",
    "ServiceNotRunning",
    "ReplicasMissing",
    "ServiceSlow",
    "ServiceFlapping",
    "ScrapeTargetDown",
    "HighErrorRate",
    "HighLatency",
    "SloBurnRateFast",
    "SloBurnRateSlow",
    "ContainerRestarting",
    "ContainerUnhealthy",
    "ContainerExited",
    "LogErrors",
)
"""Alerts that a broken dependency can cause. Certificates, backups, disks and memory fail independently."""

UNWATCHED = ("ExporterDown", "ExporterNoTargets")
"""Alerts that mean that the exporter monitors nothing."""
ABSENCES = ("ServiceAbsent", "BackupMissing", "ExporterNoTargets")
"""Alerts that also fire if the exporter monitors nothing."""

BACKUPS = ("BackupMissing", "BackupFailed", "BackupDrillFailed")
CERTIFICATES = ("CertificateExpired", "CertificateExpiringSoon")
"""Critical alerts that last for days and do not concern the rest of a service, so they mute only their kind."""


def matcher(label: str, *values: str) -> str:
    """Return a matcher of one value or any of several; of the characters of names, only a dot is special there."""
    return f'{label}="{values[0]}"' if len(values) == 1 else f'{label}=~"{any_name(values)}"'


def inhibit_rules(catalog: Catalog) -> list[Note]:
    """Return the rules, each with a comment."""
    own_kind = "|".join((*BACKUPS, *CERTIFICATES))
    return [
        *_broken_dependencies(catalog),
        _rule(
            "A critical alert of a service mutes its warnings; backups and certificates mute only their own kind.",
            ['severity="critical"', 'service!=""', f'alertname!~"{own_kind}"'],
            ['severity="warning"', 'service!=""', f'alertname!="{WATCHDOG}"'],
            "service",
        ),
        _rule(
            "A backup that fails or is missing also becomes stale.",
            [matcher("alertname", *BACKUPS)],
            [matcher("alertname", "BackupStale")],
            "service",
            "volume",
        ),
        _rule(
            "An expired certificate needs no warning before it expires.",
            [matcher("alertname", "CertificateExpired")],
            [matcher("alertname", "CertificateExpiring", "CertificateExpiringSoon")],
            "service",
            "probe",
            "target",
        ),
        _rule(
            "The critical certificate alert mutes the warning.",
            [matcher("alertname", "CertificateExpiringSoon")],
            [matcher("alertname", "CertificateExpiring")],
            "service",
            "probe",
            "target",
        ),
        _rule(
            "If the exporter monitors nothing, everything seems absent.",
            [matcher("alertname", *UNWATCHED)],
            [matcher("alertname", *ABSENCES)],
        ),
    ]


def _broken_dependencies(catalog: Catalog) -> Iterator[Note]:
    for name, dependents in dependents_of(needs(catalog)).items():
        yield _rule(
            f"If {name} is down, the services that depend on it are muted.",
            [matcher("alertname", *CAUSES), matcher("service", name)],
            [matcher("alertname", *SYMPTOMS), matcher("service", *dependents)],
        )


def _rule(comment: str, source: list[str], target: list[str], *equal: str) -> Note:
    rule: dict[str, Any] = {
        "source_matchers": source,
        "target_matchers": target,
        "equal": [*SCOPE, *equal],
    }
    return Note(comment, rule)


def needs(catalog: Catalog) -> dict[str, list[str]]:
    """Return for each service the services and stores that it cannot work without, in the catalog's order.

    Optional dependencies and jobs that complete once are left out. A SQLite store belongs to its service.
    """
    needed = {
        name: [
            other for other, how in service.depends_on.items() if how.needed and how.condition != "completed"
        ]
        for name, service in {**catalog.services, **catalog.stores}.items()
    }
    for name, store in catalog.stores.items():
        if store.service:
            needed[store.service].append(name)
    return needed


def dependents_of(needed: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return for each needed name all that depend on it, directly or indirectly; never itself, even in a cycle."""
    direct: dict[str, list[str]] = {}
    for name, others in needed.items():
        for other in others:
            direct.setdefault(other, []).append(name)
    found = {}
    for name in sorted(direct):
        reached: set[str] = set()
        waiting = list(direct[name])
        while waiting:
            dependent = waiting.pop()
            if dependent != name and dependent not in reached:
                reached.add(dependent)
                waiting += direct.get(dependent, [])
        if reached:
            found[name] = sorted(reached)
    return found
